"""From records to notices: each told once, with its reason and the next command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ospec.engine.journal import RunState
from ospec.models.context import Event
from ospec.models.notice import Notice
from ospec.models.run import Record
from ospec.notices.records import channels_of, notice_of

RUN = "20260131-235959-7f3a21"
PLAN = {
    "action": "deploy",
    "target": {"service": "shop", "environment": "production"},
    "release": {"name": "v2"},
    "previous": {"name": "v1"},
    "steps": [{"id": "01-switch"}],
}
STARTED = ("run-started", {"run": RUN, "plan": PLAN, "address": "http://127.0.0.1:8080"})


def told(records: Iterable[tuple[str, dict[str, Any]]], environment: str = "production") -> list[Notice]:
    """The notices of records, as they come."""
    state, made = RunState(), []
    for seq, (kind, body) in enumerate(records, 1):
        state.take(Record(seq, 100.0 + seq, kind, body))
        notice = notice_of(
            Event(run=RUN, service="shop", environment=environment, kind=kind, at=100.0 + seq, body=body), state
        )
        made += [notice] if notice else []
    return made


def end(outcome: str, code: int, message: str = "", error_code: str = "failed", *hints: str) -> tuple[str, Any]:
    error = {"code": error_code, "message": message, "where": "", "hints": list(hints)} if message else None
    return "run-finished", {"outcome": outcome, "exit_code": code, "error": error}


def note(step: str = "01-switch", **body: Any) -> tuple[str, Any]:
    return "step-note", {"step": step, "note": body}


def test_a_start() -> None:
    [notice] = told([STARTED])
    assert (notice.kind, notice.severity, notice.state) == ("started", "info", "taken")
    assert notice.title == "shop in production: deploying v2"
    assert notice.text == "v1 serves until then"
    assert notice.commands == (f"ospec show {RUN}", f"ospec abort {RUN}")
    assert (notice.id, notice.key) == (f"{RUN}/started", "shop/production/rollout")
    assert (notice.service, notice.environment, notice.release, notice.run) == ("shop", "production", "v2", RUN)
    assert notice.address == "http://127.0.0.1:8080"
    assert notice.at == 101.0


@pytest.mark.parametrize(
    ("ended", "kind", "severity", "state", "title", "command"),
    [
        (end("promoted", 0), "promoted", "info", "over", "v2 serves", f"ospec show {RUN}"),
        (end("restored", 1, "sick"), "restored", "warning", "over", "v2 was sent back, v1 serves", f"ospec show {RUN}"),
        (end("failed", 1, "sick"), "failed", "error", "news", "v2 failed, nothing is worse", f"ospec show {RUN}"),
        (end("failed", 3, "sick"), "frozen", "critical", "raised", "NOT restored", "ospec status -e production"),
        (end("aborted", 130, "aborted on request"), "aborted", "warning", "over", "aborted", f"ospec show {RUN}"),
        (end("aborted", 3, "sick"), "frozen", "critical", "raised", "NOT restored", "ospec status -e production"),
        (end("waiting", 4, "asked"), "held", "warning", "news", "v2 waits", f"ospec resume {RUN}"),
    ],
)  # fmt: skip
def test_how_it_ended(ended: Any, kind: str, severity: str, state: str, title: str, command: str) -> None:
    _, notice = told([STARTED, ended])
    assert (notice.kind, notice.severity, notice.state) == (kind, severity, state)
    assert title in notice.title
    assert notice.commands[0] == command
    assert notice.id == f"{RUN}/{kind}"


def test_the_reason_is_the_error_with_its_hints() -> None:
    _, notice = told([STARTED, end("restored", 1, "2 of 3 failed", "regressed", "see every number: ospec show")])
    assert notice.text == "2 of 3 failed\n→ see every number: ospec show"
    assert notice.commands == (f"ospec show {RUN} --explain",)


def test_the_reason_of_a_promotion_is_the_verdict_and_the_evidence() -> None:
    finished = {
        "step": "02-analyze",
        "kind": "analyze",
        "title": "judge",
        "status": "ok",
        "result": {"sentence": "v2 is no worse"},
        "error": None,
        "evidence": {"owner": "1", "requests": {"v2": 120}, "failed": {"v2": 1}, "buckets": {}, "failures": []},
    }
    _, notice = told([STARTED, ("step-finished", finished), end("promoted", 0)])
    assert notice.text == "v2 is no worse"
    assert notice.fields == {"action": "deploy", "requests": "120", "failed": "1"}


def test_default_environments_need_no_option() -> None:
    _, notice = told([STARTED, end("failed", 3, "sick")], environment="default")
    assert notice.commands == ("ospec status", f"ospec show {RUN}", "ospec run rollback")


def test_where_nothing_had_to_be_done_nobody_is_told() -> None:
    assert told([("run-started", {"run": RUN, "plan": {**PLAN, "steps": []}}), end("unchanged", 0)]) == []


def test_a_step_that_is_held_is_told_once_also_by_the_process_that_goes_on() -> None:
    held = note("03-analyze", held="a person has to say so")
    again = [note("03-analyze", line="waiting"), held, note("04-analyze", held="not enough data")]
    notices = told([STARTED, held, *again])[1:]
    assert [(one.kind, one.id) for one in notices] == [
        ("held", f"{RUN}/held/03-analyze"),
        ("held", f"{RUN}/held/04-analyze"),
    ]
    assert notices[0].title == "shop in production: v2 is held"
    assert notices[0].text == "a person has to say so"
    assert notices[0].commands == (f"ospec promote {RUN}", f"ospec abort {RUN}")


def test_an_approval_is_wanted() -> None:
    _, notice = told([STARTED, note(held="two of three agreed", approval=True)])
    assert (notice.kind, notice.title) == ("approval", "shop in production: v2 waits for an approval")


def test_a_pause_is_told_and_a_promotion_is_not() -> None:
    orders = [("order", {"id": 7, "order": one, "step": "s", "full": False}) for one in ("pause", "promote")]
    _, notice = told([STARTED, *orders])
    assert (notice.kind, notice.text, notice.id) == ("held", "a person paused it", f"{RUN}/held/order-7")


def test_what_a_step_says() -> None:
    said = note(notice={"text": "half way\nmore", "severity": "error", "channels": ["slack"]})
    _, notice = told([STARTED, said])
    assert (notice.kind, notice.severity, notice.state) == ("message", "error", "raised")
    assert notice.title == "shop in production: half way"
    assert notice.text == "half way\nmore"
    assert notice.key == "shop/production/message"
    assert notice.id == f"{RUN}/message/01-switch"
    event = Event(run=RUN, service="shop", environment="p", kind="step-note", at=0.0, body=said[1])
    assert channels_of(event) == ("slack",)


@pytest.mark.parametrize("kind", ["step-started", "step-finished", "path-changed", "heard-of-never"])
def test_other_records_are_no_notices(kind: str) -> None:
    body = {"step": "s", "kind": "k", "title": "t", "status": "ok", "aborted": False, "error": {}}
    assert len(told([STARTED, (kind, body)])) == 1


def test_text_is_bounded() -> None:
    _, notice = told([STARTED, end("restored", 1, "x" * 100_000)])
    assert len(notice.text) == 8_000
