"""From raw samples of counters to what happened in each bin. Pure.

A bin is a stretch of `width` seconds on a grid that all releases share; what a scrape found goes into the bin of the
scrape. A counter that falls was started anew, and has counted from zero since.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from ospec.models.measuring import merged

from ospec_plugin_prometheus.answers import Series

Scrapes = Mapping[tuple[str, str], frozenset[float]]
"""When each target, (job, instance), was scraped."""
Bins = dict[int, float]
Buckets = list[list[float]]


def scrapes_of(series: Iterable[Series]) -> Scrapes:
    """Of counters of one release: when their targets were scraped."""
    found: dict[tuple[str, str], set[float]] = {}
    for one in series:
        found.setdefault(_target(one), set()).update(at for at, _ in one.points)
    return {target: frozenset(times) for target, times in found.items()}


def _target(one: Series) -> tuple[str, str]:
    return one.labels.get("job", ""), one.labels.get("instance", "")


def increases(one: Series, scrapes: Scrapes) -> Iterator[tuple[float, float]]:
    """(time of a scrape, how much was counted since the one before).

    The first sample tells nothing, since nobody knows from when it counts, unless its target was scraped before and did
    not have the series: then it was born in between, at zero. (An error's series often begins with the first error.)
    """
    first, value = one.points[0]
    if _born(one, scrapes.get(_target(one), frozenset())):
        yield first, value
    for (_, before), (at, now) in zip(one.points, one.points[1:], strict=False):
        yield at, now - before if now >= before else now


def _born(one: Series, scraped: frozenset[float]) -> bool:
    """Whether it is in every scrape from its first one on, and not in one before: else the times are not scrapes'."""
    first, last = one.points[0][0], one.points[-1][0]
    since = {at for at in scraped if first <= at <= last}
    others = any(at < first for at in scraped)
    return bool(one.labels.get("instance")) and others and since == {at for at, _ in one.points}


def counted(series: Sequence[Series], scrapes: Scrapes, width: float) -> Bins:
    """What was counted in each bin, all series together."""
    bins: Bins = {}
    for one in series:
        for at, more in increases(one, scrapes):
            bins[math.floor(at / width)] = bins.get(math.floor(at / width), 0.0) + more
    return bins


def histograms(
    series: Sequence[Series], scrapes: Scrapes, width: float, unit_ms: float
) -> dict[int, tuple[float, Buckets]]:
    """By bin: how many answers, and cumulative buckets in ms. Histograms of several bounds add up by `merged`."""
    groups: dict[tuple[tuple[str, str], ...], dict[float, Bins]] = {}
    for one in series:
        bound = _bound(one)
        if bound is not None:
            labels = tuple(sorted((name, value) for name, value in one.labels.items() if name != "le"))
            groups.setdefault(labels, {})[bound] = counted([one], scrapes, width)
    found: dict[int, tuple[float, Buckets]] = {}
    for bounds in groups.values():
        total = bounds.pop(math.inf, None)
        for place, answers in (total or {}).items():
            before = found.get(place, (0.0, []))
            found[place] = before[0] + round(answers), merged(before[1], _cumulative(bounds, place, answers, unit_ms))
    return found


def _bound(one: Series) -> float | None:
    try:
        return float(one.labels["le"])
    except (KeyError, ValueError):
        return None


def _cumulative(bounds: Mapping[float, Bins], place: int, answers: float, unit_ms: float) -> Buckets:
    """Growing counts, whatever rounding did to single buckets."""
    buckets: Buckets = []
    most = 0.0
    for bound in sorted(bounds):
        most = min(max(most, round(bounds[bound].get(place, 0.0))), round(answers))
        buckets.append([float(f"{bound * unit_ms:.9g}"), most])
    return buckets


def means(one: Series, width: float, later: float = 0.0) -> Bins:
    """Of a gauge: the mean of its samples in each bin; each tells of the time `later` seconds before."""
    rows: dict[int, list[float]] = {}
    for at, value in one.points:
        rows.setdefault(math.floor((at - later) / width), []).append(value)
    return {place: sum(values) / len(values) for place, values in rows.items()}


def usual_gap(series: Iterable[Series]) -> float | None:
    """Seconds from one sample to the next, as a rule; None where nothing has two."""
    gaps = [later - at for one in series for (at, _), (later, _) in zip(one.points, one.points[1:], strict=False)]
    return median(gaps) if gaps else None
