"""Blue-green: the new release comes up beside the old one, is checked, takes all traffic at once, and is watched."""

from __future__ import annotations

from ospec.models import rollout_steps as steps
from ospec.models.plan import Rollout
from ospec.models.registration import StrategyInput


def plan_blue_green(given: StrategyInput) -> Rollout:
    """Deploy into the idle slot → health → validation → all traffic → verify → guard window → retire the old slot."""
    target, stable = given.target, given.live.stable
    label = steps.idle_slot(stable)
    return Rollout(
        (
            *steps.all_at_once(target, label, given.judge),
            *([steps.retired(target, stable.label)] if stable else []),
        ),
        candidate=label,
        extra_instances=steps.all_instances(target, label),
        longest_exposure=(steps.exposed_at_100(target),),
        notes=steps.unguarded_notes(target),
    )
