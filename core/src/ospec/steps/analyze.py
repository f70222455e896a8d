"""Step kind `analyze`: a release that has traffic is watched and judged, and may still be sent back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ospec.errors import FatalError
from ospec.models.judging import Verdict
from ospec.models.live import Measurement, Slot
from ospec.models.registration import StepRun
from ospec.steps.health import DEFAULT_RETRIES, ask_slot, unhealthy
from ospec.steps.judging import Judging
from ospec.steps.load import Load
from ospec.steps.verify import probe_path
from ospec.steps.webhooks import Webhooks

_POLL_SECONDS = 0.5
_LOOK_SECONDS = 1.0
"""Metrics come in bins of a second."""
_TELL_SECONDS = 15.0
"""A wait that goes on is told so often."""
ERROR_PERCENT = 5.0
"""Where nobody judges: more errors than this send the release back…"""
LEAST_REQUESTS = 20
"""…once there were so many requests…"""
WINDOW_SECONDS = 10.0
"""…within this time."""
_ENOUGH = {
    "": ("not-enough-data", "no-regression", "pass"),
    "no-regression": ("no-regression", "pass"),
    "pass": ("pass",),
}


def analyze(run: StepRun) -> Mapping[str, Any]:
    """Judge for `params.seconds` at least; raise when a program ends, health breaks several times, or it is worse.

    Further `params`: `judge` (its name; none: only the error rate), `phase` (``canary`` while the stable release serves
    beside it, else ``guard``), `needs` (the verdict without which it goes on waiting: ``no-regression``, ``pass``),
    `limit_seconds` and `on_limit` (how long, and then ``abort`` or ``promote``), `until_promoted` (waits for a person).
    """
    watch = _Watch(run, run.step.params.get("slot", "candidate"))
    load = _load(run, watch.slot)
    if load is None:
        return _until_it_may_go_on(run, watch, _judging(run, watch.slot, None))
    load.start()
    try:
        return _until_it_may_go_on(run, watch, _judging(run, watch.slot, load))
    finally:
        load.stop()


def _until_it_may_go_on(run: StepRun, watch: _Watch, judging: Judging | None) -> Mapping[str, Any]:
    params = run.step.params
    seconds = float(params.get("seconds", 0.0))
    limit = float(params.get("limit_seconds", seconds))
    hooks = Webhooks(run, "rollout", params)
    started, told_at, held = time.monotonic(), 0.0, False
    while True:
        watch.look()
        hooks.ask()
        verdict = judging.look() if judging else None
        waited = time.monotonic() - started
        why = _why_wait(run, verdict, waited)
        if not watch.bad and (not why or (run.passed() and not run.paused())):
            return {"seconds": round(waited, 3), **watch.result(), **_told(verdict)}
        if why and verdict and waited > max(limit, seconds) and not (run.paused() or params.get("until_promoted")):
            if params.get("on_limit", "abort") == "promote" and not watch.bad:
                run.log(f"going on without a verdict: {verdict.sentence}")
                return {"seconds": round(waited, 3), **watch.result(), **_told(verdict), "on_limit": "promote"}
            raise FatalError(
                f"no verdict within {limit:g} s: {verdict.sentence}",
                code="no-verdict",
                hints=("send it more requests, or give it longer: deployment.analysis.limit_seconds",),
            )
        held = held or _told_to_people(run, why, waited - seconds)
        if why and waited - told_at >= _TELL_SECONDS:
            told_at = waited
            run.log(f"waiting: {why}")
        run.pause(_LOOK_SECONDS if judging and not watch.bad else watch.interval)


def _told_to_people(run: StepRun, why: str, overdue: float) -> bool:
    """Note that the step is held, of which notices are made, where it waits for a person or for long."""
    waits_for_person = bool(run.step.params.get("until_promoted"))
    if not why or run.paused() or overdue < (0.0 if waits_for_person else _TELL_SECONDS):
        return False
    run.note(held=why)
    return True


def _why_wait(run: StepRun, verdict: Verdict | None, waited: float) -> str:
    """What the step still waits for; empty where it may go on."""
    params = run.step.params
    if run.paused():
        return f"paused; go on with: ospec promote {run.run}"
    if waited < float(params.get("seconds", 0.0)):
        return f"{float(params['seconds']) - waited:.0f} s of watching are left"
    if params.get("until_promoted") and not run.passed():
        return f"a person has to say so: ospec promote {run.run}"
    if verdict and verdict.outcome not in _ENOUGH[params.get("needs", "")]:
        return verdict.sentence
    return ""


def _beside(run: StepRun, candidate: Slot) -> list[Slot]:
    """The slots that are judged: in the canary phase the one that serves, too."""
    beside = run.step.params.get("phase") == "canary" and run.plan.stable_slot
    return [candidate, run.slot("stable")] if beside else [candidate]


def _judging(run: StepRun, candidate: Slot, load: Load | None) -> Judging | None:
    name = run.step.params.get("judge")
    return Judging(run, name, run.step.params.get("phase", "guard"), _beside(run, candidate), load) if name else None


def _load(run: StepRun, candidate: Slot) -> Load | None:
    """Requests in users' stead, where the document asks for them and both releases can be compared."""
    target = run.unit("candidate").target
    settings = target.deployment.analysis.load
    if run.step.params.get("phase") != "canary" or not settings.requests_per_second:
        return None
    return Load(settings, _beside(run, candidate), probe_path(target))


def _told(verdict: Verdict | None) -> Mapping[str, Any]:
    if verdict is None:
        return {}
    return {"verdict": verdict.outcome, "sentence": verdict.sentence, "numbers": dict(verdict.numbers)}


class _Watch:
    """Health of the slot, and where nobody judges its error rate."""

    def __init__(self, run: StepRun, role: str) -> None:
        self._run, self._role = run, role
        self.slot = run.slot(role)
        target = run.unit(role).target
        self._retries = target.health_check_retries or DEFAULT_RETRIES
        self.interval = min([_POLL_SECONDS, *(check.interval_seconds for check in target.health_checks)])
        self.bad = 0
        """Bad answers in a row."""
        self._polls = 0
        self._requests = self._errors = 0.0

    def look(self) -> None:
        """Ask once; raises `FatalError` where the slot is not healthy, or errors are too many."""
        failing = [result for result in ask_slot(self._run, self._role, self.slot.id) if not result.healthy]
        self.bad, self._polls = (self.bad + 1 if failing else 0), self._polls + 1
        if any(result.gone for result in failing):  # it will do so again, and is back before it was asked several times
            raise unhealthy(self._role, failing, "it ended after it took the traffic")
        if self.bad >= self._retries:
            raise unhealthy(self._role, failing, f"{self.bad} times in a row after it took the traffic")
        if self._run.step.params.get("judge"):
            return
        self._requests, self._errors = _traffic(self._run, self._role, self.slot)
        if self._requests >= LEAST_REQUESTS and self._errors > self._requests * ERROR_PERCENT / 100:
            raise FatalError(
                f"{self._errors:.0f} of {self._requests:.0f} requests to {self._run.unit(self._role).release.name} "
                f"failed within {WINDOW_SECONDS:g} s: more than {ERROR_PERCENT:g} %",
                code="error-rate",
                hints=("see what it printed: ospec logs",),
            )

    def result(self) -> Mapping[str, Any]:
        """What was seen."""
        seen = {} if self._run.step.params.get("judge") else {"requests": self._requests, "errors": self._errors}
        return {"polls": self._polls, **seen}


def _traffic(run: StepRun, role: str, slot: Slot) -> tuple[float, float]:
    """Requests and errors of the slot's release within the window, from the source that saw the most."""
    if not run.capabilities().metrics:
        return 0.0, 0.0
    answers = run.call("collect_metrics", slots=(slot,), since_seconds=WINDOW_SECONDS)
    bins: Sequence[Measurement] = [one for _, answer in answers for one in answer]
    release = run.unit(role).release.name
    found: dict[str, dict[str, float]] = {}
    for one in bins:
        if one.release == release:
            added = found.setdefault(one.source, {})
            added[one.metric] = added.get(one.metric, 0.0) + one.value
    best = max(found.values(), key=lambda added: added.get("requests", 0.0), default={})
    return best.get("requests", 0.0), best.get("errors", 0.0)
