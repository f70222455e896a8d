"""Sums of measurements: rates, and quantiles from the buckets of histograms. Pure; times are milliseconds."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from attrs import field, frozen

from ospec.models.live import Measurement

Buckets = Sequence[Sequence[float]]
"""Pairs of (upper bound in ms, count of answers at most that long), both growing."""


def usable(one: Measurement) -> bool:
    """Whether its numbers are numbers, and no counter runs backwards."""
    counter = one.metric in ("requests", "errors", "request_duration_ms")
    return math.isfinite(one.at) and math.isfinite(one.value) and not (counter and one.value < 0)


def at_most(buckets: Buckets, milliseconds: float) -> float:
    """How many answers took at most so long: the count at the last bound that is not beyond it."""
    found = bisect_right(buckets, milliseconds, key=lambda pair: pair[0])
    return float(buckets[found - 1][1]) if found else 0.0


def compact(buckets: Buckets) -> tuple[tuple[float, int], ...]:
    """The same histogram without the bounds between two that say the same: no count and no quantile changes."""
    counts = [count for _, count in buckets]
    last = len(counts) - 1
    return tuple(
        (float(bound), int(count))
        for at, (bound, count) in enumerate(buckets)
        if count != (counts[at - 1] if at else 0) or (at < last and counts[at + 1] != count)
    )


def merged(one: Buckets, other: Buckets) -> list[list[float]]:
    """The buckets of both together, at every bound that one of them has."""
    bounds = sorted({float(pair[0]) for pair in (*one, *other)})
    return [[bound, at_most(one, bound) + at_most(other, bound)] for bound in bounds]


def quantile(buckets: Buckets, total: float, share: float) -> float | None:
    """The time that `share` (0 to 1) of `total` answers did not exceed, by interpolation within its bucket.

    None without answers. Where it lies beyond the last bound, that bound: it is at least so long.
    """
    if total <= 0 or not buckets:
        return None
    wanted, below, count_below = share * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted and count > count_below:
            return below + (bound - below) * max(wanted - count_below, 0.0) / (count - count_below)
        below, count_below = bound, count
    return below


@frozen
class Sums:
    """What measurements of one release add up to. What nothing was measured of is None: never zero."""

    requests: float | None = None
    errors: float | None = None
    answers: float = 0.0
    """Answers whose time was measured."""
    buckets: Buckets = ()
    gauges: dict[str, float] = field(factory=dict)
    """Mean value of everything else, by metric."""

    @property
    def error_rate(self) -> float | None:
        """Errors as a fraction of requests; None without requests."""
        if not self.requests or self.errors is None:
            return None
        return min(self.errors / self.requests, 1.0)

    def quantile(self, share: float) -> float | None:
        """A quantile of the durations in ms; None without answers."""
        return quantile(self.buckets, self.answers, share)


def sums(bins: Iterable[Measurement], release: str) -> Sums:
    """Add up one release's measurements; of each metric, those of the source that saw most.

    A measurement given twice counts once. Errors count where requests come from the same source.
    """
    kept: dict[tuple[str, str, float], Measurement] = {}
    for one in bins:
        if one.release == release and usable(one):
            kept.setdefault((one.metric, one.source, one.at), one)
    series: dict[str, dict[str, list[Measurement]]] = {}
    for one in kept.values():
        series.setdefault(one.metric, {}).setdefault(one.source, []).append(one)
    seen = {
        metric: {source: sum(o.value for o in rows) for source, rows in by.items()} for metric, by in series.items()
    }
    best = {metric: max(sorted(by), key=by.__getitem__) for metric, by in seen.items()}
    source = best.get("requests", "")
    timed = series.get("request_duration_ms", {}).get(best.get("request_duration_ms", ""), [])
    buckets: Buckets = ()
    for one in timed:
        buckets = merged(buckets, one.buckets)
    counters = ("requests", "errors", "request_duration_ms")
    gauges = {metric: max(by.values(), key=len) for metric, by in series.items() if metric not in counters}
    return Sums(
        requests=seen["requests"][source] if "requests" in seen else None,
        errors=seen.get("errors", {}).get(source),
        answers=sum(max(one.value, one.buckets[-1][1] if one.buckets else 0.0) for one in timed if one.buckets),
        buckets=buckets,
        gauges={metric: sum(one.value for one in rows) / len(rows) for metric, rows in gauges.items()},
    )
