"""Canary: the new release gets a growing share of the traffic and is judged beside the one that serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ospec.models import rollout_steps as steps
from ospec.models.live import Slot
from ospec.models.plan import Rollout, Step
from ospec.models.registration import StrategyInput

from ospec_plugin_canary.weights import Stage, stages_of

_EXTRA_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 12 * 3600.0


def plan_canary(given: StrategyInput) -> Rollout:
    """Deploy beside → health → validation → each weight: switch, verify, judge → all traffic → guard → retire.

    Raises:
        DocumentError: the steps make no sense (``invalid-document``).
    """
    target, stable = given.target, given.live.stable
    label = steps.idle_slot(stable)
    begin = [steps.started(target, label), steps.healthy(target, label), *steps.validated(target, label, given.judge)]
    end = [steps.switched(target, f"give slot {label} all traffic", {"candidate": 100}), steps.verified()]
    end += steps.guarded(target, given.judge)
    if stable is None:
        notes = ("the first release: there is none to compare it with, so it takes all traffic at once",)
        return Rollout(
            (*begin, *end),
            candidate=label,
            extra_instances=steps.all_instances(target, label),
            longest_exposure=(steps.exposed_at_100(target),),
            notes=notes,
        )
    stages = stages_of(target.deployment)
    middle = [step for number, stage in enumerate(stages) for step in _stage(given, stage, number == len(stages) - 1)]
    return Rollout(
        (
            *begin,
            *steps.asked(target, "pre-rollout"),
            *middle,
            *end,
            *steps.asked(target, "post-rollout"),
            steps.retired(target, stable.label),
        ),
        candidate=label,
        extra_instances=steps.all_instances(target, label),
        longest_exposure=(*_exposures(given, stages), steps.exposed_at_100(target)),
        notes=tuple(_notes(given, stable)),
    )


def _stage(given: StrategyInput, stage: Stage, last: bool) -> Iterator[Step]:
    """One weight: moved, verified, judged."""
    target = given.target
    rules = dict(stage.headers) if given.capabilities.header_routing else {}
    sticky = target.deployment.sticky and given.capabilities.sticky_sessions
    more: dict[str, Any] = {**({"headers": rules} if rules else {}), **({"sticky": True} if sticky else {})}
    title = f"give the canary {stage.weight:g} %" + (f", and what says {_said(rules)}" if rules else "")
    weights = {"candidate": stage.weight, "stable": 100 - stage.weight}
    yield steps.switched(target, title, weights, **more)
    share = {"headers": rules, "weights": weights}
    yield steps.verified("both releases answer", share=share)
    yield _judged(given, stage, last)
    if stage.approval:
        yield Step(
            "approve", f"a person agrees to go on from {stage.weight:g} %", timeout_seconds=_LONGEST_PAUSE_SECONDS
        )


def _judged(given: StrategyInput, stage: Stage, last: bool) -> Step:
    analysis = given.target.deployment.analysis
    needs = "" if not stage.analysis else "pass" if last else "no-regression"
    params: dict[str, Any] = {
        "slot": "candidate",
        "phase": "canary",
        "judge": given.judge or steps.CORES_JUDGE,
        "seconds": stage.seconds,
        "needs": needs if stage.weight > 0 else "",
        "limit_seconds": max(analysis.limit_seconds, stage.seconds),
        "on_limit": analysis.on_limit,
    }
    title = f"judge {stage.weight:g} % for {stage.seconds:g} s" if stage.weight else f"watch it for {stage.seconds:g} s"
    if needs == "pass":
        title += ", until it has shown to be no worse"
    if stage.pause:
        params["until_promoted"] = True
        title += ", and until ospec promote"
    limit = max(analysis.limit_seconds, stage.seconds) + (_LONGEST_PAUSE_SECONDS if stage.pause else 0.0)
    return Step("analyze", title, params, timeout_seconds=limit + _EXTRA_SECONDS)


def _exposures(given: StrategyInput, stages: Sequence[Stage]) -> Iterator[tuple[float, float]]:
    limit = given.target.deployment.analysis.limit_seconds
    return ((stage.weight, max(limit, stage.seconds)) for stage in stages if stage.weight > 0)


def _notes(given: StrategyInput, stable: Slot) -> Iterator[str]:
    deployment = given.target.deployment
    if not given.judge:
        yield (
            "nothing compares the canary with the release that serves, only bounds are judged: "
            "pip install ospec-plugin-judge-sequential"
        )
    if deployment.sticky and not given.capabilities.sticky_sessions:
        yield f"{given.target.platform} cannot keep a user on one release: users may change between both"
    yield from steps.unguarded_notes(given.target)


def _said(rules: dict[str, str]) -> str:
    return " or ".join(f"{name}: {value}" for name, value in rules.items())
