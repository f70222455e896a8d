"""Bins come late, twice, out of order, empty, as NaN and from several sources; each second counts once."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ospec.models.judging import JudgedMetric, JudgeInput
from ospec.models.live import Measurement
from ospec_plugin_judge_sequential.judge import judge

ERRORS = JudgedMetric(name="error_rate", kind="errors")
LATENCY = JudgedMetric(name="request_duration", kind="latency")


def numbers(verdict: Any) -> Any:
    """What was counted, without the parts of the state that tell how it came."""
    return verdict.outcome, verdict.numbers, [(one.metric, one.outcome, one.numbers) for one in verdict.findings]


def test_repeated_bins_count_once(traffic: Any) -> None:
    bins = list(traffic.seconds(40, errors=(0.03, 0.01)))
    plain = list(traffic.looks(bins))
    window = [[one for second in bins[max(0, at - 9) : at + 1] for one in second] for at in range(len(bins))]
    assert [numbers(one) for one in traffic.looks(window)] == [numbers(one) for one in plain]
    twice = [[*second, *second] for second in bins]
    assert [numbers(one) for one in traffic.looks(twice)] == [numbers(one) for one in plain]


def test_the_number_of_looks_does_not_change_what_was_seen(traffic: Any) -> None:
    bins = list(traffic.seconds(40, errors=(0.02, 0.01)))
    seldom = [[one for second in bins[at : at + 8] for one in second] for at in range(0, 40, 8)]
    often, rare = traffic.last(traffic.looks(bins)), traffic.last(traffic.looks(seldom))
    assert often.outcome == rare.outcome
    assert often.numbers["evidence"] == pytest.approx(rare.numbers["evidence"], rel=1e-9)
    assert [one.numbers for one in often.findings] == [pytest.approx(one.numbers, rel=1e-9) for one in rare.findings]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_within_a_look_does_not_matter(random: Any) -> None:
    generator = np.random.default_rng(3)
    bins = [
        Measurement(metric, release, "envoy", float(second), value)
        for second in range(20)
        for release in ("v1", "v2")
        for metric, value in (("requests", 100.0), ("errors", float(generator.binomial(100, 0.02))))
    ]
    shuffled = list(bins)
    random.shuffle(shuffled)
    one, other = (
        judge(JudgeInput(candidate="v2", stable="v1", bins=tuple(given), metrics=(ERRORS,)))
        for given in (bins, shuffled)
    )
    assert one == other


def test_a_bin_that_is_older_than_the_last_one_is_left_out(traffic: Any) -> None:
    pair = [*traffic.counted("v2", 5.0, 60, 1), *traffic.counted("v1", 5.0, 600, 9)]
    late = [*traffic.counted("v2", 4.0, 60, 60), *traffic.counted("v1", 3.0, 600, 0)]
    *_, before, after = traffic.looks([pair, late], [ERRORS])
    assert numbers(before) == numbers(after)


def test_a_second_waits_for_the_other_release(traffic: Any) -> None:
    own, other = traffic.counted("v2", 5.0, 60, 1), traffic.counted("v1", 5.0, 600, 9)
    together = traffic.last(traffic.looks([[*own, *other]], [ERRORS]))
    apart = list(traffic.looks([own, other], [ERRORS]))
    assert apart[0].findings[0].numbers == {}
    assert numbers(apart[1]) == numbers(together)


def test_a_second_of_one_release_alone_is_not_compared(traffic: Any) -> None:
    bins = [traffic.counted("v2", float(second), 60, 60) for second in range(20)]
    verdict = traffic.last(traffic.looks(bins, [ERRORS]))
    assert verdict.outcome == "not-enough-data"
    assert verdict.numbers["evidence"] == 0.0


def test_requests_without_their_errors_are_no_data(traffic: Any) -> None:
    bins = [[traffic.counted(release, float(s), 100, 0)[0] for release in ("v1", "v2")] for s in range(10)]
    assert traffic.last(traffic.looks(bins, [ERRORS])).findings[0].numbers == {}
    late = [
        [*some, *(traffic.counted(release, float(s), 100, 1)[1] for release in ("v1", "v2"))]
        for s, some in enumerate(bins)
    ]
    assert traffic.last(traffic.looks([*bins, *late], [ERRORS])).findings[0].numbers["stable.candidate"] == 1000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
def test_what_is_no_number_is_no_data(traffic: Any, value: float) -> None:
    bins = list(traffic.seconds(30))
    broken = [
        [*second, *traffic.counted("v2", at + 0.5, value, 1.0), *traffic.counted("v2", at + 0.6, 1.0, value)]
        for at, second in enumerate(bins)
    ]
    plain, other = (traffic.last(traffic.looks(one, [ERRORS])) for one in (bins, broken))
    assert numbers(other) == numbers(plain)
    json.dumps(other.state, allow_nan=False)


def test_a_time_that_is_no_number_is_no_data(traffic: Any) -> None:
    given = JudgeInput(
        candidate="v2",
        stable="v1",
        bins=tuple(traffic.counted("v2", math.nan, 100.0, 100.0)),
        metrics=(ERRORS,),
    )
    assert judge(given).findings[0].numbers == {}


def test_empty_looks_and_empty_bins_change_nothing(traffic: Any) -> None:
    bins = list(traffic.seconds(20))
    none: list[Any] = []
    empty = [one for second in bins for one in (second, none)]
    assert numbers(traffic.last(traffic.looks(empty))) == numbers(traffic.last(traffic.looks(bins)))
    nothing = [[*traffic.counted("v2", float(s), 0, 0), *traffic.counted("v1", float(s), 0, 0)] for s in range(30)]
    assert traffic.last(traffic.looks(nothing, [ERRORS])).outcome == "not-enough-data"
    hollow = [[Measurement("request_duration_ms", "v2", "envoy", float(s), 0.0)] for s in range(5)]
    assert traffic.last(traffic.looks(hollow, [LATENCY])).outcome == "not-enough-data"


def test_foreign_releases_and_metrics_are_nothing_to_us(traffic: Any) -> None:
    bins = list(traffic.seconds(20))
    more = [
        [*second, *traffic.counted("v0", float(at), 999, 999), Measurement("disk", "v2", "psutil", float(at), 1.0)]
        for at, second in enumerate(bins)
    ]
    assert numbers(traffic.last(traffic.looks(more))) == numbers(traffic.last(traffic.looks(bins)))


def test_the_source_that_saw_most_is_judged(traffic: Any) -> None:
    bins = [
        [
            *traffic.counted("v2", float(s), 50, 1),
            *traffic.counted("v1", float(s), 500, 10),
            *traffic.counted("v2", float(s), 40, 40, "prometheus"),
            *traffic.counted("v1", float(s), 400, 0, "prometheus"),
        ]
        for s in range(10)
    ]
    verdict = traffic.last(traffic.looks(bins, [ERRORS]))
    assert verdict.findings[0].numbers["stable.candidate"] == 500
    assert verdict.state["metrics"]["error_rate"]["source"] == "envoy"


def test_another_source_takes_over_without_counting_a_second_twice(traffic: Any) -> None:
    first = [[*traffic.counted("v2", float(s), 50, 1), *traffic.counted("v1", float(s), 500, 10)] for s in range(5)]
    second = [
        [
            *traffic.counted("v2", float(s), 90, 2, "prometheus"),
            *traffic.counted("v1", float(s), 900, 20, "prometheus"),
        ]
        for s in range(20)
    ]
    verdict = traffic.last(traffic.looks([*first, *second], [ERRORS]))
    found = verdict.findings[0].numbers["stable.candidate"]
    assert verdict.state["metrics"]["error_rate"]["source"] == "prometheus"
    assert 50 * 5 + 90 * 14 <= found <= 50 * 5 + 90 * 15


def test_more_errors_than_requests_are_all_of_them(traffic: Any) -> None:
    bins = [[*traffic.counted("v2", float(s), 10, 50), *traffic.counted("v1", float(s), 100, 1)] for s in range(8)]
    assert traffic.last(traffic.looks(bins, [ERRORS])).findings[0].numbers["stable.candidate_hits"] == 80


def test_earlier_answers_of_the_stable_release_make_the_ladder(traffic: Any) -> None:
    random = np.random.default_rng(2)
    before = [[traffic.timed("v1", float(s), traffic.healthy(random, 300))] for s in range(3)]
    verdict = traffic.last(traffic.looks([*before, [traffic.timed("v2", 3.0, [1.0] * 60)], []], [LATENCY]))
    assert "rungs" not in verdict.state["metrics"]["request_duration"]["learned"]
    both = [traffic.timed("v2", 4.0, [1.0] * 60), traffic.timed("v1", 4.0, traffic.healthy(random, 60))]
    verdict = traffic.last(traffic.looks([both], [LATENCY], dict(verdict.state)))
    ladder = verdict.state["metrics"]["request_duration"]["learned"]["rungs"]
    assert [low for low, _ in ladder] == [20.0, 80.0, 120.0, 200.0]
    assert all(far > low for low, far in ladder)


@pytest.mark.parametrize("tick", [0.31, 0.9, 1.0, 1.0037, 2.5])
def test_ticks_need_not_be_whole_seconds(traffic: Any, tick: float) -> None:
    """A source that looks now and then, as a proxy's counters are read: nothing is lost, whatever the ticks are."""
    bins = [
        [*traffic.counted("v2", 7.77 + at * tick, 10, 1), *traffic.counted("v1", 7.77 + at * tick, 90, 1)]
        for at in range(50)
    ]
    one_by_one = traffic.last(traffic.looks(bins, [ERRORS])).findings[0].numbers
    assert (one_by_one["stable.candidate"], one_by_one["stable.stable"]) == (500, 4500)
