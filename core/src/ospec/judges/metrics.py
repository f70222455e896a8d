"""What a release is judged by: the document's metrics with their bounds, in the words of judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from ospec.conditions.metrics import metric_named
from ospec.models.judging import JudgedMetric
from ospec.models.target import Target

ERRORS = JudgedMetric(name="error_rate", kind="errors")
LATENCY = JudgedMetric(name="request_duration", kind="latency")


def judged_metrics(target: Target) -> tuple[JudgedMetric, ...]:
    """Errors and latency always, with the bounds of `deployment.analysis.metrics` and `monitoring.metrics`.

    Where both name a metric, the stricter bound holds. Any other name is a gauge of a source of metrics.
    """
    found = {ERRORS.name: ERRORS, LATENCY.name: LATENCY}
    for one in [*_of_analysis(target), *_of_monitoring(target)]:
        before = found.get(one.name)
        found[one.name] = _stricter(before, one) if before else one
    return tuple(found.values())


def _of_analysis(target: Target) -> Iterator[JudgedMetric]:
    for metric in target.deployment.analysis.metrics:
        low, high = metric.threshold_range.min, metric.threshold_range.max
        if metric.name == "request-success-rate":
            bound = None if low is None else max(0.0, 1.0 - low / 100.0)
            yield evolve(ERRORS, bound=bound)
        elif low is not None and high is None:
            yield JudgedMetric(name=metric.name, kind="gauge", worse="lower", bound=float(low), needed=False)
        else:
            yield _at_most(metric.name, high)


def _of_monitoring(target: Target) -> Iterator[JudgedMetric]:
    section: Mapping[str, Any] = target.extra.get("monitoring") or {}
    for metric in section.get("metrics") or ():
        yield _at_most(str(metric["name"]), float(metric["threshold"]))


def _at_most(name: str, most: float | None) -> JudgedMetric:
    """A metric that may not be more than `most`: a fraction, milliseconds, or a gauge's own unit."""
    bound = None if most is None else float(most)
    known = metric_named(name)
    if name == "error_rate":
        return evolve(ERRORS, bound=bound)
    if known and known.dimension == "time":
        return evolve(
            LATENCY, name=LATENCY.name if known.share == LATENCY.quantile else name, bound=bound, quantile=known.share
        )
    return JudgedMetric(name=name, kind="gauge", bound=bound, needed=False)


def _stricter(one: JudgedMetric, other: JudgedMetric) -> JudgedMetric:
    if one.bound is None or other.bound is None:
        return other if one.bound is None else one
    looser_is_more = one.worse == "higher"
    return min(one, other, key=lambda metric: (metric.bound or 0.0) * (1 if looser_is_more else -1))
