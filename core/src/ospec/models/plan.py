"""What will be done, as data: made by pure functions, shown, hashed, approved, then executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from ospec.models.release import Release
from ospec.models.target import Target
from ospec.naming import digest

Action = Literal["deploy", "rollback", "up"]
When = Literal["always", "exposed", "stable-cold"]
"""When a step of the failure path runs: always; only after a step that exposes users had begun; only where the stable
slot has fewer ready instances than it should (and users were exposed)."""


@frozen
class Step:
    """One step. `kind` names a registered step kind; what it needs is in `params` (JSON values)."""

    kind: str
    title: str
    params: Mapping[str, Any] = field(factory=dict)
    timeout_seconds: float = 300.0
    on_failure: Literal["stop", "warn"] = "stop"
    when: When = "always"
    id: str = ""
    """Stable within the plan, such as ``07-switch``; given by the composition."""
    exposes_users: bool = False
    """Set by the composition from the step kind; what a strategy writes here is ignored."""
    reversible: bool = True
    """Set by the composition from the step kind."""
    plugin: str = ""
    """Who contributed it."""


@frozen
class Rollout:
    """A strategy's answer: the steps between "built" and "promoted", and which slots they mean."""

    steps: tuple[Step, ...]
    candidate: str = ""
    """Label of the slot the release goes into; the stable slot's for an in-place rollout."""
    in_place: bool = False
    """True where the stable slot itself is replaced (recreate, rolling)."""
    way_back: tuple[Step, ...] = ()
    """With `in_place`: how the release before is brought back, in an order that does no harm wherever the rollout
    stands; without it, it is started again as a whole."""
    extra_instances: int = 0
    """The most instances beyond the stable slot's at any time."""
    longest_exposure: tuple[tuple[float, float], ...] = ()
    """(percent of users on the candidate, seconds) before it is judged good: the worst case."""
    notes: tuple[str, ...] = ()


@frozen
class Bounds:
    """What a plan cannot exceed."""

    longest_seconds: float
    """The steps' time limits, added up; approvals apart."""
    worst_exposure_percent_seconds: float
    """Percent of users × seconds on a release that is not yet judged good."""
    extra_instances: int


@frozen
class Plan:
    """The ordered steps of one run and its failure path, bound to the state it was made from."""

    action: Action
    target: Target
    release: Release
    previous: Release | None
    """The stable release the run returns to when it fails."""
    stable_slot: str
    """Id of the stable slot at planning time; empty before the first release."""
    candidate_slot: str
    """Label (and, on two-slot platforms, id) of the slot the release goes into."""
    steps: tuple[Step, ...]
    failure_steps: tuple[Step, ...]
    bounds: Bounds
    live_fingerprint: str
    notes: tuple[str, ...] = ()
    """Degradations and everything else a person should read before saying yes."""
    schema: str = "ospec.plan/1"

    @property
    def irreversible(self) -> tuple[Step, ...]:
        """The steps that nothing undoes."""
        return tuple(step for step in self.steps if not step.reversible)


def plan_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's JSON form: what approvals and `--plan FILE` are bound to."""
    return digest(document)
