"""From bins to seconds that both releases have told of, each counted once. The memory of a metric is small JSON.

A second is closed once both releases told of it or a later one was seen. A bin that is not newer than the last of its
source and release was counted already, and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ospec.models.judging import JudgedMetric

from ospec_plugin_judge_sequential.rows import SECONDS, Row, Series, plus, read, size

CANDIDATE, STABLE = 0, 1
Sources = Mapping[str, Mapping[int, Series]]
"""Measurements by source, then release, then name."""


Marks = list[float | None]
"""The time of the last bin of the candidate and of the stable release."""
_NO_MARKS: Marks = [None, None]


class Memory(NamedTuple):
    """What has to be remembered of one metric from look to look."""

    source: str = ""
    """The source that is judged: the one that saw most."""
    totals: Mapping[str, float] = {}
    """How much each source saw."""
    marks: Mapping[str, Marks] = {}
    """By source, up to when its bins were counted."""
    seen: tuple[float, float] = (0.0, 0.0)
    """How much the judged source saw of both, paired or not."""
    newest: int | None = None
    """The newest second seen, as a number of seconds (of blocks, for a gauge) since 1970."""
    after: int | None = None
    """Seconds up to this one were another source's: none counts twice."""
    open: Mapping[str, list[Row | None]] = {}
    """Rows of both in seconds that are not closed."""
    learned: Mapping[str, Any] = {}
    """For latency: the histogram of earlier stable answers, or the thresholds that came from it."""


Closed = list[tuple[Row | None, Row | None]]
"""Rows of the candidate and of the stable release, a pair for each closed second, oldest first."""
_New = list[tuple[float, int, Row]]
"""(time of the bin, release, row)."""


def close_seconds(metric: JudgedMetric, sources: Sources, memory: Memory, concurrent: bool) -> tuple[Closed, Memory]:
    """Take in what is new; give the seconds that are complete now, and what to remember."""
    totals, marks = dict(memory.totals), dict(memory.marks)
    fresh: dict[str, _New] = {}
    for source, releases in sources.items():
        new, marks[source] = _new_rows(metric, releases, marks.get(source, _NO_MARKS))
        totals[source] = totals.get(source, 0.0) + sum(size(metric, row) for _, _, row in new)
        fresh[source] = new
    source = max(totals, key=lambda name: (totals[name], name == memory.source), default="")
    if source != memory.source:
        memory = memory._replace(open={}, after=memory.newest)
    opened, newest, seen = _opened(metric, memory, fresh.get(source, []))
    done = [second for second, pair in opened.items() if _complete(metric, int(second), pair, newest, concurrent)]
    closed: Closed = [(opened[second][CANDIDATE], opened[second][STABLE]) for second in sorted(done, key=int)]
    return closed, Memory(
        source=source,
        totals=totals,
        marks=marks,
        seen=seen,
        newest=newest,
        after=memory.after,
        open={second: pair for second, pair in opened.items() if second not in done},
        learned=memory.learned,
    )


def _new_rows(metric: JudgedMetric, releases: Mapping[int, Series], marks: Marks) -> tuple[_New, Marks]:
    """Rows of one source that are newer than its marks, oldest first; the new marks."""
    after = list(marks)
    new: _New = []
    for release, series in releases.items():
        mark = marks[release]
        for at, row in read(metric, series).items():
            if mark is None or at > mark:
                new.append((at, release, row))
                after[release] = max(at, after[release] or at)
    return sorted(new, key=lambda one: one[:2]), after


def _opened(
    metric: JudgedMetric, memory: Memory, new: _New
) -> tuple[dict[str, list[Row | None]], int | None, tuple[float, float]]:
    """Seconds that are not closed with the new rows in them, the newest second, and how much was seen of both."""
    opened, newest, seen = dict(memory.open), memory.newest, list(memory.seen)
    for at, release, row in new:
        second = math.floor(at / SECONDS[metric.kind])
        if memory.after is not None and second <= memory.after:
            continue
        pair = list(opened.get(str(second), (None, None)))
        pair[release] = plus(pair[release], row)
        opened[str(second)] = pair
        newest = second if newest is None else max(newest, second)
        seen[release] += size(metric, row)
    return opened, newest, (seen[CANDIDATE], seen[STABLE])


def _complete(metric: JudgedMetric, second: int, pair: list[Row | None], newest: int | None, concurrent: bool) -> bool:
    """Whether nothing more is expected of a second."""
    if newest is not None and second < newest:
        return True
    told = pair[CANDIDATE] is not None and (pair[STABLE] is not None or not concurrent)
    return told and metric.kind != "gauge"
