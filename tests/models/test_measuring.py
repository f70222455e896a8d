from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.models.live import Measurement
from ospec.models.measuring import at_most, merged, quantile, sums, usable

BUCKETS = ((10.0, 50), (20.0, 90), (100.0, 99), (1000.0, 100))


def measured(metric: str, value: float, at: float = 0.0, source: str = "envoy", **more: object) -> Measurement:
    return Measurement(metric, "v2", source, at, value, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("share", "milliseconds"),
    [(0.0, 0.0), (0.25, 5.0), (0.5, 10.0), (0.7, 15.0), (0.9, 20.0), (0.99, 100.0), (0.995, 550.0), (1.0, 1000.0)],
)
def test_a_quantile_is_interpolated_within_its_bucket(share: float, milliseconds: float) -> None:
    assert quantile(BUCKETS, 100, share) == pytest.approx(milliseconds)


def test_a_quantile_beyond_the_last_bound_is_at_least_that_bound() -> None:
    assert quantile(BUCKETS, 200, 0.9) == 1000.0
    assert quantile((), 100, 0.5) is None
    assert quantile(BUCKETS, 0, 0.5) is None


@pytest.mark.parametrize(("milliseconds", "count"), [(5, 0), (10, 50), (15, 50), (1000, 100), (9999, 100)])
def test_answers_up_to_a_time(milliseconds: float, count: float) -> None:
    assert at_most(BUCKETS, milliseconds) == count


histogram = st.dictionaries(st.integers(1, 1000), st.integers(0, 50), min_size=1, max_size=8).map(
    lambda cells: [[float(bound), float(sum(cells[b] for b in cells if b <= bound))] for bound in sorted(cells)]
)


@given(histogram, histogram)
def test_merged_buckets_hold_the_answers_of_both(one: list[list[float]], other: list[list[float]]) -> None:
    both = merged(one, other)
    assert both[-1][1] == one[-1][1] + other[-1][1]
    assert all(before[0] < after[0] and before[1] <= after[1] for before, after in pairwise(both))
    assert merged(one, []) == one


@given(histogram, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_grow_with_their_share(buckets: list[list[float]], one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, second = (quantile(buckets, buckets[-1][1], share) for share in (low, high))
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first <= second + 1e-9


def test_sums_add_up_bins_and_leave_out_what_is_no_number() -> None:
    found = sums(
        [
            measured("requests", 100.0),
            measured("requests", 100.0),  # repeated
            measured("requests", 50.0, at=1.0),
            measured("requests", math.nan, at=2.0),
            measured("requests", -5.0, at=3.0),
            measured("errors", 3.0, at=1.0),
            measured("errors", math.inf, at=2.0),
            measured("cpu_usage", 0.5),
            measured("cpu_usage", 0.7, at=1.0),
            measured("request_duration_ms", 100.0, buckets=BUCKETS),
            measured("request_duration_ms", 0.0, at=1.0),
            Measurement("requests", "v1", "envoy", 0.0, 7.0),
        ],
        "v2",
    )
    assert (found.requests, found.errors, found.answers) == (150.0, 3.0, 100.0)
    assert found.error_rate == 0.02
    assert found.quantile(0.5) == 10.0
    assert found.gauges == {"cpu_usage": pytest.approx(0.6)}


def test_one_source_is_summed_the_one_that_saw_most() -> None:
    found = sums(
        [
            measured("requests", 100.0),
            measured("errors", 1.0),
            measured("requests", 90.0, source="prometheus"),
            measured("errors", 80.0, source="prometheus"),
        ],
        "v2",
    )
    assert (found.requests, found.errors) == (100.0, 1.0)


def test_nothing_is_none() -> None:
    assert sums([], "v2").error_rate is None
    assert sums([measured("requests", 0.0), measured("errors", 0.0)], "v2").error_rate is None
    assert sums([measured("requests", 9.0)], "v2").error_rate is None
    assert not usable(measured("cpu_usage", math.nan))
    assert usable(measured("temperature", -3.0))
