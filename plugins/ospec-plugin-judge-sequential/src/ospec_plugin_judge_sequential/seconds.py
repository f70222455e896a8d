"""From bins to seconds that both releases have told of, each counted once. The memory of a metric is small JSON.

A second is closed once both releases told of it or a later one was seen. A bin that is not newer than the last of its
source and release was counted already, and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from ospec.models.judging import JudgedMetric

from ospec_plugin_judge_sequential.rows import SECONDS, Row, Series, plus, read, size

CANDIDATE, STABLE = 0, 1
Sources = Mapping[str, Mapping[int, Series]]
"""Measurements by source, then release, then name."""


@frozen(kw_only=True)
class Memory:
    """What has to be remembered of one metric from look to look."""

    source: str = ""
    """The source that is judged: the one that saw most."""
    totals: Mapping[str, float] = field(factory=dict)
    """How much each source saw."""
    marks: Mapping[str, list[float | None]] = field(factory=dict)
    """By source, the time of the last bin of the candidate and of the stable release."""
    seen: tuple[float, float] = (0.0, 0.0)
    """How much the judged source saw of both, paired or not."""
    newest: int | None = None
    """The newest second seen, as a number of seconds (of blocks, for a gauge) since 1970."""
    open: Mapping[str, list[Row | None]] = field(factory=dict)
    """Rows of both in seconds that are not closed."""
    learned: Mapping[str, Any] = field(factory=dict)
    """For latency: the histogram of earlier stable answers, or the thresholds that came from it."""


Closed = list[tuple[Row | None, Row | None]]
"""Rows of the candidate and of the stable release, a pair for each closed second, oldest first."""


def close_seconds(metric: JudgedMetric, sources: Sources, memory: Memory, concurrent: bool) -> tuple[Closed, Memory]:
    """Take in what is new; give the seconds that are complete now, and what to remember."""
    totals, marks, fresh = dict(memory.totals), dict(memory.marks), {}
    for source, releases in sources.items():
        kept = list(marks.get(source, (None, None)))
        rows = [(at, release, row) for release, series in releases.items() for at, row in read(metric, series).items()]
        new = [one for one in rows if (mark := kept[one[1]]) is None or one[0] > mark]
        if new:
            for at, release, row in new:
                kept[release] = max(at, kept[release] or at)
                totals[source] = totals.get(source, 0.0) + size(metric, row)
            marks[source], fresh[source] = kept, sorted(new, key=lambda one: one[:2])
    source = max(totals, key=lambda name: (totals[name], name == memory.source), default="")
    opened = dict(memory.open) if source == memory.source else {}
    new = fresh.get(source, [])
    if source != memory.source and memory.newest is not None:  # the same seconds are not judged by two sources
        new = [one for one in new if math.floor(one[0] / SECONDS[metric.kind]) > memory.newest]
    seen = list(memory.seen)
    newest = memory.newest
    for at, release, row in new:
        second = math.floor(at / SECONDS[metric.kind])
        pair = list(opened.get(str(second), (None, None)))
        pair[release] = plus(pair[release], row)
        opened[str(second)] = pair
        newest = second if newest is None else max(newest, second)
        seen[release] += size(metric, row)
    done = sorted(
        (second for second, pair in opened.items() if _complete(metric, int(second), pair, newest, concurrent)), key=int
    )
    closed: Closed = [(opened[second][CANDIDATE], opened[second][STABLE]) for second in done]
    return closed, Memory(
        source=source,
        totals=totals,
        marks=marks,
        seen=(seen[CANDIDATE], seen[STABLE]),
        newest=newest,
        open={second: pair for second, pair in opened.items() if second not in done},
        learned=memory.learned,
    )


def _complete(metric: JudgedMetric, second: int, pair: list[Row | None], newest: int | None, concurrent: bool) -> bool:
    """Whether nothing more is expected of a second."""
    if newest is not None and second < newest:
        return True
    told = pair[CANDIDATE] is not None and (pair[STABLE] is not None or not concurrent)
    return told and metric.kind != "gauge"
