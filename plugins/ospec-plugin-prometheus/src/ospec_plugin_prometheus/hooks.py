"""ospec's source of metrics from a Prometheus server: what it registers, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ospec.hookspecs import hookimpl
from ospec.models.context import MetricsContext, ObserveContext
from ospec.models.live import Measurement
from ospec.models.registration import MetricSource, SourceState
from ospec.models.target import Target

from ospec_plugin_prometheus.settings import NAME, PrometheusSettings


@hookimpl
def register_metric_sources() -> Iterable[MetricSource]:
    """Name the source."""
    return [MetricSource(NAME, PrometheusSettings, gauges, check)]


@hookimpl
def collect_metrics(ctx: MetricsContext) -> Iterable[Measurement]:
    """Ask Prometheus about the releases of the slots; the HTTP client is imported when this is first called."""
    from ospec_plugin_prometheus.collecting import collect

    return tuple(collect(ctx))


def gauges(target: Target) -> Sequence[str]:
    """The gauges that a target's queries bring, by name."""
    from ospec_plugin_prometheus.queries import queries_of

    return tuple(one.name for one in queries_of(target) if one.kind == "gauge")


def check(ctx: ObserveContext) -> SourceState:
    """Whether Prometheus takes the queries."""
    from ospec_plugin_prometheus.checking import check as ask

    return ask(ctx)
