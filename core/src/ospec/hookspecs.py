"""Every hook of ospec, typed. A plugin is a module (or object) with functions of these names under `@hookimpl`.

Operational hooks take one frozen context and are idempotent: called twice with the same context they change nothing
the second time and give the same answer. They raise `RetryableError` or `FatalError`; anything else is a bug of the
plugin. Registration hooks return records and are asked once. `on_event` is told and cannot stop a run.

The order in a run: ``register_*`` → ``observe`` → ``render`` → ``deploy`` → ``health_check`` → ``switch_traffic`` →
``health_check`` and ``collect_metrics`` while it judges → ``retire``; ``rollback`` and ``switch_traffic`` on failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

import pluggy

from ospec.models.context import (
    DeployContext,
    Event,
    HealthContext,
    LogsContext,
    MetricsContext,
    ObserveContext,
    RenderContext,
    RetireContext,
    RollbackContext,
    SwitchContext,
)
from ospec.models.live import (
    Deployment,
    HealthResult,
    LiveState,
    LogLine,
    Measurement,
    RenderedFile,
    TrafficState,
)
from ospec.models.registration import (
    Engine,
    Guardrail,
    Judge,
    MetricSource,
    Notifier,
    Platform,
    SecretProvider,
    StepContribution,
    StepKind,
    StoreKind,
    Strategy,
)

hookspec = pluggy.HookspecMarker("ospec")
hookimpl = pluggy.HookimplMarker("ospec")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def on_failure(what: Literal["stop", "warn"]) -> Callable[[_Function], _Function]:
    """Declare, below `hookimpl`, what a failure of a plugin that answers beside the platform does to the step.

    ``stop`` (the default) fails the step; ``warn`` journals the failure and goes on. A platform's own answer always
    stops.

    Example::

        @hookimpl
        @on_failure("warn")
        def switch_traffic(ctx):
            purge_cache(ctx.target)
    """

    def mark(function: _Function) -> _Function:
        function.ospec_on_failure = what  # type: ignore[attr-defined] # functions take any attribute
        return function

    return mark


# -- operational hooks -----------------------------------------------------------------------------------------------


@hookspec
def observe(ctx: ObserveContext) -> LiveState | None:
    """Say what is there now; change nothing.

    Called by the target's platform before every plan, `status` and return. Since 0.1.

    Example::

        @hookimpl
        def observe(ctx):
            return LiveState(slots=(), address=None)
    """


@hookspec
def render(ctx: RenderContext) -> Iterable[RenderedFile] | None:
    """Give the files that a release needs, as text with relative paths.

    The platform and any enabled plugin; the union is kept, two files at one path are an error naming both. Since 0.1.

    Example::

        @hookimpl
        def render(ctx):
            yield RenderedFile("ci/deploy.yml", "...")
    """


@hookspec
def deploy(ctx: DeployContext) -> Deployment | None:
    """Make `ctx.slot` run `ctx.release`. Moves no traffic where slots are separate.

    Called once per `deploy` step, again on resume. The platform answers with the slot it issued. Since 0.1.

    Example::

        @hookimpl
        def deploy(ctx):
            slot = start_instances(ctx.slot, ctx.release, ctx.files)
            return Deployment(slot)
    """


@hookspec
def health_check(ctx: HealthContext) -> Iterable[HealthResult] | None:
    """Ask every instance of `ctx.slot` once; the engine repeats. All must pass, and none at all is a failure.

    Since 0.1.

    Example::

        @hookimpl
        def health_check(ctx):
            yield HealthResult("GET /health", healthy=True, instance="web-0")
    """


@hookspec
def switch_traffic(ctx: SwitchContext) -> TrafficState | None:
    """Give each slot of `ctx.split` its share; return what was observed, once the data plane acknowledged it.

    The platform first, then others (a CDN purge), whose answers are not asked for. Since 0.1.

    Example::

        @hookimpl
        def switch_traffic(ctx):
            write_weights(ctx.split.weights)
            return TrafficState(read_weights())
    """


@hookspec
def collect_metrics(ctx: MetricsContext) -> Iterable[Measurement] | None:
    """Give one-second bins, each with its release and its source. No data is an empty answer, never zero.

    Since 0.1.

    Example::

        @hookimpl
        def collect_metrics(ctx):
            yield Measurement("requests", release="v2", source="proxy", at=1760000000.0, value=120)
    """


@hookspec
def rollback(ctx: RollbackContext) -> Deployment | None:
    """Make `ctx.release` able to serve in `ctx.slot` again; moves no traffic where slots are separate.

    The platform, then others (migrations). Also what repairs a stable slot that is not whole. Since 0.1.

    Example::

        @hookimpl
        def rollback(ctx):
            return Deployment(start_again(ctx.slot, ctx.release))
    """


@hookspec
def retire(ctx: RetireContext) -> None:
    """Drain and remove `ctx.slot`; with None, everything the platform holds for the target.

    Since 0.1.

    Example::

        @hookimpl
        def retire(ctx):
            stop_instances(ctx.slot)
    """


@hookspec
def logs(ctx: LogsContext) -> Iterable[LogLine] | None:
    """Give log lines of the instances; with `ctx.follow` go on until cancelled.

    Since 0.1.

    Example::

        @hookimpl
        def logs(ctx):
            yield LogLine("started", slot="blue", instance="web-0")
    """


# -- registration hooks ----------------------------------------------------------------------------------------------


@hookspec
def register_platforms() -> Iterable[Platform]:
    """Name the platforms this plugin brings. Since 0.1.

    Example::

        @hookimpl
        def register_platforms():
            return [Platform("heap", Capabilities(slots=True), aliases=("a heap of boxes",))]
    """
    return ()


@hookspec
def register_strategies() -> Iterable[Strategy]:
    """Name the strategies this plugin brings. Since 0.1.

    Example::

        @hookimpl
        def register_strategies():
            return [Strategy("all-at-once", plan=plan_all_at_once)]
    """
    return ()


@hookspec
def register_steps() -> Iterable[StepKind | StepContribution]:
    """Bring step kinds, and steps for the plans of others at an anchor. Since 0.1.

    Example::

        @hookimpl
        def register_steps():
            return [StepKind("ticket", run=open_ticket),
                    StepContribution("ticket", "before-exposure", steps=ticket_steps)]
    """
    return ()


@hookspec
def register_secret_providers() -> Iterable[SecretProvider]:
    """Bring providers for `secrets.provider`. Since 0.1.

    Example::

        @hookimpl
        def register_secret_providers():
            return [SecretProvider("box", schemes=("box",), resolve=open_box)]
    """
    return ()


@hookspec
def register_guardrails() -> Iterable[Guardrail]:
    """Say which protecting keys of the document this plugin enforces. Since 0.1.

    Example::

        @hookimpl
        def register_guardrails():
            return [Guardrail("lint", keys=("guardrails.lint",), check=check_lint)]
    """
    return ()


@hookspec
def register_notifiers() -> Iterable[Notifier]:
    """Bring channels for notices. Since 0.1.

    Example::

        @hookimpl
        def register_notifiers():
            return [Notifier("bell", notify=ring)]
    """
    return ()


@hookspec
def register_judges() -> Iterable[Judge]:
    """Bring judges. Since 0.1.

    Example::

        @hookimpl
        def register_judges():
            return [Judge("median", judge=by_median)]
    """
    return ()


@hookspec
def register_metric_sources() -> Iterable[MetricSource]:
    """Say of what plugin answers `collect_metrics` besides the platform, and how to check it. Since 0.1.

    Example::

        @hookimpl
        def register_metric_sources():
            return [MetricSource("thermometer", tells=lambda target: ("temperature",))]
    """
    return ()


@hookspec
def register_stores() -> Iterable[StoreKind]:
    """Bring stores for `[state]`. Since 0.1.

    Example::

        @hookimpl
        def register_stores():
            return [StoreKind("memory", open=open_memory)]
    """
    return ()


@hookspec
def register_engines() -> Iterable[Engine]:
    """Bring engines. Since 0.1.

    Example::

        @hookimpl
        def register_engines():
            return [Engine("fleet", execute=execute_on_fleet)]
    """
    return ()


# -- notices ---------------------------------------------------------------------------------------------------------


@hookspec
def on_event(ctx: Event) -> None:
    """Be told of every journal record; each plugin apart, and one that raises is reported and stops nothing.

    Since 0.1.

    Example::

        @hookimpl
        def on_event(ctx):
            print(ctx.kind, ctx.body)
    """
