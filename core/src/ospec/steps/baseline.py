"""Check `performance_baseline`: the candidate against the release that serves, under one load, before users come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from ospec.converter import to_json
from ospec.errors import FatalError
from ospec.judges.metrics import ERRORS, LATENCY
from ospec.models.document import AnalysisLoad
from ospec.models.judging import JudgeInput, Verdict
from ospec.models.registration import StepRun
from ospec.steps.load import Load
from ospec.steps.verify import probe_path

_LONGEST_SECONDS = 60.0
_LEAST_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_RATE = 50.0


def performance_baseline(run: StepRun) -> Mapping[str, Any]:
    """Done once the judge has seen enough to pass it, or nothing against it for `_LONGEST_SECONDS`.

    The judgement is one of its own: what is found here adds nothing to that of the rollout.

    Raises:
        FatalError: it is worse (``performance-regressed``), or it cannot be compared (``no-slot-address``).
    """
    if not run.plan.stable_slot or run.plan.stable_slot == run.plan.candidate_slot:
        return {"skipped": "no release stands beside it"}
    slots = [run.slot("candidate"), run.slot("stable")]
    if not all(slot.address for slot in slots):
        raise FatalError("slots have no address of their own, so nothing can be compared", code="no-slot-address")
    target = run.unit("candidate").target
    settings = target.deployment.analysis.load
    if not settings.requests_per_second:
        settings = evolve(AnalysisLoad(requests_per_second=_RATE), requests=settings.requests)
    load = Load(settings, slots, probe_path(target))
    load.start()
    try:
        verdict, seconds = _judged(run, load)
    finally:
        load.stop()
    if verdict.outcome == "regress":
        raise FatalError(verdict.sentence, code="performance-regressed", hints=("see what it printed: ospec logs",))
    return {
        "verdict": verdict.outcome,
        "sentence": verdict.sentence,
        "seconds": seconds,
        "findings": _findings(verdict),
    }


def _judged(run: StepRun, load: Load) -> tuple[Verdict, float]:
    judge, settings = run.judge(run.step.params["judge"])
    given = JudgeInput(
        candidate=run.unit("candidate").release.name,
        stable=run.unit("stable").release.name,
        metrics=(ERRORS, LATENCY),
        settings=settings,
    )
    began = last = time.time()
    while True:
        run.pause(_LOOK_SECONDS)
        at = time.time()
        verdict = judge.judge(evolve(given, bins=tuple(load.measurements(last - _LOOK_SECONDS))))
        given, last = evolve(given, state=verdict.state), at
        waited = round(at - began, 3)
        if verdict.outcome == "regress" or (verdict.outcome == "pass" and waited >= _LEAST_SECONDS):
            return verdict, waited
        if waited >= _LONGEST_SECONDS:
            return verdict, waited


def _findings(verdict: Verdict) -> list[Any]:
    found: list[Any] = to_json(verdict)["findings"]
    return found
