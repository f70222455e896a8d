"""What conditions can be about: the metrics, their units, and how each is read from sums of measurements."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Literal

from attrs import frozen

from ospec.models.measuring import Sums

Dimension = Literal["time", "fraction", "percent", "count", "value"]
UNITS: dict[Dimension, dict[str, float]] = {
    "time": {"": 1.0, "ms": 1.0, "s": 1000.0, "m": 60_000.0},
    "fraction": {"": 1.0, "%": 0.01},
    "percent": {"": 1.0, "%": 1.0},
    "count": {"": 1.0},
    "value": {"": 1.0, "%": 0.01, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
}
"""What one of a unit is worth. Times are milliseconds, shares fractions; `request-success-rate` is per cent."""
LEAST_REQUESTS = 20
"""Fewer are not enough for a rate; a quantile needs one answer beyond it besides (100 for p99)."""
_QUANTILE = re.compile(r"response_time_p(\d{1,2}(?:\.\d+)?)")
_NAMED: dict[str, Dimension] = {
    "error_rate": "fraction",
    "success_rate": "fraction",
    "request-success-rate": "percent",
    "request-duration": "time",
    "requests": "count",
    "errors": "count",
    "cpu_usage": "value",
    "memory_usage": "value",
}
QUANTILES = ("response_time_p50", "response_time_p90", "response_time_p95", "response_time_p99")
KNOWN = (*_NAMED, *QUANTILES)
"""Names to choose from; every other quantile is written in the same way."""


@frozen
class Metric:
    """A name in a condition."""

    name: str
    dimension: Dimension

    @property
    def share(self) -> float:
        """Of a time: which quantile of the answers it is, 0 to 1."""
        found = _QUANTILE.fullmatch(self.name)
        return float(found[1]) / 100.0 if found else 0.99  # request-duration is the p99


def metric_named(name: str, gauges: Collection[str] = ()) -> Metric | None:
    """The metric of a name, or None where there is none; `gauges` are names that sources of metrics bring."""
    if name in _NAMED:
        return Metric(name, _NAMED[name])
    if _QUANTILE.fullmatch(name):
        return Metric(name, "time")
    return Metric(name, "value") if name in gauges else None


def value_of(metric: Metric, sums: Sums) -> float | None:
    """The metric's number, or None where too little was seen to have one."""
    if metric.name in ("requests", "errors"):
        return sums.requests if metric.name == "requests" else sums.errors
    if metric.dimension in ("fraction", "percent"):
        rate = sums.error_rate if (sums.requests or 0.0) >= LEAST_REQUESTS else None
        if rate is None or metric.name == "error_rate":
            return rate
        return (1.0 - rate) * (100.0 if metric.dimension == "percent" else 1.0)
    if metric.dimension == "time":
        enough = max(LEAST_REQUESTS, math.ceil(round(1.0 / (1.0 - metric.share), 6)))
        return sums.quantile(metric.share) if sums.answers >= enough else None
    return sums.gauges.get(metric.name)


def written(metric: Metric, value: float) -> str:
    """A number as a person reads it."""
    if metric.dimension == "time":
        return f"{value:.4g} ms"
    if metric.dimension == "fraction":
        return f"{value * 100:.3g} %"
    return f"{value:.4g} %" if metric.dimension == "percent" else f"{value:.6g}"
