"""What judges said, and the evidence that it rests on over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from attrs import frozen

from ospec.engine.journal import RunState
from ospec.reporting import charts
from ospec.reporting.axes import LogScale, TimeAxis, elapsed, linear
from ospec.reporting.charts import Chart, Interval, Shape
from ospec.reporting.words import VERDICTS, Word, word

MOST_COLUMNS = 240
MOST_VERDICTS = 40
MOST_FINDINGS = 12
_MOST_NUMBERS = 60
_MOST_CHARTS = 6
_GRAVITY = ("pass", "no-regression", "not-enough-data", "regress")
_HEIGHT = 100.0
Extreme = Callable[[Iterable[float]], float]


@frozen
class Told:
    """One look that is told in full."""

    step: str
    at: float
    number: int
    of: int
    """How many looks its step took."""
    judge: str
    phase: str
    word: Word
    sentence: str
    numbers: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, Word, str, tuple[tuple[str, str], ...]], ...]
    """(metric, outcome, sentence, numbers)."""
    left_out: int
    """Findings that are not told."""


@frozen
class Verdicts:
    """All looks of a run."""

    looks: int
    told: tuple[Told, ...]
    left_out: int
    """Changes of the outcome that are not told."""
    strip: tuple[charts.Hit, ...]
    """Outcomes over time."""
    strip_kinds: tuple[str, ...]
    charts: tuple[Chart, ...]


def verdicts(state: RunState, axis: TimeAxis) -> Verdicts:
    """The looks at which the outcome changed, and each step's last; every look's evidence in the charts."""
    changes = list(_changes(state))
    half = MOST_VERDICTS // 2
    kept = changes if len(changes) <= MOST_VERDICTS else changes[:half] + changes[-half:]
    looks = sorted((note["look"] for notes in state.notes.values() for note in notes if "look" in note), key=_at)
    strip, kinds = _strip(looks, axis)
    return Verdicts(
        looks=len(looks),
        told=tuple(_told(*one) for one in kept),
        left_out=len(changes) - len(kept),
        strip=strip,
        strip_kinds=kinds,
        charts=tuple(_evidence_charts(looks, axis)),
    )


def _at(look: Mapping[str, Any]) -> float:
    return float(look["at"])


def _changes(state: RunState) -> Iterator[tuple[str, int, int, Mapping[str, Any]]]:
    """(step, number, of how many, look); the same looks that `ospec show --explain` tells."""
    for step_id, notes in state.notes.items():
        looks = [note["look"] for note in notes if "look" in note]
        before = None
        for number, look in enumerate(looks, 1):
            if look["verdict"]["outcome"] != before or number == len(looks):
                yield step_id, number, len(looks), look
            before = look["verdict"]["outcome"]


def _told(step: str, number: int, of: int, look: Mapping[str, Any]) -> Told:
    verdict = look["verdict"]
    findings = sorted(verdict["findings"], key=lambda one: -_gravity(one["outcome"]))
    return Told(
        step,
        look["at"],
        number,
        of,
        look["judge"],
        look["given"].get("phase", ""),
        word(VERDICTS, verdict["outcome"]),
        verdict["sentence"],
        _numbers(verdict["numbers"]),
        tuple(
            (one["metric"], word(VERDICTS, one["outcome"]), one["sentence"], _numbers(one["numbers"]))
            for one in findings[:MOST_FINDINGS]
        ),
        max(0, len(findings) - MOST_FINDINGS),
    )


def _numbers(numbers: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{value:,.6g}") for name, value in list(numbers.items())[:_MOST_NUMBERS])


def _gravity(outcome: str) -> int:
    return _GRAVITY.index(outcome) if outcome in _GRAVITY else len(_GRAVITY)


def _columns(looks: Sequence[Mapping[str, Any]], axis: TimeAxis) -> list[list[Mapping[str, Any]]]:
    """Looks that share one of `MOST_COLUMNS` columns of a chart."""
    width = 100 / MOST_COLUMNS
    return [list(group) for _, group in groupby(looks, key=lambda look: int(axis.share(_at(look)) / width))]


def _strip(looks: Sequence[Mapping[str, Any]], axis: TimeAxis) -> tuple[tuple[charts.Hit, ...], tuple[str, ...]]:
    """The gravest outcome of each column, until the next one; equal ones in a row are one piece."""
    gravest = [max(own, key=lambda look: _gravity(look["verdict"]["outcome"])) for own in _columns(looks, axis)]
    pieces = [list(group) for _, group in groupby(gravest, key=lambda look: look["verdict"]["outcome"])]
    ends = [_at(piece[0]) for piece in pieces[1:]] + [min(axis.end, _at(looks[-1]) + 1.0)] if pieces else []
    made, kinds = [], []
    for piece, end in zip(pieces, ends, strict=True):
        said = word(VERDICTS, piece[0]["verdict"]["outcome"])
        begin = _at(piece[0])
        made.append(charts.hit(begin, end, f"{said.symbol} {said.text} from {elapsed(begin - axis.begin, 0.5)}", axis))
        kinds.append(said.kind)
    return tuple(made), tuple(kinds)


# -- evidence against its bound ---------------------------------------------------------------------------------------


def _evidence_charts(looks: Sequence[Mapping[str, Any]], axis: TimeAxis) -> Iterator[Chart]:
    """Of a judge that tells `evidence` and `needed_evidence`, those; else each metric's `value` and `bound`."""
    judges = dict.fromkeys(look["judge"] for look in looks)
    for place, judge in enumerate(judges):
        own = [look for look in looks if look["judge"] == judge]
        points = [(_at(look), look["verdict"]["numbers"]) for look in own]
        if any({"evidence", "needed_evidence"} <= set(numbers) for _, numbers in points):
            yield _evidence(f"evidence-{place}", judge, points, axis)
            continue
        metrics = dict.fromkeys(one["metric"] for look in own for one in look["verdict"]["findings"])
        for number, metric in enumerate(list(metrics)[:_MOST_CHARTS]):
            found = [
                (_at(look), one["numbers"])
                for look in own
                for one in look["verdict"]["findings"]
                if one["metric"] == metric
            ]
            if any({"value", "bound"} <= set(numbers) for _, numbers in found):
                yield _against_bound(f"bound-{place}-{number}", metric, judge, found, _extreme(own, metric), axis)


def _extreme(looks: Sequence[Mapping[str, Any]], metric: str) -> Extreme:
    """What is nearest to being bad: the highest, but where lower is worse."""
    told = [one for one in looks[-1]["given"].get("metrics", ()) if one["name"] == metric]
    return min if told and told[0].get("worse") == "lower" else max


def _evidence(key: str, judge: str, points: Sequence[tuple[float, Mapping[str, float]]], axis: TimeAxis) -> Chart:
    needed = max(numbers["needed_evidence"] for _, numbers in points if "needed_evidence" in numbers)
    known = [(at, numbers["evidence"]) for at, numbers in points if "evidence" in numbers]
    scale = LogScale(0.1, max(needed, 1.0) * 30, _HEIGHT)
    highest = max((value for _, value in known), default=0.0)
    return _chart(
        key,
        "Evidence that it is worse",
        f"e-value of {judge}, logarithmic",
        known,
        scale,
        (scale.y(needed), f"regress from {needed:,.4g}"),
        f"Evidence against the release over {len(known)} looks, at most {highest:,.4g}; "
        f"it is sent back from {needed:,.4g} on.",
        max,
        axis,
    )


def _against_bound(
    key: str,
    metric: str,
    judge: str,
    points: Sequence[tuple[float, Mapping[str, float]]],
    extreme: Extreme,
    axis: TimeAxis,
) -> Chart:
    known = [(at, numbers["value"]) for at, numbers in points if "value" in numbers]
    bound = next(numbers["bound"] for _, numbers in reversed(points) if "bound" in numbers)
    scale = linear(max([bound, *(value for _, value in known)]) * 1.1, _HEIGHT)
    said = f"{metric} over {len(known)} looks of {judge}, held against its bound {bound:.4g}."
    across = (scale.y(bound), f"bound {bound:.4g}")
    return _chart(key, metric, f"as {judge} saw it", known, scale, across, said, extreme, axis)


def _said(value: float) -> str:
    return f"{value:,.4g}"


def _chart(
    key: str,
    title: str,
    unit: str,
    points: Sequence[tuple[float, float]],
    scale: Any,
    bound: tuple[float, str],
    description: str,
    extreme: Extreme,
    axis: TimeAxis,
) -> Chart:
    """The extreme of each column: nothing that came near the bound is left out."""
    width = axis.seconds / MOST_COLUMNS
    columns: dict[int, list[tuple[float, float]]] = {}
    for at, value in points:
        columns.setdefault(int((at - axis.begin) / width), []).append((at, value))
    kept = [(own[0][0], extreme(value for _, value in own)) for own in columns.values()]
    ends = [at for at, _ in kept[1:]] + [min(axis.end, points[-1][0] + 1.0) if points else axis.end]
    intervals = [Interval(at, max(at, end), value) for (at, value), end in zip(kept, ends, strict=True)]
    most = max((len(own) for own in columns.values()), default=0)
    which = "lowest" if extreme is min else "highest"
    thinned = (f"each point is the {which} of up to {most} looks",) if most > 1 else ()
    return Chart(
        id=key,
        title=title,
        unit=unit,
        description=description,
        height=_HEIGHT,
        shapes=(Shape(charts.line(intervals, axis, scale), "evidence line"),),
        ticks=charts.y_ticks(scale, _said),
        bound=bound,
        hits=tuple(
            charts.hit(one.begin, one.end, f"{elapsed(one.begin - axis.begin, 0.5)}: {_said(one.value)}", axis)
            for one in intervals
        ),
        notes=thinned,
    )
