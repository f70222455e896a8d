"""Increases of counters, across restarts and births; histograms; bins."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.models.measuring import quantile
from ospec_plugin_prometheus.answers import Series
from ospec_plugin_prometheus.counting import counted, histograms, means, scrapes_of, usual_gap

LABELS = {"job": "web", "instance": "a:1"}


def series(*values: float, first: float = 100.0, gap: float = 1.0, **labels: str) -> Series:
    return Series({**LABELS, **labels}, tuple((first + gap * n, value) for n, value in enumerate(values)))


def test_the_first_sample_tells_nothing() -> None:
    assert counted([series(1000, 1003, 1003, 1010)], {}, 1.0) == {101: 3, 102: 0, 103: 7}


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=30))
def test_restarts_lose_nothing_that_a_scrape_saw(steps: list[tuple[int, bool]]) -> None:
    value, samples, expected = 7, [7], 0
    for more, restarted in steps:
        before = value
        value = more if restarted else value + more
        expected += value if restarted and value < before else value - before
        samples.append(value)
    assert sum(counted([series(*samples)], {}, 4.0).values()) == expected


def test_a_series_that_begins_between_two_scrapes_counts_from_zero() -> None:
    requests = series(10, 20, 30, 40)
    errors = series(2, 5, first=102.0, code="500")
    scrapes = scrapes_of([requests, errors])
    assert counted([errors], scrapes, 1.0) == {102: 2, 103: 3}
    assert counted([errors], {}, 1.0) == {103: 3}


def test_a_series_of_other_times_than_its_target_was_not_born() -> None:
    every, second = series(1, 2, 3, 4, 5, 6), series(500, 600, 700, first=101.0, gap=2.0)
    assert counted([second], scrapes_of([every, second]), 1.0) == {103: 100, 105: 100}


def test_a_new_target_tells_nothing_of_before() -> None:
    old, new = series(1, 2, 3, 4), series(900, 901, first=102.0, instance="b:2")
    assert counted([new], scrapes_of([old, new]), 1.0) == {103: 1}


def test_series_without_a_target_are_never_born() -> None:
    one, other = Series({}, ((1.0, 5.0), (2.0, 6.0))), Series({"code": "500"}, ((2.0, 9.0),))
    assert counted([other], scrapes_of([one, other]), 1.0) == {}


def test_several_instances_add_up_on_one_grid() -> None:
    one, other = series(0, 15, 30, gap=15.0), series(0, 5, 10, first=107.0, gap=15.0, instance="b:2")
    assert counted([one, other], {}, 15.0) == {7: 15, 8: 20, 9: 5}


def buckets(counts: dict[str, list[float]], instance: str = "a:1") -> list[Series]:
    return [series(*itertools.accumulate(rows), le=bound, instance=instance) for bound, rows in counts.items()]


def test_buckets_are_cumulative_and_in_milliseconds() -> None:
    rows = buckets({"0.1": [4, 8], "0.005": [1, 2], "1": [5, 9], "+Inf": [6, 10]})
    assert histograms(rows, {}, 1.0, 1000.0) == {101: (10, [[5.0, 2], [100.0, 8], [1000.0, 9]])}


def test_histograms_of_several_series_add_up_also_with_other_bounds() -> None:
    rows = buckets({"0.1": [0, 8], "1": [0, 9], "+Inf": [0, 10]}) + buckets(
        {"0.1": [0, 1], "0.5": [0, 4], "+Inf": [0, 5]}, instance="b:2"
    )
    total, found = histograms(rows, {}, 1.0, 1000.0)[101]
    assert (total, found) == (15, [[100.0, 9], [500.0, 12], [1000.0, 13]])
    assert quantile(found, total, 0.5) == pytest.approx(83.3, abs=0.1)


def test_a_histogram_across_a_restart() -> None:
    rows = [series(90, 3, le="0.1"), series(100, 5, le="+Inf")]
    assert histograms(rows, {}, 1.0, 1000.0) == {101: (5, [[100.0, 3]])}


def test_buckets_without_a_total_are_no_histogram() -> None:
    assert histograms(buckets({"0.1": [1, 2]}), {}, 1.0, 1000.0) == {}
    assert histograms([series(1, 2), series(1, 2, le="x")], {}, 1.0, 1000.0) == {}


def test_gauges_are_means_of_bins() -> None:
    assert means(series(1, 3, 5, 7, first=10.0), 2.0) == {5: 2, 6: 6}
    assert means(series(1, 3, first=15.0, gap=15.0), 15.0, 7.5) == {0: 1, 1: 3}


def test_the_gap_between_samples() -> None:
    assert usual_gap([series(1, 2, 3, gap=15.0), series(1)]) == 15.0
    assert usual_gap([series(1)]) is None
