"""ospec's local platform: what it registers, and what it answers to each hook."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve
from ospec.hookspecs import hookimpl
from ospec.models.context import (
    DeployContext,
    HealthContext,
    LogsContext,
    MetricsContext,
    ObserveContext,
    RetireContext,
    RollbackContext,
    SwitchContext,
)
from ospec.models.live import Deployment, HealthResult, LiveState, LogLine, Measurement, TrafficState
from ospec.models.registration import Capabilities, Platform

from ospec_plugin_local.settings import LocalSettings, stop_seconds


@hookimpl
def register_platforms() -> Iterable[Platform]:
    """Name the platform."""
    able = Capabilities(
        slots=True,
        weighted_traffic=True,
        header_routing=True,
        sticky_sessions=True,
        maintenance=True,
        batches=True,
        release_header=True,
        instances=True,
        metrics=True,
    )
    names = ("localhost", "this machine")
    return [Platform("local", able, aliases=names, settings=LocalSettings, stop_seconds=stop_seconds)]


@hookimpl
def observe(ctx: ObserveContext) -> LiveState:
    """Look at slots, traffic and processes, and for what is in the way of a deploy."""
    from ospec_plugin_local.observation import observe as look
    from ospec_plugin_local.obstacles import obstacles
    from ospec_plugin_local.place import place_of

    place = place_of(ctx.home, ctx.target)
    return evolve(look(place), obstacles=tuple(obstacles(place, ctx.target)))


@hookimpl
def deploy(ctx: DeployContext) -> Deployment:
    """Start the release's instances in the slot."""
    from ospec_plugin_local.platform import make_able

    return make_able(ctx)


@hookimpl
def health_check(ctx: HealthContext) -> Iterable[HealthResult]:
    """Ask every instance at its own port."""
    from ospec_plugin_local.health import check

    return check(ctx)


@hookimpl
def switch_traffic(ctx: SwitchContext) -> TrafficState:
    """Tell the proxy the shares, and wait until it serves them."""
    from ospec_plugin_local.platform import switch

    return switch(ctx)


@hookimpl
def collect_metrics(ctx: MetricsContext) -> Iterable[Measurement]:
    """Tell what the proxy counted."""
    from ospec_plugin_local.metrics import collect

    return tuple(collect(ctx))


@hookimpl
def rollback(ctx: RollbackContext) -> Deployment:
    """Have the release run in the slot again."""
    from ospec_plugin_local.platform import make_able

    return make_able(ctx)


@hookimpl
def retire(ctx: RetireContext) -> None:
    """End a slot's instances, or everything."""
    from ospec_plugin_local.platform import retire as take_away

    take_away(ctx)


@hookimpl
def logs(ctx: LogsContext) -> Iterable[LogLine]:
    """Give what the instances print."""
    from ospec_plugin_local.logs import read

    return read(ctx)
