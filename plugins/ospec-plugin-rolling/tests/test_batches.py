"""How many instances of each release there are after each batch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.errors import DocumentError
from ospec.models.document import Deployment
from ospec_plugin_rolling.batches import Limits, batches, limits_of, way_back


@pytest.mark.parametrize(
    ("said", "wanted", "limits"),
    [
        ({"max_unavailable": 1, "max_surge": 2}, 6, Limits(3, 5, 8)),
        ({}, 4, Limits(2, 3, 5)),
        ({}, 2, Limits(1, 2, 3)),  # a quarter of two instances may not be missing, one may be added
        ({"max_unavailable": "50%"}, 5, Limits(2, 3, 5)),
        ({"max_surge": "10%"}, 5, Limits(1, 5, 6)),
        ({"batch_size": "25%", "max_unavailable": 0, "max_surge": 4}, 6, Limits(2, 6, 10)),
        ({"max_unavailable": "100%", "max_surge": 0}, 3, Limits(3, 0, 3)),
        ({"max_unavailable": 9}, 3, Limits(3, 0, 3)),
    ],
)
def test_limits_are_counts(said: Any, wanted: int, limits: Limits) -> None:
    assert limits_of(Deployment(**said), wanted) == limits


@pytest.mark.parametrize("said", [{"max_unavailable": 0, "max_surge": 0}, {"max_unavailable": "25%"}])
def test_limits_that_allow_nothing_are_refused(said: Any) -> None:
    with pytest.raises(DocumentError, match="nothing could be replaced") as caught:
        limits_of(Deployment(**said), 3)
    assert caught.value.where == "deployment.max_surge"


def test_six_instances_as_in_the_manifest() -> None:
    forward = batches(6, 6, Limits(3, 5, 8))
    assert forward == [(3, 5), (6, 2), (6, 0)]
    assert way_back(6, forward) == [(2, 6), (5, 3), (6, 0)]


def test_one_at_a_time_without_spare_room() -> None:
    assert batches(3, 3, Limits(1, 2, 3)) == [(1, 2), (2, 1), (3, 0)]


LIMITS = st.integers(1, 12).flatmap(
    lambda wanted: st.tuples(
        st.just(wanted), st.integers(0, wanted), st.integers(0, 6), st.integers(1, 12), st.integers(0, 15)
    )
)


@given(LIMITS)
def test_every_state_keeps_the_promise(drawn: tuple[int, int, int, int, int]) -> None:
    wanted, unavailable, surge, batch, there = drawn
    if not unavailable and not surge:
        return
    limits = Limits(batch, wanted - unavailable, wanted + surge)
    forward = batches(there, wanted, limits)
    assert forward[-1] == (wanted, 0)
    healthy = 0  # new instances of the batches before
    for new, old in forward:
        assert healthy + old >= min(limits.least_ready, there + healthy)
        assert new + old <= max(limits.most, there)
        assert 0 <= new - healthy <= batch
        healthy = new
    back = way_back(there, forward)
    assert back[-1] == (there, 0)
    assert all(later >= earlier for (earlier, _), (later, _) in pairwise(back))
