"""Every factor is a fair bet at most: its mean is at most 1 while the release is as good as it is held to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ospec_plugin_judge_sequential.evidence import (
    CHANCES,
    LOG_CHANCE_WEIGHTS,
    LOG_RISK_WEIGHTS,
    Counts,
    against,
    in_favour,
    mean,
)
from ospec_plugin_judge_sequential.lift import _log_factorial

CAP = math.log(100) / 3
NONE = math.nan


def binomial(trials: int, share: float) -> list[float]:
    """Chances of 0, 1, … hits."""
    return [math.comb(trials, x) * share**x * (1 - share) ** (trials - x) for x in range(trials + 1)]


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_weights_add_up_to_one() -> None:
    assert np.exp(LOG_RISK_WEIGHTS).sum() == pytest.approx(1)
    assert np.exp(LOG_CHANCE_WEIGHTS).sum() == pytest.approx(1)
    assert mean(np.zeros(5), LOG_RISK_WEIGHTS) == pytest.approx(0)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.floats(0, 1), st.floats(0.3, 5))
def test_equally_good_releases_give_no_evidence_on_average(own: int, other: int, share: float, cap: float) -> None:
    """The candidate's errors among all errors of a bin, enumerated: hypergeometric, whatever the errors' number."""
    hits = round(share * (own + other))
    x = np.arange(max(0, hits - other), min(hits, own) + 1, dtype=float)
    ways = [math.comb(own, int(one)) * math.comb(other, hits - int(one)) for one in x]
    chances = np.array([one / math.comb(own + other, hits) for one in ways])
    same = np.ones_like(x)
    factors = np.exp(against(Counts(own * same, x, other * same, hits - x, x), np.full(x.shape, NONE), cap))
    assert (chances @ factors <= 1 + 1e-9).all()
    assert (factors <= np.exp(cap) + 1e-9).all()


@pytest.mark.parametrize("weight", [0.05, 0.1, 0.5])
def test_the_cap_costs_next_to_nothing(weight: float) -> None:
    """Where a cap cuts, the lift brings the mean back to nearly 1."""
    own, hits = int(400 * weight), 6
    x = np.arange(hits + 1, dtype=float)
    total = math.comb(400, hits)
    chances = np.array([math.comb(own, int(one)) * math.comb(400 - own, hits - int(one)) / total for one in x])
    same = np.ones_like(x)
    counts = Counts(own * same, x, (400 - own) * same, hits - x, x)
    means = chances @ np.exp(against(counts, np.full(x.shape, NONE), CAP))
    assert (means[:4] > 0.92).all()
    assert (means <= 1 + 1e-12).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_a_release_that_keeps_its_bound_gives_no_evidence_on_average(trials: int, bound: float, part: float) -> None:
    chances = np.array(binomial(trials, bound * part))
    x, zero = np.arange(trials + 1.0), np.zeros(trials + 1)
    counts = Counts(zero + trials, x, zero, zero, x)
    assert (chances @ np.exp(against(counts, zero + bound, CAP)) <= 1 + 1e-9).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 30), st.integers(0, 60), st.floats(0, 1), st.floats(0, 0.3), st.floats(0, 0.5))
def test_a_release_at_its_margin_gives_no_evidence_for_it(
    own: int, other: int, rate: float, margin: float, more: float
) -> None:
    """Whatever the stable rate of the bin is, and however much worse than the margin the candidate is."""
    worse = rate + margin + more
    if worse > 1:
        rate, worse = rate * (1 - margin), rate * (1 - margin) + margin
    chances = np.outer(binomial(own, min(worse, 1.0)), binomial(other, rate))
    c, s = np.meshgrid(np.arange(own + 1.0), np.arange(other + 1.0), indexing="ij")
    same = np.ones_like(c)
    factors = in_favour(Counts(own * same, c, other * same, s, c), same * NONE, same * margin, 1.0)
    assert (np.einsum("cs,csk->k", chances, np.exp(factors)) <= 1 + 1e-9).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_a_release_above_its_bound_gives_no_evidence_for_it(trials: int, bound: float, part: float) -> None:
    chances = np.array(binomial(trials, bound + (1 - bound) * part))
    x, zero = np.arange(trials + 1.0), np.zeros(trials + 1)
    counts = Counts(zero + trials, x, zero, zero, x)
    assert (chances @ np.exp(in_favour(counts, zero + bound, zero, 1.0)) <= 1 + 1e-9).all()


def test_what_only_one_release_saw_says_nothing_in_a_comparison() -> None:
    alone = Counts(column(50, 0), column(50, 0), column(0, 50), column(0, 9), column(50, 0))
    assert np.abs(against(alone, column(NONE, NONE), CAP)).max() == pytest.approx(0)
    assert np.abs(in_favour(alone, column(NONE, NONE), column(0.1, 0.1), 1.0)).max() == 0


def test_huge_counts_are_finite() -> None:
    big = Counts(column(1e12), column(1e10), column(9e12), column(9e10), column(1e10))
    for factors in (against(big, column(NONE), CAP), in_favour(big, column(NONE), column(0.01), 1.0)):
        assert np.isfinite(factors).all()
        assert (factors <= CAP).all()


def test_the_rate_of_the_bin_does_not_matter() -> None:
    """A burst that both releases share equally says little, however large it is."""
    shared = Counts(column(20, 20), column(0, 20), column(180, 180), column(0, 180), column(0, 20))
    assert (against(shared, column(NONE, NONE), CAP) <= 1e-9).all()


@pytest.mark.parametrize("n", [0, 1, 7, 4095, 4096, 5000, 1e6, 1e9])
def test_log_factorials(n: float) -> None:
    assert _log_factorial(column(n))[0] == pytest.approx(math.lgamma(n + 1), rel=1e-12, abs=1e-12)


def test_more_hits_of_the_candidate_speak_against_it_and_never_for_it() -> None:
    x = np.arange(11.0)
    same = np.ones_like(x)
    counts = Counts(20 * same, x, 180 * same, 5 * same, x)
    assert (np.diff(in_favour(counts, same * NONE, same * 0.01, 1.0), axis=0) <= 0).all()
    together = Counts(20 * same, x, 180 * same, 10 - x, x)
    assert (np.diff(against(together, same * NONE, CAP), axis=0) >= 0).all()
    assert CHANCES.max() < 1
