"""ospec's source of metrics from a Prometheus server: what it registers, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable

from ospec.hookspecs import hookimpl
from ospec.models.context import MetricsContext, ObserveContext
from ospec.models.live import Measurement
from ospec.models.registration import MetricSource, SourceState

from ospec_plugin_prometheus.settings import NAME, PrometheusSettings


@hookimpl
def register_metric_sources() -> Iterable[MetricSource]:
    """Name the source."""
    return [MetricSource(NAME, PrometheusSettings, check)]


@hookimpl
def collect_metrics(ctx: MetricsContext) -> Iterable[Measurement]:
    """Ask Prometheus about the releases of the slots; the HTTP client is imported when this is first called."""
    from ospec_plugin_prometheus.collecting import collect

    return tuple(collect(ctx))


def check(ctx: ObserveContext) -> SourceState:
    """Whether Prometheus takes the queries."""
    from ospec_plugin_prometheus.checking import check as ask

    return ask(ctx)
