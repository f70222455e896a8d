"""`stack.deploy = "script"`: the user's own scripts are the rollout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ospec.hookspecs import hookimpl
from ospec.models.context import HealthContext, ObserveContext
from ospec.models.live import HealthResult, LiveState
from ospec.models.registration import Capabilities, Platform, Strategy

from ospec_plugin_script.rollout import plan_script


@hookimpl
def register_platforms() -> Iterable[Platform]:
    """Name the platform that is nothing but scripts."""
    return [Platform("script", Capabilities(scripted=True), aliases=("scripts", "custom script"))]


@hookimpl
def register_strategies() -> Iterable[Strategy]:
    """Name the one strategy that such a platform knows."""
    return [Strategy("script", plan_script, needs=("scripted",))]


@hookimpl
def observe(ctx: ObserveContext) -> LiveState:
    """Scripts tell nothing of what runs: the state is always empty."""
    return LiveState()


@hookimpl
def health_check(ctx: HealthContext) -> Sequence[HealthResult]:
    """Nothing but `scripts.health_check` knows, and the `delegate` step runs it."""
    return ()
