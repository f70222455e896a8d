"""Rollouts that need no strategy: back to an earlier release, and bringing up again what should serve."""

from __future__ import annotations

from ospec.errors import RefusedError
from ospec.models.live import LiveState, Slot
from ospec.models.plan import Rollout, Step
from ospec.models.registration import Capabilities
from ospec.models.release import Release
from ospec.models.target import Target

_SWITCH_SECONDS = 30.0
_EXTRA_SECONDS = 30.0


def go_back(target: Target, capabilities: Capabilities, live: LiveState, release: Release) -> Rollout:
    """Serve an earlier release again: a switch where it is still warm, else start it first.

    Raises:
        RefusedError: the platform cannot run it beside the release that serves (``not-capable``).
    """
    stable = live.stable
    if capabilities.scripted:
        return Rollout((_scripted_rollback(),), in_place=True)
    if stable is None or not capabilities.slots:
        raise RefusedError(
            "there is nothing to go back from", code="nothing-to-roll-back", hints=("see: ospec status",)
        )
    warm = next((slot for slot in live.slots if slot.release and slot.release.id == release.id), None)
    candidate = warm.label if warm else _other(live, stable)
    is_warm = warm is not None and warm.ready >= warm.wanted > 0
    steps = [] if is_warm else _start(target, release, candidate, "candidate")
    steps += [
        Step(
            "switch",
            f"give {release.name} in slot {candidate} all traffic",
            {"weights": {"candidate": 100}},
            timeout_seconds=_SWITCH_SECONDS + target.deployment.drain_seconds,
        ),
        Step("verify", f"ask the front door until {release.name} answers", timeout_seconds=60.0),
        Step(
            "retire",
            f"take slot {stable.label} away" + _after(target.deployment.keep_seconds),
            {"slot": "stable", "keep_seconds": target.deployment.keep_seconds},
            timeout_seconds=target.deployment.drain_seconds + _EXTRA_SECONDS,
            on_failure="warn",
        ),
    ]
    return Rollout(tuple(steps), candidate=candidate, extra_instances=0 if warm else stable.wanted)


def bring_up(target: Target, live: LiveState, release: Release) -> Rollout:
    """Make the stable slot whole again and give it all traffic."""
    stable = live.stable
    if stable is None:
        raise RefusedError("nothing served before", code="nothing-to-bring-up", hints=("deploy: ospec run deploy",))
    steps = [
        *_start(target, release, stable.label, "stable"),
        Step(
            "switch",
            f"give slot {stable.label} all traffic",
            {"weights": {"stable": 100}},
            timeout_seconds=_SWITCH_SECONDS + target.deployment.drain_seconds,
        ),
        Step("verify", f"ask the front door until {release.name} answers", {"slot": "stable"}, timeout_seconds=60.0),
    ]
    return Rollout(tuple(steps), candidate=stable.label, in_place=True)


def _start(target: Target, release: Release, label: str, role: str) -> list[Step]:
    limit = target.startup_seconds + _EXTRA_SECONDS
    return [
        Step("rollback", f"start {release.name} in slot {label}", {"slot": role}, timeout_seconds=limit),
        Step("health", f"wait until slot {label} is healthy", {"slot": role}, timeout_seconds=limit),
    ]


def _scripted_rollback() -> Step:
    return Step("delegate", "run scripts.rollback", {"scripts": ["rollback"]}, timeout_seconds=1800.0)


def _other(live: LiveState, stable: Slot) -> str:
    free = next((slot.label for slot in live.slots if slot.id != stable.id), None)
    return free or ("green" if stable.label == "blue" else "blue")


def _after(seconds: float) -> str:
    return f" after {seconds:g} s" if seconds > 0 else ""
