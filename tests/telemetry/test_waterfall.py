from __future__ import annotations

from typing import Any

import pytest
from ospec.telemetry.waterfall import draw, duration


def span(key: str, parent: str | None, start: float, seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "name": f"ospec.step.{key}",
        "trace_id": "t1",
        "span_id": key,
        "parent_id": parent,
        "start": 1000.0 + start,
        "seconds": seconds,
        "status": "ok",
        "attributes": {},
        **more,
    }


def test_children_stand_below_their_parent_on_one_time_axis() -> None:
    spans = [
        span("switch", "run", 5, 5, status="error", attributes={"ospec.error_code": "not-acknowledged"}),
        span("deploy", "run", 0, 5),
        span("call", "deploy", 2.5, 2.5, name="ospec.hook.deploy", attributes={"ospec.plugin": "local"}),
        span("run", None, 0, 10, name="ospec.run"),
    ]
    assert draw(spans, 57).splitlines() == [
        "trace t1, 10 s",
        "ospec.run          " + "█" * 28 + "      10 s",
        "  deploy           " + "█" * 14 + " " * 14 + "       5 s",
        "    deploy (local) " + " " * 7 + "█" * 7 + " " * 14 + "     2.5 s",
        "  switch           " + " " * 14 + "█" * 14 + "       5 s  ✗ not-acknowledged",
    ]


def test_a_short_span_is_still_seen() -> None:
    lines = draw([span("run", None, 0, 10), span("end", "run", 10, 0.0001)], 60).splitlines()
    assert lines[2].rstrip().endswith("▏    100 µs")


def test_spans_without_their_parent_stand_at_the_margin() -> None:
    assert draw([span("deploy", "lost", 0, 1)], 60).splitlines()[1].startswith("deploy ")


def test_spans_that_lost_one_parent_stand_in_the_order_of_their_start() -> None:
    spans = [span("run", None, 5, 1), span("second", "lost", 6, 1), span("first", "lost", 0, 1)]
    assert [line.split()[0] for line in draw(spans, 60).splitlines()] == ["trace", "first", "run", "second"]


def test_each_trace_has_an_axis_of_its_own() -> None:
    drawn = draw([span("one", None, 0, 1), span("two", None, 9000, 1, trace_id="t2")], 60)
    assert [part.splitlines()[0] for part in drawn.split("\n\n")] == ["trace t1, 1 s", "trace t2, 1 s"]


def test_equal_calls_in_a_row_are_one_line_with_their_count() -> None:
    asked = [span(f"ask-{at}", "run", at, 0.5, name="ospec.hook.health_check") for at in range(5)]
    spans = [span("run", None, 0, 10), *asked, span("again", "run", 8, 1)]
    lines = draw(spans, 60).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("  health_check ×5 ")
    assert "░" in lines[2]
    assert lines[2].endswith(" 4.5 s")
    assert lines[3].startswith("  again   ")


def test_calls_that_differ_or_have_children_or_are_few_are_not_folded() -> None:
    few = [span(f"ask-{at}", "run", at, 0.5, name="few") for at in range(3)]
    failed = [span(f"fail-{at}", "run", 4 + at, 0.5, name="f", status="error" if at == 2 else "ok") for at in range(4)]
    spans = [span("run", None, 0, 10), *few, *failed, span("child", "fail-0", 4, 0.1)]
    assert len(draw(spans, 60).splitlines()) == 1 + len(spans)


def test_a_ring_of_parents_ends() -> None:
    drawn = draw([span("one", "two", 0, 1), span("two", "one", 0, 1), span("three", "two", 0, 1)], 60)
    assert len(drawn.splitlines()) == 4


@pytest.mark.parametrize("width", [1, 20, 40, 80, 200])
def test_lines_fit_the_width(width: int) -> None:
    lines = draw([span("a-step-with-quite-a-long-name" * 3, None, 0, 1)], width).splitlines()
    assert len(lines[1]) <= max(width, 12 + 1 + 10 + 1 + 9)
    assert "…" in lines[1]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in draw([span("run", None, 0, 1, name="\x1b[31mred")], 60)


def test_no_spans_no_lines() -> None:
    assert draw([], 80) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 µs"), (0.0008124, "812 µs"), (0.0123, "12.3 ms"), (4.56, "4.56 s"), (185.2, "3 m 05 s"), (59.999, "60 s")],
)
def test_durations_have_the_unit_that_suits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
