"""The ladder of latency: thresholds that come from earlier answers of the stable release, and how many are slower.

A threshold that is fixed before the answers it is held against makes "slower than it" a plain hit or miss, whatever the
shape of the latencies: doubled tails, two humps and wider spread all show on some rung.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ospec.models.measuring import Buckets, at_most, quantile

_QUANTILES = (0.5, 0.95, 0.99)
_BEYOND = 1.5
ANSWERS = 500
"""Of the stable release, before the thresholds are fixed."""

Rung = tuple[float, float]
"""A threshold, and the one that is far enough above it to matter; both are bounds of buckets, in ms."""


def rungs(buckets: Buckets, total: float, effect: float) -> tuple[Rung, ...]:
    """The four thresholds: q50, q95, q99 and 1.5 times q99, each at the next bound of a bucket."""
    bounds = [float(bound) for bound, _ in buckets]
    wanted = [quantile(buckets, total, share) or 0.0 for share in _QUANTILES]
    wanted.append(_BEYOND * wanted[-1])
    return tuple((low, _next(bounds, low * (1.0 + effect))) for low in (_next(bounds, one) for one in wanted))


def _next(bounds: Sequence[float], milliseconds: float) -> float:
    """The first bound that is not below, or the last one."""
    return bounds[min(bisect_left(bounds, milliseconds), len(bounds) - 1)]


def slower(buckets: Buckets, total: float, threshold: float) -> float:
    """How many of the answers took longer than a threshold."""
    return max(total - at_most(buckets, threshold), 0.0)
