"""Rolling: instances are replaced in place, a few at a time, with a health gate after each batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ospec.models import rollout_steps as steps
from ospec.models.live import Slot
from ospec.models.plan import Rollout, Step
from ospec.models.registration import StrategyInput
from ospec.models.target import Target

from ospec_plugin_rolling.batches import Limits, batches, limits_of, way_back

_FIRST_SLOT = "blue"
_EXTRA_SECONDS = 60.0


def plan_rolling(given: StrategyInput) -> Rollout:
    """Each batch: replace, health, grace → verify → guard window.

    Raises:
        DocumentError: the limits allow nothing to be replaced (``invalid-document``).
    """
    target, stable = given.target, given.live.stable
    label = stable.label if stable else _FIRST_SLOT
    if stable is None:
        return Rollout(
            tuple(steps.all_at_once(target, label, given.judge)),
            candidate=label,
            extra_instances=steps.all_instances(target, label),
            longest_exposure=(steps.exposed_at_100(target),),
        )
    wanted, there = steps.web_instances(target, label), _web_instances_of(stable)
    limits = limits_of(target.deployment, wanted)
    forward = batches(there, wanted, limits)
    return Rollout(
        (
            *(step for new, old in forward for step in _batch(given, label, new, old, limits)),
            steps.verified(),
            *steps.guarded(target, given.judge),
        ),
        candidate=label,
        in_place=True,
        way_back=tuple(_back(target, label, there, forward, limits)),
        extra_instances=max(0, limits.most - there),
        longest_exposure=(*_exposures(target, forward), steps.exposed_at_100(target)),
        notes=(
            f"{len(forward)} batches; never fewer than {limits.least_ready} of {wanted} instances are ready, "
            f"never more than {limits.most} run",
            *steps.unguarded_notes(target),
        ),
    )


def _batch(given: StrategyInput, label: str, new: int, old: int, limits: Limits) -> Iterator[Step]:
    target, grace = given.target, given.target.deployment.grace_seconds
    title = f"slot {label}: {new} instances of the release, {old} of the one before"
    params = {"slot": "candidate", "batch": _as_params(new, old, limits)}
    yield Step("deploy", title, params, timeout_seconds=steps.deploy_limit(target))
    yield steps.healthy(target, label)
    if grace > 0:
        judged = {"judge": given.judge, "phase": "canary" if old else "guard"} if given.judge else {}
        yield Step(
            "analyze",
            f"watch the batch for {grace:g} s",
            {"seconds": grace, "slot": "candidate", **judged},
            timeout_seconds=grace + _EXTRA_SECONDS + target.startup_seconds,
        )


def _back(target: Target, label: str, there: int, forward: list[tuple[int, int]], limits: Limits) -> Iterator[Step]:
    for old, new in way_back(there, forward):
        title = f"slot {label}: back to {old} instances of the release before, {new} of this one"
        params = {"slot": "stable", "batch": _as_params(old, new, limits)}
        yield Step("rollback", title, params, timeout_seconds=steps.deploy_limit(target))
        yield steps.healthy(target, label, "stable")


def _as_params(instances: int, others: int, limits: Limits) -> Mapping[str, int]:
    return {"instances": instances, "others": others, "least_ready": limits.least_ready}


def _exposures(target: Target, forward: list[tuple[int, int]]) -> Iterator[tuple[float, float]]:
    limit = steps.deploy_limit(target) + target.startup_seconds + target.deployment.grace_seconds
    return ((100.0 * new / (new + old), limit) for new, old in forward)


def _web_instances_of(slot: Slot) -> int:
    """Instances that take traffic now; what the platform does not tell apart counts as a whole."""
    return sum(one.process == steps.WEB for one in slot.instances) or slot.wanted
