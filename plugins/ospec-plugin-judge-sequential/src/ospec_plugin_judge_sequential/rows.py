"""Measurements of one release and source as rows: what one bin tells of one metric. Rows are JSON and add up.

An errors row is ``[requests, errors]``, a latency row ``[answers, buckets]``, a gauge row ``[sum, count]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ospec.models.judging import JudgedMetric
from ospec.models.live import Measurement
from ospec.models.measuring import merged

Row = list[Any]
Series = Mapping[str, Sequence[Measurement]]
"""Measurements by the name that they carry."""

SECONDS = {"errors": 1.0, "latency": 1.0, "gauge": 5.0}
"""How much time is one piece of evidence. A burst of errors lasts a second, a gauge changes slowly."""


def names_of(metric: JudgedMetric) -> tuple[str, ...]:
    """What the measurements of a metric are called."""
    if metric.kind == "errors":
        return ("requests", "errors")
    return ("request_duration_ms",) if metric.kind == "latency" else (metric.name,)


def read(metric: JudgedMetric, series: Series) -> dict[float, Row]:
    """Rows by the time of their bin; of a repeated measurement the first counts.

    Requests count once their errors are told, too: a series that is late is not a series of zeros.
    """
    first = _once(series, names_of(metric)[0])
    if metric.kind == "gauge":
        return {at: [one.value, 1] for at, one in first.items()}
    if metric.kind == "latency":
        return {at: _histogram(one) for at, one in first.items() if one.buckets}
    errors = _once(series, "errors")
    return {
        at: [float(round(one.value)), float(round(min(errors[at].value, one.value)))]
        for at, one in first.items()
        if at in errors
    }


def _once(series: Series, name: str) -> dict[float, Measurement]:
    return {one.at: one for one in reversed(series.get(name, ()))}


def _histogram(one: Measurement) -> Row:
    buckets = [[float(bound), int(count)] for bound, count in one.buckets]
    return [float(max(round(one.value), buckets[-1][1])), buckets]


def plus(one: Row | None, other: Row) -> Row:
    """Both bins together."""
    if one is None:
        return other
    if isinstance(other[1], list):
        return [one[0] + other[0], merged(one[1], other[1])]
    return [one[0] + other[0], one[1] + other[1]]


def size(metric: JudgedMetric, row: Row) -> float:
    """How much a row saw: requests, answers or values."""
    return float(row[1] if metric.kind == "gauge" else row[0])
