"""The arithmetic: how much one bin speaks against a release, and for it. Arrays in, arrays out.

All is an e-value: a number that is 1 at first, has a mean of at most 1 after every bin while the hypothesis it is held
against is true, and so reaches 1/alpha with a probability of at most alpha, whenever one looks (Ville 1939; Ramdas,
Grünwald, Vovk, Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference"). Logarithms are natural.

Each comparison is tried with several sizes at once and their mean counts, a mixture as in Robbins 1970 ("Statistical
methods related to the law of the iterated logarithm") and Johari et al. 2022 ("Always valid inference").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ospec_plugin_judge_sequential.lift import lift

Array = NDArray[np.float64]

RISKS: Array = np.array([1.5, 2.2, 3.2, 6.0, 30.0])
"""How many times as likely a hit may be on a bad release: the sizes that are tried."""
LOG_RISK_WEIGHTS: Array = np.log([0.05, 0.25, 0.4, 0.2, 0.1])
CHANCES: Array = np.array([0.9, 0.75, 0.5, 0.3, 0.1])
"""The other way round: how much less likely a hit may be on a good release than on one at its margin."""
LOG_CHANCE_WEIGHTS: Array = np.full(CHANCES.size, -np.log(CHANCES.size))


@frozen(eq=False)
class Counts:
    """Trials and hits (an error, a slow answer, a worse second) of both releases; arrays of one shape."""

    candidate: Array
    candidate_hits: Array
    stable: Array
    stable_hits: Array
    far: Array
    """Hits of the candidate that are bad enough to matter."""


def growth(hits: Any, trials: Any, share: Any, ratios: Array) -> Array:
    """Log of the likelihood ratio of `hits` among `trials`, at each ratio of odds, against a share of `share`.

    The mean of ``ratio ** hits / (1 + share * (ratio - 1)) ** trials`` is at most 1 where each trial is a hit with a
    chance of at most `share` (for ratios above 1; at least `share` for ratios below). It holds for hits drawn without
    replacement, too (Hoeffding 1963, theorem 4): of `trials` errors in one bin, each is the candidate's with its share
    of the bin's requests, if both releases are equally good. So the rate of the bin itself never matters.
    """
    at = np.asarray
    log_mean = np.log1p(at(share)[..., None] * (ratios - 1.0))
    return np.asarray(at(hits)[..., None] * np.log(ratios) - at(trials)[..., None] * log_mean)


def against(counts: Counts, bound: Array, cap: float) -> Array:
    """What a bin says against the candidate: its log factors, a column for each of `RISKS`, at most `cap`.

    `bound` is a rate that the candidate must keep, or NaN where it is compared with the stable release.
    """
    paired = np.isnan(bound)
    both = counts.candidate + counts.stable
    share = np.where(paired, counts.candidate / np.maximum(both, 1e-12), bound)
    hits = np.where(paired, counts.candidate_hits + counts.stable_hits, counts.candidate)
    factors = growth(counts.candidate_hits, hits, share, RISKS)
    most = growth(hits, hits, share, RISKS)
    at = np.nonzero((most > cap) & (paired & (counts.stable > 0))[..., None])
    if at[0].size:
        row, log_ratio = at[:-1], np.log(RISKS)[at[-1]]
        total = hits[row]
        log_mean = total * log_ratio - most[at]
        factors[at] += lift(counts.candidate[row], counts.stable[row], total, log_ratio, log_mean, cap)
    return np.minimum(factors, cap)


def in_favour(counts: Counts, bound: Array, margin: Array, cap: float) -> Array:
    """What a bin says for the candidate: log factors, a column for each of `CHANCES`, at most `cap`.

    Held against "its rate is above the stable one's by `margin` or more" (or above `bound`). With c of n hits on the
    candidate and s of m on the stable release, ``chance ** c * (1 + a) ** s * exp((1 - chance) * margin * n)`` with
    ``a = (1 - chance) * n / m`` has a mean of at most 1 whatever the stable rate of the bin is, since
    ``E exp(k * hits) <= exp((exp(k) - 1) * rate * trials)``; the rate cancels out.
    """
    ratio = counts.candidate / np.maximum(counts.stable, 1e-12)
    lost = 1.0 - CHANCES
    beside = (
        counts.candidate_hits[..., None] * np.log(CHANCES)
        + counts.stable_hits[..., None] * np.log1p(lost * ratio[..., None])
        + lost * (margin * counts.candidate)[..., None]
    )
    beside = np.where((counts.stable > 0)[..., None], beside, 0.0)
    alone = growth(counts.candidate_hits, counts.candidate, np.where(np.isnan(bound), 0.0, bound), CHANCES)
    return np.minimum(np.where(np.isnan(bound)[..., None], beside, alone), cap)


def mean(logs: Array, log_weights: Array) -> Array:
    """Log of the weighted mean along the last axis: e-values average to an e-value (Vovk and Wang 2021)."""
    return np.asarray(np.logaddexp.reduce(logs + log_weights, axis=-1))


@frozen(eq=False)
class Tally:
    """All that is known of each comparison: sums of its counts, and what every bin so far said."""

    counts: Counts
    worse: Array
    """Sums of log factors against the candidate, a column for each of `RISKS`."""
    fine: Array
    """The same for it, a column for each of `CHANCES`."""
