from __future__ import annotations

import math

import pytest
from ospec.reporting.intervals import CONFIDENCE, error_band, quantile_band, quantile_ranks


def chance(count: int, share: float, hits: int) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return math.exp(ways + hits * math.log(share) + (count - hits) * math.log1p(-share))


@pytest.mark.parametrize(
    ("errors", "requests", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (30, 1000, 0.0211, 0.0425)],
)
def test_error_bands_are_wilsons(errors: int, requests: int, low: float, high: float) -> None:
    assert list(error_band(errors, requests)) == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.2])
@pytest.mark.parametrize("requests", [50, 400, 2000])
def test_error_bands_hold_the_rate_about_so_often_as_they_say(rate: float, requests: int) -> None:
    def holds(errors: int) -> bool:
        low, high = error_band(errors, requests)
        return high is not None and low <= rate <= high

    covered = sum(chance(requests, rate, errors) for errors in range(requests + 1) if holds(errors))
    assert 0.92 <= covered <= 0.985  # Brown, Cai and DasGupta show how it swings about 0.95


def covered(count: int, share: float) -> float:
    """How often the quantile lies between its order statistics, exactly."""
    low, high = quantile_ranks(count, share)
    return sum(chance(count, share, hits) for hits in range(low, (high or count + 1)))


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("count", [1, 10, 59, 200, 1000])
def test_quantile_ranks_hold_the_quantile_and_are_no_wider_than_they_must(count: int, share: float) -> None:
    low, high = quantile_ranks(count, share)
    assert covered(count, share) >= CONFIDENCE - 1e-9
    below = sum(chance(count, share, hits) for hits in range(low + 1))
    assert below > (1 - CONFIDENCE) / 2, "one rank more would leave out too much"
    if high is not None:
        assert sum(chance(count, share, hits) for hits in range(high - 1)) < 1 - (1 - CONFIDENCE) / 2


@pytest.mark.parametrize(("count", "share"), [(1700, 0.5), (20_000, 0.5), (10_000, 0.95), (50_000, 0.99)])
def test_where_ranks_are_approximated_they_are_right_to_a_rank(count: int, share: float) -> None:
    low, high = quantile_ranks(count, share)
    at_most = 0.0
    exact: list[int] = []
    for hits in range(count + 1):
        before, at_most = at_most, at_most + chance(count, share, hits)
        if before <= 0.025 < at_most:
            exact.append(hits)
        if before < 0.975 <= at_most:
            exact.append(hits + 1)
            break
    assert high is not None
    assert abs(low - exact[0]) <= 2
    assert abs(high - exact[1]) <= 2
    assert covered(count, share) >= CONFIDENCE - 0.005


def test_bands_reach_to_the_edges_of_their_buckets() -> None:
    buckets = [(1.0, 0), (2.0, 400), (5.0, 980), (10.0, 1000)]
    assert quantile_ranks(1000, 0.5) == (469, 532)
    assert quantile_band(buckets, 1000, 0.5) == (2.0, 5.0)
    assert quantile_band(buckets, 1000, 0.99) == (5.0, 10.0)


def test_few_answers_bound_a_high_quantile_from_below_only() -> None:
    low, high = quantile_band([(5.0, 10), (10.0, 20)], 20, 0.99)
    assert (low, high) == (5.0, None)
    assert [quantile_ranks(count, 0.99)[1] for count in (367, 368)] == [None, 368]


def test_answers_beyond_the_last_bucket_have_no_upper_limit() -> None:
    low, high = quantile_band([(5.0, 100)], 1000, 0.95)
    assert (low, high) == (5.0, None)
