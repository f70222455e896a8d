"""Blue-green: the new release comes up beside the old one, is checked, takes all traffic at once, and is watched."""

from __future__ import annotations

from ospec.models import rollout_steps as steps
from ospec.models.live import Slot
from ospec.models.plan import Rollout
from ospec.models.registration import StrategyInput

_SLOTS = ("blue", "green")


def plan_blue_green(given: StrategyInput) -> Rollout:
    """Deploy into the idle slot → health → validation → all traffic → verify → guard window → retire the old slot."""
    target, stable = given.target, given.live.stable
    label = idle_slot(stable)
    return Rollout(
        (
            steps.started(target, label),
            steps.healthy(target, label),
            *steps.validated(target, label, given.judge),
            steps.switched(target, f"give slot {label} all traffic", {"candidate": 100}),
            steps.verified(),
            *steps.guarded(target, given.judge),
            *([steps.retired(target, stable.label)] if stable else []),
        ),
        candidate=label,
        extra_instances=steps.all_instances(target, label),
        longest_exposure=(steps.exposed_at_100(target),),
        notes=steps.unguarded_notes(target),
    )


def idle_slot(stable: Slot | None) -> str:
    """The label of the slot that does not serve; blue before the first release."""
    return _SLOTS[1] if stable and stable.label == _SLOTS[0] else _SLOTS[0]
