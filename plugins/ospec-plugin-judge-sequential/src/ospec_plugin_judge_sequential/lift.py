"""A cap on what one bin may say costs evidence; this gives back what it costs.

A factor that is cut at a cap has a mean below 1 while both releases are equally good. Multiplied by one over that mean
(and cut again) it is a fair bet still, and finds a bad release with a tenth to a fifth fewer requests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 4
"""Each one multiplies by what the one before left over; the mean stays below 1 after any number of them."""
_TERMS = 16
"""How much of the tail beyond the cap is summed; what is left out only makes the lift smaller."""
_LOG_FACTORIALS: Array = np.concatenate([np.zeros(1), np.cumsum(np.log(np.arange(1.0, 4096.0)))])
_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)


def lift(candidate: Array, stable: Array, hits: Array, log_ratio: Array, log_mean: Array, cap: float) -> Array:
    """Log of what each factor ``exp(x * log_ratio - log_mean)``, cut at ``exp(cap)``, may be multiplied by.

    `hits` of `candidate + stable` trials are hits; x of them are the candidate's, hypergeometric where the releases are
    equally good. With D the mean of what the cap cuts off and ``E factor <= 1``, the cut factor's mean is at most
    ``1 - D``. All arrays have one axis and one length.
    """
    gain = np.zeros_like(log_ratio)
    for _ in range(_ROUNDS):
        first = np.floor((cap - gain + log_mean) / log_ratio) + 1.0
        cut = _cut_off(candidate, stable, hits, log_ratio, log_mean, cap - gain, np.maximum(first, hits - stable))
        gain = -np.log1p(-np.minimum(cut, 0.999))
    return gain


def _cut_off(
    candidate: Array, stable: Array, hits: Array, log_ratio: Array, log_mean: Array, cap: Array, first: Array
) -> Array:
    """The mean of ``max(0, factor - exp(cap))``, summed from x = `first` on."""
    possible = first <= np.minimum(hits, candidate)
    x = np.where(possible, first, np.maximum(hits - stable, 0.0))
    chance = np.where(possible, np.exp(_log_chance(x, candidate, stable, hits)), 0.0)
    total = np.zeros_like(x)
    for _ in range(_TERMS):
        total += chance * np.maximum(np.exp(x * log_ratio - log_mean) - np.exp(cap), 0.0)
        left = np.maximum(candidate - x, 0.0) * np.maximum(hits - x, 0.0)
        chance = chance * left / ((x + 1.0) * np.maximum(stable - hits + x + 1.0, 1.0))
        x = x + 1.0
    return total


def _log_chance(x: Array, candidate: Array, stable: Array, hits: Array) -> Array:
    """Log of the hypergeometric chance that x of the hits are the candidate's."""
    ways = _log_choose(candidate, x) + _log_choose(stable, hits - x)
    return np.asarray(ways - _log_choose(candidate + stable, hits))


def _log_choose(n: Array, k: Array) -> Array:
    return _log_factorial(n) - _log_factorial(k) - _log_factorial(n - k)


def _log_factorial(n: Array) -> Array:
    """Log of n!, from a table or by Stirling's series, whose error is below 1e-13 where the table ends."""
    large = np.maximum(n, _LOG_FACTORIALS.size)
    series = (large + 0.5) * np.log(large) - large + _HALF_LOG_TWO_PI + 1.0 / (12.0 * large)
    known = _LOG_FACTORIALS[np.minimum(n, _LOG_FACTORIALS.size - 1).astype(np.intp)]
    return np.asarray(np.where(n < _LOG_FACTORIALS.size, known, series))
