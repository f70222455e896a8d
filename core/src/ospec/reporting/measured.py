"""What judges were given, by release and interval: requests, errors and latency with their confidence bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import Factory, define, frozen

from ospec.models.live import Measurement
from ospec.models.measuring import quantile, usable
from ospec.reporting.axes import TimeAxis, time_step
from ospec.reporting.intervals import Range, error_band, quantile_band

SHARES = (0.5, 0.95, 0.99)
MOST_INTERVALS = 60
_LEAST_INTERVALS = 12
_ENOUGH_REQUESTS = 200.0
"""Intervals grow until each has about so many requests of the release that has fewest, where there is room."""
_COUNTERS = ("requests", "errors", "request_duration_ms")


@define
class Counted:
    """Sums of one release over one span of time. What nothing was measured of is None, never zero."""

    begin: float
    """Unix seconds."""
    end: float
    requests: float | None = None
    errors: float | None = None
    answers: float = 0.0
    _added: dict[float, float] = Factory(dict)
    """By upper bound in ms, the answers of that bucket."""

    def take(self, one: Measurement) -> None:
        """Add a measurement of this span."""
        if one.metric == "requests":
            self.requests = (self.requests or 0.0) + one.value
        elif one.metric == "errors":
            self.errors = (self.errors or 0.0) + one.value
        elif one.buckets:
            self.answers += max(one.value, one.buckets[-1][1])
            before = 0
            for bound, count in one.buckets:
                self._added[bound] = self._added.get(bound, 0) + count - before
                before = count

    @property
    def buckets(self) -> Sequence[tuple[float, float]]:
        """Cumulative, as in `ospec.models.measuring`."""
        total, rows = 0.0, []
        for bound in sorted(self._added):
            total += self._added[bound]
            rows.append((bound, total))
        return rows

    @property
    def error_rate(self) -> float | None:
        """A fraction; None where either count is missing."""
        if not self.requests or self.errors is None:
            return None
        return min(self.errors / self.requests, 1.0)

    @property
    def error_range(self) -> Range | None:
        """Confidence limits of the error rate."""
        if not self.requests or self.errors is None:
            return None
        return error_band(self.errors, self.requests)

    def quantile(self, share: float) -> float | None:
        """In ms; None without answers."""
        return quantile(self.buckets, self.answers, share)

    def quantile_range(self, share: float) -> Range | None:
        """Confidence limits of a quantile, in ms."""
        return quantile_band(self.buckets, self.answers, share) if self._added and self.answers else None


@frozen
class Traffic:
    """Both releases over the run."""

    seconds: float
    """The length of an interval."""
    series: Mapping[str, Sequence[Counted]]
    """By release, the intervals in which something was measured, in order."""
    totals: Mapping[str, Counted]
    """By release, everything within the run."""
    earlier_seconds: float
    """So much of the time before the run was told to the judge; it is not drawn."""


def traffic(looks: Iterable[Mapping[str, Any]], releases: Sequence[str], axis: TimeAxis) -> Traffic:
    """Every measurement of `releases` that the looks hold, once, of the sources that saw most."""
    found = _chosen(_once(looks, releases))
    first = min((one.at for rows in found.values() for one in rows), default=axis.begin)
    inside = {name: [one for one in rows if one.at + one.seconds > axis.begin] for name, rows in found.items()}
    seconds = _interval(inside, axis)
    series: dict[str, list[Counted]] = {}
    totals: dict[str, Counted] = {}
    for name, rows in inside.items():
        totals[name] = Counted(axis.begin, axis.end)
        intervals: dict[int, Counted] = {}
        for one in rows:
            number = int(max(one.at + one.seconds / 2 - axis.begin, 0.0) / seconds)
            begin = axis.begin + number * seconds
            intervals.setdefault(number, Counted(begin, begin + seconds)).take(one)
            totals[name].take(one)
        series[name] = [intervals[number] for number in sorted(intervals)]
    return Traffic(seconds, series, totals, max(0.0, axis.begin - first))


def _once(looks: Iterable[Mapping[str, Any]], releases: Sequence[str]) -> Iterable[Measurement]:
    """Bins repeat from look to look: metrics may come late, so each look asks for some seconds again."""
    seen = set()
    for look in looks:
        for row in look["given"].get("bins", ()):
            key = (row["metric"], row["release"], row["source"], row["at"])
            if row["metric"] not in _COUNTERS or row["release"] not in releases or key in seen:
                continue
            buckets = tuple((float(bound), int(count)) for bound, count in row.get("buckets", ()))
            one = Measurement(*key, row["value"], row.get("seconds", 1.0), buckets)
            if usable(one):
                seen.add(key)
                yield one


def _chosen(measured: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """By release; of each metric those of the source that saw most, errors of the source of the requests."""
    series: dict[str, dict[str, dict[str, list[Measurement]]]] = {}
    for one in measured:
        series.setdefault(one.release, {}).setdefault(one.metric, {}).setdefault(one.source, []).append(one)
    found = {}
    for release, metrics in sorted(series.items()):
        best = {
            metric: max(sorted(by), key=lambda source, by=by: sum(one.value for one in by[source]))  # type: ignore[misc]
            for metric, by in metrics.items()
        }
        best["errors"] = best.get("requests", "")
        found[release] = [one for metric, by in metrics.items() for one in by.get(best[metric], ())]
    return found


def _interval(inside: Mapping[str, Sequence[Measurement]], axis: TimeAxis) -> float:
    seconds = max(1.0, time_step(axis.seconds, MOST_INTERVALS))
    requests = [sum(one.value for one in rows if one.metric == "requests") for rows in inside.values()]
    spans = [len({one.at for one in rows if one.metric == "requests"}) for rows in inside.values()]
    rate = min((all_of / span for all_of, span in zip(requests, spans, strict=True) if span), default=0.0)
    while rate * seconds < _ENOUGH_REQUESTS and axis.seconds / (longer := _longer(seconds)) >= _LEAST_INTERVALS:
        seconds = longer
    return seconds


def _longer(seconds: float) -> float:
    return time_step(seconds * 1.001, 1)
