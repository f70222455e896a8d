"""Blue-green: the new release comes up beside the old one, is checked, takes all traffic at once, and is watched."""

from __future__ import annotations

from ospec.models.live import Slot
from ospec.models.plan import Rollout, Step
from ospec.models.registration import StrategyInput
from ospec.models.target import Target

_SLOTS = ("blue", "green")
_DEPLOY_SECONDS = 120.0
_SWITCH_SECONDS = 30.0
_EXTRA_SECONDS = 30.0


def plan_blue_green(given: StrategyInput) -> Rollout:
    """Deploy into the idle slot → health → validation → all traffic → verify → guard window → retire the old slot."""
    target, stable = given.target, given.live.stable
    settings = target.deployment.traffic_switching
    label = idle_slot(stable)
    window = settings.rollback_threshold_seconds
    steps = [
        Step("deploy", f"start the release in slot {label}", {"slot": "candidate"}, timeout_seconds=_DEPLOY_SECONDS),
        _health(target, label),
    ]
    if settings.validation_checks:
        checks = list(settings.validation_checks)
        title = f"validate slot {label}: {', '.join(checks)}"
        steps.append(Step("validate", title, {"checks": checks}, timeout_seconds=_validation_seconds(target)))
    steps += [
        Step(
            "switch",
            f"give slot {label} all traffic",
            {"weights": {"candidate": 100}},
            timeout_seconds=_SWITCH_SECONDS + target.deployment.drain_seconds,
        ),
        Step("verify", "ask the front door until the release answers", {"slot": "candidate"}, timeout_seconds=60.0),
    ]
    if window > 0:
        title = f"watch for {window:g} s, and return if it breaks"
        limit = window + _EXTRA_SECONDS + target.startup_seconds
        steps.append(Step("analyze", title, {"seconds": window, "slot": "candidate"}, timeout_seconds=limit))
    if stable:
        steps.append(_retire(target, stable))
    return Rollout(
        tuple(steps),
        candidate=label,
        extra_instances=_instances(target, label),
        longest_exposure=((100.0, window + _SWITCH_SECONDS),),
        notes=()
        if window > 0
        else ("no guard window: rollback_threshold_seconds is 0, nothing watches after the switch",),
    )


def idle_slot(stable: Slot | None) -> str:
    """The label of the slot that does not serve; blue before the first release."""
    return _SLOTS[1] if stable and stable.label == _SLOTS[0] else _SLOTS[0]


def _health(target: Target, label: str) -> Step:
    limit = target.startup_seconds + _EXTRA_SECONDS
    return Step("health", f"wait until slot {label} is healthy", {"slot": "candidate"}, timeout_seconds=limit)


def _validation_seconds(target: Target) -> float:
    smoke = target.scripts.get("smoke_test")
    return (smoke.timeout_seconds if smoke else 0.0) + target.startup_seconds + _EXTRA_SECONDS


def _retire(target: Target, stable: Slot) -> Step:
    keep = target.deployment.keep_seconds
    title = (
        f"keep slot {stable.label} warm for {keep:g} s, then take it away" if keep else f"take slot {stable.label} away"
    )
    return Step(
        "retire",
        title,
        {"slot": "stable", "keep_seconds": keep},
        timeout_seconds=target.deployment.drain_seconds + _EXTRA_SECONDS,
        on_failure="warn",
    )


def _instances(target: Target, label: str) -> int:
    slot = target.deployment.environments.get(label)
    wanted = slot.instances if slot else None
    return sum(
        wanted if wanted is not None and process.name == "web" else process.instances
        for process in target.processes.values()
    )
