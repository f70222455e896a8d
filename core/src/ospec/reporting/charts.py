"""Charts as values: paths, ticks and texts that the templates write down as SVG. Nothing here knows HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import field, frozen

from ospec.reporting.axes import WIDTH, LinearScale, LogScale, Tick, TimeAxis
from ospec.reporting.intervals import Range


@frozen
class Shape:
    """One path of a chart."""

    path: str
    style: str
    """A class of the page's style sheet: a release's role and what it is (``candidate line``)."""


@frozen
class Hit:
    """A place that tells its numbers when it is pointed at."""

    x: float
    """Per cent."""
    width: float
    text: str


@frozen
class Table:
    """The same numbers to read."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@frozen(kw_only=True)
class Chart:
    """One chart on the run's time axis."""

    id: str
    title: str
    unit: str
    description: str
    """For those who cannot see it."""
    height: float
    shapes: tuple[Shape, ...] = ()
    ticks: tuple[Tick, ...] = ()
    labels: tuple[tuple[float, float, str], ...] = ()
    """(per cent across, pixels down, text)."""
    bound: tuple[float, str] | None = None
    """A line across: pixels down, and what it means."""
    legend: tuple[tuple[str, str, str], ...] = ()
    """(a release's role, its name, its number for the whole run)."""
    hits: tuple[Hit, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()


@frozen
class Interval:
    """A value with its band over a span of time."""

    begin: float
    end: float
    value: float
    range: Range = field(default=(0.0, None))


def line(intervals: Sequence[Interval], axis: TimeAxis, scale: LinearScale | LogScale) -> str:
    """A line that is level through each interval; it is interrupted where nothing is known."""
    parts, last = [], None
    for one in intervals:
        y = scale.y(one.value)
        joined = last is not None and abs(last - one.begin) < 1e-6
        parts.append(f"{'V' if joined else f'M{axis.x(one.begin):g} '}{y:g}H{axis.x(one.end):g}")
        last = one.end
    return "".join(parts)


def band(intervals: Sequence[Interval], axis: TimeAxis, scale: LinearScale | LogScale) -> str:
    """The bands of the intervals that are bounded on both sides."""
    return _bands([one for one in intervals if one.range[1] is not None], axis, scale)


def open_band(intervals: Sequence[Interval], axis: TimeAxis, scale: LinearScale | LogScale) -> str:
    """The bands of those that nothing bounds from above; they reach the top edge."""
    return _bands([one for one in intervals if one.range[1] is None], axis, scale)


def _bands(intervals: Sequence[Interval], axis: TimeAxis, scale: LinearScale | LogScale) -> str:
    return "".join(
        f"M{axis.x(one.begin):g} {scale.y(one.range[0]):g}H{axis.x(one.end):g}"
        f"V{0 if one.range[1] is None else scale.y(one.range[1]):g}H{axis.x(one.begin):g}Z"
        for one in intervals
    )


def area(begin: float, end: float, low: float, high: float, axis: TimeAxis, scale: LinearScale) -> str:
    """A rectangle from `low` to `high`."""
    return f"M{axis.x(begin):g} {scale.y(low):g}H{axis.x(end):g}V{scale.y(high):g}H{axis.x(begin):g}Z"


def y_ticks(scale: LinearScale | LogScale, label: Callable[[float], str]) -> tuple[Tick, ...]:
    """Ticks of an upright axis."""
    return tuple(Tick(scale.y(value), label(value)) for value in scale.values())


def hit(begin: float, end: float, text: str, axis: TimeAxis) -> Hit:
    """A place over a span of time."""
    x = axis.share(begin)
    return Hit(x, round(max(axis.share(end) - x, 100 / WIDTH), 3), text)
