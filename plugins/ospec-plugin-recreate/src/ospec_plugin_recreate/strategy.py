"""Recreate: the release that serves is stopped, then the new one is started in its place; in between nobody serves."""

from __future__ import annotations

from typing import Any

from ospec.models import rollout_steps as steps
from ospec.models.plan import Rollout, Step
from ospec.models.registration import StrategyInput
from ospec.models.target import Target

_FIRST_SLOT = "blue"


def plan_recreate(given: StrategyInput) -> Rollout:
    """Answer for maintenance → stop → start → health → all traffic → verify → guard window."""
    target, stable = given.target, given.live.stable
    label = stable.label if stable else _FIRST_SLOT
    if stable is None:
        return Rollout((*_in_place_of_nothing(target, label),), candidate=label, longest_exposure=(_exposure(target),))
    away = _away(given, stable.label)
    down = sum(step.timeout_seconds for step in away) + target.startup_seconds
    return Rollout(
        (
            *away,
            Step(
                "deploy",
                f"start the release in slot {label}",
                {"slot": "candidate", "batch": _batch(steps.web_instances(target, label))},
                timeout_seconds=120.0,
            ),
            *_checked_and_serving(target, label),
        ),
        candidate=label,
        in_place=True,
        way_back=_way_back(given, stable.label),
        longest_exposure=(_exposure(target),),
        notes=(
            f"nobody serves between the stop and the switch: as long as the release takes to start, {down:g} s at most",
            *steps.unguarded_notes(target),
        ),
    )


def _in_place_of_nothing(target: Target, label: str) -> list[Step]:
    return [steps.start(target, label), *_checked_and_serving(target, label)]


def _checked_and_serving(target: Target, label: str) -> list[Step]:
    return [
        steps.healthy(target, label),
        *steps.validated(target, label),
        steps.switched(target, f"give slot {label} all traffic", {"candidate": 100}),
        steps.verified(),
        *steps.guarded(target),
    ]


def _away(given: StrategyInput, label: str) -> list[Step]:
    """Nobody is sent to the slot any more, then everything in it ends."""
    drain = given.target.deployment.drain_seconds
    stop = Step(
        "deploy",
        f"stop what serves in slot {label}",
        {"slot": "candidate", "batch": _batch(0)},
        timeout_seconds=drain + 60.0,
    )
    return [*_closed(given), stop]


def _closed(given: StrategyInput) -> list[Step]:
    if not given.capabilities.maintenance:
        return []
    maintenance: dict[str, Any] = given.target.deployment.maintenance.answer()
    return [
        steps.switched(
            given.target, "answer for maintenance", {"candidate": 0}, maintenance=maintenance
        ),
        steps.verified("ask the front door until it answers for maintenance", maintenance=True),
    ]


def _way_back(given: StrategyInput, label: str) -> tuple[Step, ...]:
    """The new release is stopped before the one before is started: they may not be able to run beside each other."""
    target = given.target
    limit = target.deployment.drain_seconds + 60.0
    count = steps.web_instances(target, label)
    return (
        Step(
            "rollback",
            f"stop what was started in slot {label}",
            {"slot": "stable", "batch": _batch(0)},
            timeout_seconds=limit,
        ),
        Step(
            "rollback",
            f"start the release before in slot {label} again",
            {"slot": "stable", "batch": _batch(count)},
            timeout_seconds=120.0,
        ),
        steps.healthy(target, label, "stable"),
        steps.switched(target, f"give slot {label} all traffic again", {"stable": 100}),
    )


def _batch(instances: int) -> dict[str, int]:
    return {"instances": instances, "others": 0}


def _exposure(target: Target) -> tuple[float, float]:
    return steps.exposed_at_100(target)
