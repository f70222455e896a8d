from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.conditions.metrics import KNOWN, UNITS
from ospec.conditions.parse import parse_condition
from ospec.errors import DocumentError
from ospec.models.live import Measurement
from ospec.models.measuring import Sums, sums


def seen(requests: float = 1000, errors: float = 10, slow: float = 10, **gauges: float) -> Sums:
    """Sums with so many answers beyond 2,000 ms; all others take up to 100 ms."""
    buckets = ((100.0, requests - slow), (2000.0, requests - slow), (4000.0, requests))
    return Sums(requests=requests, errors=errors, answers=requests, buckets=buckets, gauges=gauges)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("error_rate > 5%", False),
        ("error_rate > 0.5%", True),
        ("error_rate > 0.005", True),
        ("error_rate >= 1%", True),
        ("error_rate != 1%", False),
        ("error_rate == 1%", True),
        ("response_time_p95 > 2000ms", False),
        ("response_time_p99.5 > 2000", True),
        ("response_time_p99.5 > 2s", True),
        ("response_time_p99.5 > 1m", False),
        ("request-success-rate < 99.5", True),
        ("request-success-rate < 99%", False),
        ("success_rate < 0.995", True),
        ("request-duration<500", True),
        ("requests > 999 and errors < 11", True),
        ("cpu_usage > 80%", True),
        ("memory_usage > 512MiB", False),
        ("memory_usage > 500 MB", True),
        ("NOT error_rate > 5%", True),
        ("not (error_rate > 5% or cpu_usage > 0.8)", False),
        ("error_rate > 5% and cpu_usage > 0.8 or requests > 1", True),
        ("error_rate > 5% and (cpu_usage > 0.8 or requests > 1)", False),
        ("not not requests > 1", True),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    answer = parse_condition(text).answer(seen(cpu_usage=0.9, memory_usage=510e6))
    assert answer.holds is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("error_rate > 5%", None),
        ("not error_rate > 5%", None),
        ("error_rate > 5% or cpu_usage > 0.5", True),
        ("error_rate > 5% and cpu_usage > 0.5", None),
        ("error_rate > 5% and cpu_usage < 0.5", False),
        ("error_rate > 5% or cpu_usage < 0.5", None),
        ("response_time_p50 > 2s", None),
        ("memory_usage > 1GB", None),
        ("requests > 5", True),
    ],
)
def test_little_data_is_no_answer_unless_the_rest_settles_it(text: str, holds: bool | None) -> None:
    answer = parse_condition(text).answer(seen(requests=19, errors=19, slow=19, cpu_usage=0.9))
    assert answer.holds is holds


def test_a_quantile_needs_answers_beyond_it() -> None:
    condition = parse_condition("response_time_p99 > 1s")
    assert condition.answer(seen(requests=99, slow=90)).holds is None
    assert condition.answer(seen(requests=100, slow=90)).holds is True


def test_nothing_measured_is_not_zero() -> None:
    for text in ("error_rate == 0", "requests == 0", "response_time_p50 < 1s", "cpu_usage < 1"):
        assert parse_condition(text).answer(Sums()).holds is None


def test_an_answer_says_what_was_seen() -> None:
    answer = parse_condition("error_rate > 5% or response_time_p50 > 2s or cpu_usage > 1").answer(seen())
    assert answer.sentence == "error_rate is 1 %, response_time_p50 is 50.51 ms, cpu_usage: not enough data"
    assert answer.seen["error_rate"] == 0.01
    assert answer.seen["cpu_usage"] is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "column 1: expected a metric, found the end", None),
        ("error_rat > 5%", "column 1: there is no metric 'error_rat'", "did you mean 'error_rate'?"),
        ("error_rate > 5% and latency_p95 > 2s", "column 21: there is no metric 'latency_p95'", None),
        ("error_rate 5%", "column 12: expected one of >= <= == != > <, found '5'", None),
        ("error_rate = 5%", "column 12: expected one of >= <= == != > <, found '='", "did you mean '=='?"),
        ("error_rate > many", "column 14: expected a number, found 'many'", None),
        ("error_rate > 5ms", "column 15: error_rate does not come in 'ms'; expected %", None),
        ("memory_usage > 5mb", "column 17: memory_usage does not come in 'mb'", "did you mean MB?"),
        ("response_time_p95 > 2 %", "column 23: response_time_p95 does not come in '%'; expected ms, s, m", None),
        ("requests > 2 things", "column 14: requests does not come in 'things'; expected no unit", None),
        ("error_rate > 5", "column 14: error_rate is a fraction, 0 to 1", "did you mean 5%?"),
        ("error_rate > 500%", "column 14: error_rate is a fraction, 0 to 1", None),
        ("error_rate > 5% && requests > 1", "column 17: expected and, or, or the end, found '&&'", "'and'"),
        ("error_rate > 5% error_rate", "column 17: expected and, or, or the end, found 'error_rate'", None),
        ("(error_rate > 5%", "column 17: expected a closing parenthesis, found the end", None),
        ("error_rate > 5%)", "column 16: expected and, or, or the end, found ')'", None),
        ("not", "column 4: expected a metric, found the end", None),
        ("or > 5", "column 1: expected a metric, found 'or'", None),
        ("(" * 60 + "requests > 1" + ")" * 60, "more than 50 levels", None),
    ],
)
def test_a_fault_has_its_column_and_a_hint(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_condition(text, where="monitoring.alerts[0].condition")
    assert message in caught.value.message
    assert caught.value.code == "invalid-condition"
    assert caught.value.where == "monitoring.alerts[0].condition"
    if hint:
        assert hint in caught.value.hints[0]


def test_sources_may_bring_metrics() -> None:
    condition = parse_condition("queue_depth > 100", gauges=("queue_depth",))
    assert condition.answer(seen(queue_depth=101)).holds is True


comparison = st.tuples(st.sampled_from(KNOWN), st.sampled_from(["<", ">", ">=", "<="]), st.floats(0, 1)).map(
    lambda parts: f"{parts[0]} {parts[1]} {parts[2]:f}"
)
text = st.recursive(
    comparison,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=8,
)


@given(text, st.integers(0, 200), st.floats(0, 1))
def test_not_turns_an_answer_round_and_more_parentheses_change_nothing(one: str, requests: int, share: float) -> None:
    measured = seen(requests, round(requests * share), round(requests * share))
    answer = parse_condition(one).answer(measured).holds
    turned = parse_condition(f"not ({one})").answer(measured).holds
    assert turned is (None if answer is None else not answer)
    assert parse_condition(f"(({one}))").answer(measured).holds is answer


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_a_told_fault(any_text: str) -> None:
    try:
        parse_condition(any_text)
    except DocumentError as error:
        assert error.message.startswith("column ")  # noqa: PT017


def test_conditions_of_bins() -> None:
    def bins(release: str, errors: float) -> list[Any]:
        return [
            Measurement(metric, release, "envoy", float(second), value)
            for second in range(10)
            for metric, value in (("requests", 50.0), ("errors", errors))
        ]

    both = [*bins("v1", 0.0), *bins("v2", 5.0)]
    condition = parse_condition("error_rate > 5%")
    assert condition.answer(sums(both, "v2")).holds is True
    assert condition.answer(sums(both, "v1")).holds is False
    assert condition.answer(sums(both, "v3")).holds is None


def test_every_metric_and_unit_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "conditions.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([^` ]+)`", page.replace("`, `_p", "`, `response_time_p")))
    names = {name for name in KNOWN if not name.startswith("response_time_p9")}
    units = {unit for one in UNITS.values() for unit in one if unit}
    assert (names | units) - told == set()
