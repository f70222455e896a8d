"""ospec's source of metrics from a Prometheus server: what it registers, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ospec.errors import DocumentError
from ospec.hookspecs import hookimpl, on_failure
from ospec.models.context import MetricsContext, ObserveContext
from ospec.models.live import Measurement
from ospec.models.registration import MetricSource, SourceState
from ospec.models.target import Target

from ospec_plugin_prometheus.settings import NAME, PrometheusSettings


@hookimpl
def register_metric_sources() -> Iterable[MetricSource]:
    """Name the source."""
    return [MetricSource(NAME, PrometheusSettings, tells, check)]


@hookimpl
@on_failure("warn")
def collect_metrics(ctx: MetricsContext) -> Iterable[Measurement]:
    """Ask Prometheus about the releases of the slots; the HTTP client is imported when this is first called."""
    from ospec_plugin_prometheus.collecting import collect

    return tuple(collect(ctx))


def tells(target: Target) -> Collection[str]:
    """What the queries measure; nothing where they are wrong, which `check` tells."""
    from ospec_plugin_prometheus.queries import measured

    try:
        return measured(target)
    except DocumentError:
        return ()


def check(ctx: ObserveContext) -> SourceState:
    """Whether Prometheus takes the queries."""
    from ospec_plugin_prometheus.checking import check as ask

    return ask(ctx)
