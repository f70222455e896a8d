"""Step kinds that call one hook each: `render`, `deploy`, `rollback`, `switch`, `retire`; and `wait`."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from ospec.errors import FatalError
from ospec.host.rendered import merge_rendered
from ospec.models.context import Batch
from ospec.models.live import HeaderRule, LiveState, Maintenance, TrafficSplit
from ospec.models.plan import Plan, Step
from ospec.models.registration import StepRun
from ospec.steps.snapshot import cannot_write

_PAGE = "deployment.maintenance.page"
_RAMP_POLL_SECONDS = 0.2


def render(run: StepRun) -> Mapping[str, Any]:
    """Write what plugins render for the release into its snapshot; a file of the source at the same path stays."""
    unit = run.unit("candidate")
    written, kept = [], []
    for file in merge_rendered(run.call("render", release=unit.release, live=run.observe())):
        path = unit.files / file.path
        if not path.resolve().is_relative_to(unit.files.resolve()):
            raise FatalError(f"{path} leads out of the release's folder", code="path-outside", where=file.plugin)
        if path.exists():
            kept.append(file.path)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = path.with_name(f".{path.name}.ospec")  # renamed once it is: a crash leaves no half of a file
            whole.write_text(file.content, encoding="utf-8")
            whole.chmod(0o755 if file.executable else 0o644)
            whole.replace(path)
        except OSError as error:
            raise cannot_write(path, error) from error
        written.append(file.path)
    return {"written": written, "kept": kept}


def deploy(run: StepRun) -> Mapping[str, Any]:
    """Have the platform run the release in the step's slot (`params`: slot role, instances, batch)."""
    return _make_able(run, "deploy", run.step.params.get("slot", "candidate"))


def roll_back(run: StepRun) -> Mapping[str, Any]:
    """Have the platform make the slot's release able to serve again."""
    return _make_able(run, "rollback", run.step.params.get("slot", "stable"))


def _make_able(run: StepRun, hook: str, role: str) -> Mapping[str, Any]:
    unit = run.unit(role)
    name = run.plan.stable_slot if role == "stable" else run.plan.candidate_slot
    batch = run.step.params.get("batch")  # as `ospec.models.context.Batch`
    answers = run.call(
        hook,
        target=unit.target,
        release=unit.release,
        files=unit.files,
        slot=name,
        instances=run.step.params.get("instances"),
        batch=Batch(**batch) if batch else None,
    )
    made = answers[0][1]
    return {
        "slot": made.slot.id,
        "label": made.slot.label,
        "changed": made.changed,
        "address": made.slot.address,
        "instances": made.slot.wanted,
    }


def switch(run: StepRun) -> Mapping[str, Any]:
    """Move traffic; what the platform observed is the result.

    `params.weights` gives percent by slot role. `params.headers` (name to value) and `params.sticky` are for the
    candidate; `params.maintenance` is what is answered where nobody has a share. With `params.ramp` the stable slot
    gets its share as its instances become ready.
    """
    if run.step.params.get("ramp"):
        return _ramped(run)
    # Which slots there are may be known from a moment ago: the platform looks again before it moves anything.
    return _give(run, run.observe(within_seconds=1.0), run.step.params["weights"])


def _ramped(run: StepRun) -> Mapping[str, Any]:
    """Give the stable slot all traffic, at no time a larger part than its ready instances are of those wanted."""
    shares: list[float] = []
    while True:
        live = run.observe()
        slot = run.slot("stable", live)
        whole = slot.ready >= slot.wanted or not _there(run.plan.candidate_slot, live)
        share = 100.0 if whole else float(100 * slot.ready // slot.wanted)
        if whole or share > max([slot.weight_percent, *shares]):
            result = _give(run, live, {"stable": share} if whole else {"stable": share, "candidate": 100.0 - share})
            shares.append(share)
            if whole:
                return {**result, **({"ramp": shares} if len(shares) > 1 else {})}
            run.log(f"slot {slot.label} gets {share:g} %: {slot.ready} of {slot.wanted} instances are ready")
        run.pause(_RAMP_POLL_SECONDS)


def _there(slot: str, live: LiveState) -> bool:
    return any(slot in (one.id, one.label) for one in live.slots)


def _give(run: StepRun, live: LiveState, shares: Mapping[str, float]) -> Mapping[str, Any]:
    """One change of the traffic; percent by slot role."""
    params = run.step.params
    slots = {role: run.slot(role, live) for role in shares}
    weights = {slots[role].id: float(share) for role, share in shares.items()}
    for slot in live.slots:
        weights.setdefault(slot.id, 0.0)
    candidate = slots["candidate"].id if "candidate" in slots else ""
    split = TrafficSplit(
        weights,
        headers=tuple(HeaderRule(name, value, candidate) for name, value in params.get("headers", {}).items()),
        sticky=bool(params.get("sticky", False)),
        gaining=candidate,
        maintenance=_maintenance(run, params["maintenance"]) if "maintenance" in params else None,
    )
    answers = run.call("switch_traffic", split=split, slots=tuple(slots.values()))
    state = answers[0][1]
    if {(rule.name.lower(), rule.value) for rule in state.headers} != {
        (rule.name.lower(), rule.value) for rule in split.headers
    }:
        raise FatalError("the platform does not route by the headers that it was asked to", code="switch-not-applied")
    for slot_id, share in weights.items():
        if abs(state.weights.get(slot_id, 0.0) - share) > 1.0:
            raise FatalError(
                f"asked for {share:g} % on slot {slot_id}, the platform observed {state.weights.get(slot_id, 0.0):g} %",
                code="switch-not-applied",
            )
    return {
        "weights": dict(state.weights),
        "releases": {slot.id: slot.release.name for slot in slots.values() if slot.release},
        "address": state.address,
        "applied_at": state.applied_at,
        **({"maintenance": True} if state.maintenance else {}),
    }


def _maintenance(run: StepRun, asked: Mapping[str, Any]) -> Maintenance:
    """What is answered, the page read from the release."""
    seconds = int(asked["retry_after_seconds"])
    if not asked["page"]:
        return Maintenance(seconds)
    files = run.unit("candidate").files
    page = files / asked["page"]
    if not page.resolve().is_relative_to(files.resolve()):
        raise FatalError(f"{page} leads out of the release's folder", code="path-outside", where=_PAGE)
    try:
        body = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FatalError(f"cannot read {page} as text: {error}", code="unreadable-source", where=_PAGE) from error
    kind = mimetypes.guess_type(page.name)[0] or "text/plain"
    return Maintenance(seconds, body, f"{kind}; charset=utf-8")


def switch_exposes(step: Step, plan: Plan | None) -> bool:
    """A switch puts users on the candidate unless it gives it nothing."""
    return float(step.params.get("weights", {}).get("candidate", 0)) > 0


def deploy_exposes(step: Step, plan: Plan | None) -> bool:
    """A deploy into the slot that serves changes what users get."""
    return bool(step.params.get("slot") == "stable" or (plan and plan.stable_slot == plan.candidate_slot))


def retire(run: StepRun) -> Mapping[str, Any]:
    """Drain and remove a slot; with `params.keep_seconds` it stays warm until the first command after that time.

    The slot ``all`` is everything the platform holds: what is left of a first release that failed. A candidate that
    does not run this run's release is somebody else's and stays.
    """
    role = run.step.params["slot"]
    if role == "all":
        run.call("retire", slot=None)
        return {"slot": "all", "retired": True}
    name = run.plan.stable_slot if role == "stable" else run.plan.candidate_slot
    slot = next((slot for slot in run.observe().slots if name in (slot.id, slot.label)), None)
    if slot is None:
        return {"slot": name, "retired": False}
    wanted = run.unit(role).release.id
    if slot.releases and wanted not in [release.id for release in slot.releases]:
        return {"slot": slot.id, "retired": False}
    keep_seconds = float(run.step.params.get("keep_seconds", 0))
    if keep_seconds > 0:
        run.retire_later(slot, keep_seconds)
        return {"slot": slot.id, "retired": False, "keep_seconds": keep_seconds}
    run.call("retire", slot=slot.id)
    return {"slot": slot.id, "retired": True}


def wait(run: StepRun) -> Mapping[str, Any]:
    """Wait `params.seconds`."""
    run.pause(float(run.step.params["seconds"]))
    return {}
