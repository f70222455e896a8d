"""Scales of charts: where a moment or a number stands, and which ticks to write. Everything is drawn on these.

Across, charts are 1000 units wide and stretch with the page; down, a unit is a pixel.
"""

from __future__ import annotations

import math

from attrs import frozen

WIDTH = 1000.0
_STEPS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
)
_MOST_TICKS = 6


@frozen
class Tick:
    """A labelled place on an axis."""

    at: float
    """Per cent of the width, or pixels from the top."""
    label: str


def time_step(seconds: float, most: int) -> float:
    """The shortest usual step of which at most `most` fit into so many seconds."""
    found = next((step for step in _STEPS if seconds <= step * most), None)
    return found or math.ceil(seconds / most / 86400) * 86400


@frozen
class TimeAxis:
    """From the first to the last moment of a run, Unix seconds."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length; a run of no length gets a second."""
        return self.end - self.begin if self.end > self.begin else 1.0

    def share(self, at: float) -> float:
        """Where a moment stands, in per cent of the width; what lies outside stands at the edge."""
        return round(100.0 * min(max((at - self.begin) / self.seconds, 0.0), 1.0), 3)

    def x(self, at: float) -> float:
        """Where a moment stands in a chart's own units."""
        return round(self.share(at) * WIDTH / 100, 2)

    def ticks(self) -> list[Tick]:
        """Seconds since the run began, at most seven of them."""
        step = time_step(self.seconds, _MOST_TICKS)
        times = [step * number for number in range(int(self.seconds / step) + 1)]
        return [Tick(self.share(self.begin + at), elapsed(at, step)) for at in times]


def elapsed(seconds: float, step: float = 1.0) -> str:
    """``20 ms``, ``0.5 s``, ``40 s``, ``1:20 min``, ``2:00 h``, by their size."""
    if step < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if step < 1 else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02} h"


@frozen
class LinearScale:
    """From 0 at the bottom to `top`."""

    top: float
    height: float

    def y(self, value: float) -> float:
        """Pixels from the top; what is beyond stands at the edge."""
        return round(self.height * (1.0 - min(max(value / self.top, 0.0), 1.0)), 2)

    def values(self) -> list[float]:
        """Where ticks are wanted, 0 among them."""
        step = _nice(self.top / 3)
        return [step * number for number in range(int(self.top / step * (1 + 1e-9)) + 1)]


@frozen
class LogScale:
    """From `bottom` to `top`, both above 0; for evidence that grows by factors."""

    bottom: float
    top: float
    height: float

    def y(self, value: float) -> float:
        """Pixels from the top; what is beyond stands at the edge."""
        span = math.log(self.top / self.bottom)
        share = math.log(max(value, self.bottom) / self.bottom) / span
        return round(self.height * (1.0 - min(share, 1.0)), 2)

    def values(self) -> list[float]:
        """Powers of ten, a few of them."""
        first, last = math.ceil(math.log10(self.bottom) - 1e-9), math.floor(math.log10(self.top) + 1e-9)
        step = max(1, math.ceil((last - first) / 4))
        return [10.0**power for power in range(first, last + 1, step)]


def linear(highest: float, height: float) -> LinearScale:
    """A scale on which `highest` has room."""
    step = _nice(highest / 3) if highest > 0 else 1.0
    return LinearScale(math.ceil(highest / step * 2 - 1e-9) * step / 2 if highest > 0 else 1.0, height)


def _nice(number: float) -> float:
    """1, 2 or 5 times a power of ten, not below `number`."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= number * (1 - 1e-9))
