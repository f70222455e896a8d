"""Recreate: the release that serves is stopped, then the new one is started in its place; in between nobody serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import asdict
from ospec.models import rollout_steps as steps
from ospec.models.document import MaintenanceSettings
from ospec.models.plan import Rollout, Step
from ospec.models.registration import StrategyInput
from ospec.models.target import Target

_FIRST_SLOT = "blue"


def plan_recreate(given: StrategyInput) -> Rollout:
    """Answer for maintenance → stop → start → health → validation → all traffic → verify → guard window."""
    target, stable = given.target, given.live.stable
    label = stable.label if stable else _FIRST_SLOT
    if stable is None:
        return Rollout(
            tuple(steps.all_at_once(target, label, given.judge)),
            candidate=label,
            extra_instances=steps.all_instances(target, label),
            longest_exposure=(steps.exposed_at_100(target),),
            notes=steps.unguarded_notes(target),
        )
    stop = _batch("deploy", f"stop what serves in slot {label}", "candidate", 0, target)
    start = _batch(
        "deploy", f"start the release in slot {label}", "candidate", steps.web_instances(target, label), target
    )
    return Rollout(
        (*_closed(given), stop, start, *steps.taking_over(target, label, given.judge)),
        candidate=label,
        in_place=True,
        way_back=tuple(_back(target, label)),
        longest_exposure=(steps.exposed_at_100(target),),
        notes=(
            "nobody serves from the stop to the switch: requests under way have "
            f"{target.deployment.drain_seconds:g} s to end, and the release {target.startup_seconds:g} s to start",
            *steps.unguarded_notes(target),
        ),
    )


def _closed(given: StrategyInput) -> Iterator[Step]:
    """Users are told, before anything is stopped."""
    settings = given.target.deployment.maintenance
    if not given.capabilities.maintenance or settings is False:
        return
    answer = asdict(settings if isinstance(settings, MaintenanceSettings) else MaintenanceSettings())
    yield steps.switched(given.target, "answer for maintenance", {"candidate": 0}, maintenance=answer)
    yield steps.verified("it answers for maintenance", maintenance=True)


def _back(target: Target, label: str) -> Iterator[Step]:
    """The new release stops before the one before starts: the two may not be able to run beside each other."""
    yield _batch("rollback", f"stop what was started in slot {label}", "stable", 0, target)
    count = steps.web_instances(target, label)
    yield _batch("rollback", f"start the release before in slot {label} again", "stable", count, target)
    yield steps.healthy(target, label, "stable")
    yield steps.switched(target, f"give slot {label} all traffic again", {"stable": 100})


def _batch(kind: str, title: str, role: str, instances: int, target: Target) -> Step:
    """A state of the slot: so many instances of the release, and none of any other."""
    params: Mapping[str, Any] = {"slot": role, "batch": {"instances": instances, "others": 0}}
    return Step(kind, title, params, timeout_seconds=steps.deploy_limit(target))
