"""`[plugins.judge-sequential]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import Attribute, field, frozen
from ospec.errors import DocumentError


def _within(low: float, high: float) -> Any:
    """A validator: strictly between two numbers, or every value of a table so."""

    def check(_: Any, attribute: Attribute[Any], value: Any) -> None:
        for name, one in value.items() if isinstance(value, Mapping) else [("", value)]:
            if isinstance(one, bool) or not isinstance(one, int | float) or not low < one < high:
                where = ".".join(part for part in ("plugins.judge-sequential", attribute.name, name) if part)
                raise DocumentError(f"expected a number between {low:g} and {high:g}, found {one!r}", where=where)

    return check


@frozen
class JudgeSettings:
    """How sure the judge has to be, and what matters."""

    alpha: float = field(default=0.01, validator=_within(0, 0.5))
    """The share of good rollouts that may be sent back wrongly: of whole rollouts, whatever the number of looks and
    metrics."""
    confidence: float = field(default=0.95, validator=_within(0.5, 1))
    """How sure *pass* is: at most one release in twenty that is worse than the margins allow ever gets it."""
    min_requests: int = field(default=50, validator=_within(0, 1e9))
    """Requests that the candidate must have answered before there is any verdict but *not enough data*."""
    guard_error_rate: float = field(default=0.05, validator=_within(0, 1))
    """Where no stable release serves beside it and the document gives no bound: the most errors, as a fraction."""
    effects: Mapping[str, float] = field(factory=dict, validator=_within(0, 1e9))
    """By metric, the smallest effect that matters. Errors: 0.001 more of all requests. Latency: 0.1 of the
    time. Gauges: 0.2 of the stable release's value."""
    margins: Mapping[str, float] = field(factory=dict, validator=_within(0, 1))
    """By metric, how much worse may pass. Errors: 0.02 of all requests. Latency: 0.1 of all answers at the stable
    median, half as much at its p95, a fifth at its p99 and beyond."""
    weights: Mapping[str, float] = field(factory=dict, validator=_within(0, 1e9))
    """By metric, its share of the evidence beside the others' (1 where nothing is said)."""
