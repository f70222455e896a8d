"""Confidence bands of what was counted: pointwise, two-sided, at `CONFIDENCE`, for independent requests.

Error rates: Wilson's score interval (E. B. Wilson 1927; recommended by Brown, Cai and DasGupta 2001, *Interval
Estimation for a Binomial Proportion*). Quantiles: order statistics, whose ranks follow the binomial distribution (W. J.
Conover, *Practical Nonparametric Statistics*, 3.2; H. A. David and H. N. Nagaraja, *Order Statistics*, 7.1). Of a
histogram only the bucket of an order statistic is known, so the band reaches to that bucket's far edge: it is never too
narrow on that account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

CONFIDENCE = 0.95
_Z = 1.959963984540054
"""The normal distribution's quantile at 0.975."""
_TAIL = (1.0 - CONFIDENCE) / 2
_EXACT_BELOW = 400.0
"""Up to this variance ranks are counted exactly; beyond it a corrected normal approximation is right to a rank."""

Range = tuple[float, float | None]
"""From, to; None where nothing bounds it from above."""


def error_band(errors: float, requests: float) -> Range:
    """Where the error rate lies (fractions), `errors` of `requests` (more than 0) having failed."""
    errors = min(errors, requests)
    rate, square = errors / requests, _Z * _Z
    centre = rate + square / (2 * requests)
    spread = _Z * math.sqrt(rate * (1 - rate) / requests + square / (4 * requests * requests))
    scale = 1 + square / requests
    low = 0.0 if errors == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if errors == requests else min(1.0, (centre + spread) / scale)
    return low, high


@lru_cache(maxsize=8192)
def quantile_ranks(count: int, share: float) -> tuple[int, int | None]:
    """Ranks (from 1) of the order statistics between which the quantile lies; 0 and None where there is no such one."""
    variance = count * share * (1 - share)
    if variance > _EXACT_BELOW:
        skew = (_Z * _Z - 1) * (1 - 2 * share) / 6
        low = math.floor(count * share - _Z * math.sqrt(variance) + skew)
        high = math.ceil(count * share + _Z * math.sqrt(variance) + skew) + 1
        return max(low, 0), high if high <= count else None
    at_most = 0.0
    found = [0, count + 1]
    for rank in range(count + 1):
        if at_most <= _TAIL:
            found[0] = rank
        at_most += _chance(count, share, rank)
        if at_most >= 1 - _TAIL:
            found[1] = rank + 1
            break
    return found[0], found[1] if found[1] <= count else None


def _chance(count: int, share: float, hits: int) -> float:
    """The binomial distribution's probability of so many hits."""
    ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return math.exp(ways + hits * math.log(share) + (count - hits) * math.log1p(-share))


def quantile_band(buckets: Sequence[Sequence[float]], answers: float, share: float) -> Range:
    """Where a quantile lies (ms), by the histogram of `answers` answers (as in `ospec.models.measuring`)."""
    low_rank, high_rank = quantile_ranks(round(answers), share)
    low, high = 0.0, None
    for (below, count_below), (bound, count) in pairwise([(0.0, 0.0), *buckets]):
        if count_below < low_rank <= count:
            low = below
        if high_rank is not None and count_below < high_rank <= count:
            high = bound
    if buckets and low_rank > buckets[-1][1]:
        low = float(buckets[-1][0])
    return low, high
