"""Plan composition: the life cycle, the strategy's rollout and what plugins contribute become one list of steps.

Pure: the same input gives the same plan. What a step exposes and whether it can be undone come from its kind, so that
no strategy can leave protection out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from ospec.errors import FatalError
from ospec.models import rollout_steps as steps
from ospec.models.live import LiveState
from ospec.models.plan import Action, Bounds, Plan, Rollout, Step
from ospec.models.registration import Guardrail, StepContribution, StepKind
from ospec.models.release import Release
from ospec.models.target import Target

_LIFE_CYCLE = ("build", "test", "package")
_ENDS_INSTANCES = ("deploy", "rollback", "retire")
"""A slot that is filled may have to be emptied first."""
_STOP_SECONDS = 30.0


@frozen(kw_only=True)
class PlanInput:
    """All that a plan is made from."""

    action: Action
    target: Target
    release: Release
    previous: Release | None
    """The release that serves now, None before the first one."""
    live: LiveState
    rollout: Rollout
    kinds: Mapping[str, StepKind]
    contributions: Sequence[tuple[str, StepContribution]] = ()
    """(plugin, contribution)."""
    guardrails: Sequence[tuple[str, Guardrail]] = ()
    """(plugin, guardrail) of everything loaded that can hold a protection."""
    renders: bool = False
    """Whether a plugin renders files into the snapshot."""
    prepared: bool = False
    """Whether the release's snapshot is built already."""
    stop_seconds: float = 0.0
    """How long instances may take to end, as the platform says."""
    scripted: bool = False
    """The user's own scripts are the rollout, so that they are the way back, too."""
    notes: tuple[str, ...] = ()


def compose(given: PlanInput) -> Plan:
    """Put the plan together; raises `FatalError` (``unknown-step-kind``) for a kind that nothing registered."""
    preparation = [] if given.prepared else _preparation(given)
    ordered = _with_contributions(given, preparation, list(given.rollout.steps))
    numbered = tuple(_complete(given, step, f"{number:02d}") for number, step in enumerate(ordered, 1))
    way_back = [*_failure_path(given), *_contributed(given, "on-failure")]
    failure = tuple(_complete(given, step, f"f{number:02d}") for number, step in enumerate(way_back, 1))
    stable = given.live.stable
    return Plan(
        action=given.action,
        target=given.target,
        release=given.release,
        previous=given.previous,
        stable_slot=stable.id if stable else "",
        candidate_slot=given.rollout.candidate,
        steps=numbered,
        failure_steps=failure,
        bounds=Bounds(
            longest_seconds=float(sum(step.timeout_seconds for step in numbered)),
            worst_exposure_percent_seconds=float(sum(p * s for p, s in given.rollout.longest_exposure)),
            extra_instances=given.rollout.extra_instances,
        ),
        live_fingerprint=given.live.fingerprint(),
        notes=(*given.notes, *given.rollout.notes),
    )


def _preparation(given: PlanInput) -> list[Step]:
    made = [Step("snapshot", "copy the source into the release's folder")]
    if given.renders:
        made.append(Step("render", "write what the plugins render"))
    for name in _LIFE_CYCLE:
        script = given.target.scripts.get(name)
        if script:
            limit = script.timeout_seconds
            made.append(Step("script", f"run scripts.{name}", {"name": name}, timeout_seconds=limit))
    return [*made, Step("seal", "make the release read-only")]


def _with_contributions(given: PlanInput, preparation: list[Step], rollout: list[Step]) -> list[Step]:
    exposing = [number for number, step in enumerate(rollout) if _exposes(given, step)]
    first, last = (exposing[0], exposing[-1]) if exposing else (len(rollout), len(rollout))
    guarded = max((number for number, step in enumerate(rollout) if step.kind == "analyze"), default=last) + 1
    anchors = ((first, "before-exposure"), (last, "before-promotion"), (guarded, "after-guard-window"))
    made = [*preparation[:1], *_contributed(given, "before-build"), *preparation[1:], *_guarded(given)]
    for number in range(len(rollout) + 2):
        made += [step for at, anchor in anchors if at == number for step in _contributed(given, anchor)]
        made += rollout[number : number + 1]
    return made


def _guarded(given: PlanInput) -> list[Step]:
    """Each guardrail that the document asks for as a step: what was prepared is judged before it is rolled out."""
    made = []
    for plugin, guardrail in sorted(given.guardrails, key=lambda one: one[1].name):
        values = {one.key: one.value for one in given.target.protections if one.key in guardrail.keys}
        if values and guardrail.check is not None and given.action == "deploy":
            asked = {"name": guardrail.name, "values": values}
            made.append(Step("guardrail", f"hold {', '.join(values)}", asked, plugin=plugin))
    return made


def _contributed(given: PlanInput, anchor: str) -> list[Step]:
    if given.action != "deploy" and anchor != "on-failure":  # a return needs the lock, and nobody's leave
        return []
    wanted = sorted(
        (one for one in given.contributions if one[1].anchor == anchor), key=lambda one: (one[1].order, one[1].name)
    )
    return [
        evolve(step, plugin=plugin)
        for plugin, contribution in wanted
        for step in contribution.steps(given.target, given.release)
    ]


def _complete(given: PlanInput, step: Step, number: str) -> Step:
    """What no plugin may choose: the id, whether the step exposes users, whether it can be undone; and what it cannot
    know, how long the platform takes to end instances.
    """
    kind = _kind(given, step)
    return evolve(
        step,
        id=f"{number}-{step.kind}",
        exposes_users=_exposes(given, step),
        reversible=kind.reversible,
        timeout_seconds=step.timeout_seconds + (given.stop_seconds if step.kind in _ENDS_INSTANCES else 0.0),
    )


def _exposes(given: PlanInput, step: Step) -> bool:
    stable = given.live.stable
    shape = None
    if given.rollout.in_place and stable:
        # A kind asks the plan whether the candidate's slot is the stable one.
        shape = Plan(
            given.action, given.target, given.release, None, stable.id, stable.id, (), (), Bounds(0.0, 0.0, 0), ""
        )
    return _kind(given, step).exposes_users(step, shape)


def _kind(given: PlanInput, step: Step) -> StepKind:
    kind = given.kinds.get(step.kind)
    if kind is None:
        raise FatalError(
            f"the plan asks for a step of kind {step.kind!r}, which nothing installed brings",
            code="unknown-step-kind",
            where=step.plugin,
        )
    return kind


# -- the way back -----------------------------------------------------------------------------------------------------


def _failure_path(given: PlanInput) -> list[Step]:
    stable = given.live.stable
    if given.action == "up":  # what would be returned to is what is being brought up
        return []
    if given.scripted:
        return _scripted_way_back(given)
    if stable is None or given.previous is None:
        return [
            Step("retire", "take the failed first release away", {"slot": "all"}, timeout_seconds=_stop_limit(given))
        ]
    target, name = given.target, given.previous.name
    verify = steps.verified(f"{name} answers", "stable")
    if given.rollout.in_place:
        again = [evolve(step, when="exposed") for step in steps.started_again(target, name, stable.label, "stable")]
        return [*(given.rollout.way_back or again), verify]
    return [
        *steps.given_back(target, name, stable.label),
        verify,
        Step(
            "retire",
            f"take {given.release.name} away",
            {"slot": "candidate"},
            timeout_seconds=_stop_limit(given),
            on_failure="warn",
        ),
    ]


def _scripted_way_back(given: PlanInput) -> list[Step]:
    if "rollback" not in given.target.scripts:
        return []
    role = "stable" if given.previous else "candidate"
    names = ["rollback", *(["health_check"] if "health_check" in given.target.scripts and given.previous else [])]
    return [
        Step(
            "delegate", "run scripts.rollback", {"slot": role, "scripts": names}, when="exposed", timeout_seconds=900.0
        )
    ]


def _stop_limit(given: PlanInput) -> float:
    return given.target.deployment.drain_seconds + _STOP_SECONDS
