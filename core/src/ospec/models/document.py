"""The sections of `ospec.toml` and OSpec YAML, one class each: the single strict model of a document."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class SlotSettings:
    """`deployment.environments.<slot>`: one slot of a two-slot strategy."""

    url: str = ""
    instances: int | None = None


@frozen
class TrafficSwitching:
    """`deployment.traffic_switching`: what must hold before and after users move."""

    validation_checks: tuple[str, ...] = ()
    rollback_threshold_seconds: float = 0.0
    """The guard window: seconds of judging after 100 %, with automatic return."""


@frozen
class Deployment:
    """`deployment`: the strategy and its settings."""

    strategy: str = ""
    environments: Mapping[str, SlotSettings] = field(factory=dict)
    traffic_switching: TrafficSwitching = TrafficSwitching()
    keep_seconds: float = 3600.0
    """How long the old release stays warm after the run ends (alias `scale_down_delay`)."""
    drain_seconds: float = 30.0
    """How long open requests of a slot that loses its traffic may take before they are closed."""
