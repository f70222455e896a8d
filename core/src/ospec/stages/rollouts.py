"""Rollouts that need no strategy: back to an earlier release, and bringing up again what should serve."""

from __future__ import annotations

from ospec.errors import RefusedError
from ospec.models import rollout_steps as steps
from ospec.models.live import LiveState, Slot
from ospec.models.plan import Rollout, Step
from ospec.models.registration import Capabilities
from ospec.models.release import Release
from ospec.models.target import Target


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
    return Rollout(
        (
            *([] if is_warm else steps.started_again(target, release.name, candidate, "candidate")),
            steps.switched(target, f"give {release.name} in slot {candidate} all traffic", {"candidate": 100}),
            steps.verified(f"{release.name} answers"),
            steps.retired(target, stable.label),
        ),
        candidate=candidate,
        extra_instances=0 if warm else stable.wanted,
    )


def bring_up(target: Target, live: LiveState, release: Release) -> Rollout:
    """Make the stable slot whole again and give it all traffic."""
    stable = live.stable
    if stable is None:
        raise RefusedError("nothing served before", code="nothing-to-bring-up", hints=("deploy: ospec run deploy",))
    return Rollout(
        (
            *steps.started_again(target, release.name, stable.label, "stable"),
            steps.switched(target, f"give slot {stable.label} all traffic", {"stable": 100}),
            steps.verified(f"{release.name} answers", "stable"),
        ),
        candidate=stable.label,
        in_place=True,
    )


def _scripted_rollback() -> Step:
    return Step("delegate", "run scripts.rollback", {"scripts": ["rollback"]}, timeout_seconds=1800.0)


def _other(live: LiveState, stable: Slot) -> str:
    free = next((slot.label for slot in live.slots if slot.id != stable.id), None)
    return free or ("green" if stable.label == "blue" else "blue")
