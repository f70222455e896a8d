"""A condition that was read, and what it says of measurements: true, false, or not enough data."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from attrs import frozen

from ospec.conditions.metrics import Metric, value_of, written
from ospec.models.measuring import Sums

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@frozen
class Comparison:
    """``error_rate > 5%``: the bound is in the metric's own unit."""

    metric: Metric
    sign: str
    bound: float


@frozen
class Not:
    """The opposite."""

    part: Node


@frozen
class Both:
    """Several, joined by one word."""

    word: Literal["and", "or"]
    parts: tuple[Node, ...]


Node = Comparison | Not | Both


@frozen
class Answer:
    """What a condition says of measurements."""

    holds: bool | None
    """None: not enough data to tell."""
    seen: Mapping[str, float | None]
    """The number of each metric, in its own unit; None where there was too little of it."""
    sentence: str
    """For a person, such as ``error_rate is 7.1 %``."""


@frozen
class Condition:
    """A condition as it was written, and as it was read."""

    text: str
    node: Node

    def answer(self, sums: Sums) -> Answer:
        """Hold it against measurements.

        What is not known stays so unless the rest settles it: ``x or y`` holds where x does, whatever y would be.
        """
        metrics = {one.metric.name: one.metric for one in comparisons(self.node)}
        seen = {name: value_of(metric, sums) for name, metric in metrics.items()}
        words = [
            f"{name}: not enough data" if (value := seen[name]) is None else f"{name} is {written(metric, value)}"
            for name, metric in metrics.items()
        ]
        return Answer(_holds(self.node, seen), seen, ", ".join(words))


def comparisons(node: Node) -> Iterator[Comparison]:
    """Every comparison in a condition, as written."""
    if isinstance(node, Comparison):
        yield node
    else:
        for part in (node.part,) if isinstance(node, Not) else node.parts:
            yield from comparisons(part)


def _holds(node: Node, seen: Mapping[str, float | None]) -> bool | None:
    """Kleene's three-valued logic."""
    if isinstance(node, Comparison):
        value = seen[node.metric.name]
        return None if value is None else COMPARE[node.sign](value, node.bound)
    if isinstance(node, Not):
        inner = _holds(node.part, seen)
        return None if inner is None else not inner
    settles = node.word == "or"
    answers = [_holds(part, seen) for part in node.parts]
    if settles in answers:
        return settles
    return None if None in answers else not settles
