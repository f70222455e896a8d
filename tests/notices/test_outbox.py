"""Delivery in the background: tried again, merged, paced, given up in time, and never in anybody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from ospec.errors import FatalError, RetryableError
from ospec.models.notice import Notice
from ospec.notices import outbox
from ospec.notices.outbox import BURST, TRIES, Channel, Outbox


def notice(kind: Any = "message", key: str = "shop/default/a", **more: Any) -> Notice:
    given = {"severity": "info", "title": "t", "service": "shop", "environment": "default", "id": f"{key}/{kind}"}
    return Notice(kind=kind, key=key, at=0.0, **{**given, **more})


def until(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Recorder:
    """Keeps what it is sent; `fails` are raised first, in order."""

    def __init__(self, *fails: Exception) -> None:
        self.fails, self.sent, self.tries = list(fails), list[Notice](), list[float]()

    def __call__(self, one: Notice) -> None:
        self.tries.append(time.monotonic())
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append(one)


def closed(channel: Channel, seconds: float = 5.0) -> tuple[int, str]:
    channel.close(time.monotonic() + seconds)
    channel.wait_closed()
    return channel.lost()


def test_what_was_told_is_delivered_in_order() -> None:
    send = Recorder()
    channel = Channel(send, seconds_between=0.0)
    for number in range(20):
        channel.tell(notice(key=f"k{number}"))
    assert closed(channel) == (0, "")
    assert [one.key for one in send.sent] == [f"k{number}" for number in range(20)]


def test_a_channel_that_was_told_nothing_has_no_thread() -> None:
    before = threading.active_count()
    channel = Channel(Recorder())
    assert closed(channel) == (0, "")
    assert threading.active_count() == before


def test_it_is_tried_again_after_the_receivers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_FIRST_WAIT_SECONDS", 0.01)
    send = Recorder(RetryableError("429", retry_after=0.3), RetryableError("503", retry_after=0.0))
    channel = Channel(send)
    channel.tell(notice())
    until(lambda: send.sent)
    assert send.tries[1] - send.tries[0] >= 0.3
    assert closed(channel) == (0, "")


def test_tries_are_bounded_and_the_first_reason_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_FIRST_WAIT_SECONDS", 0.001)
    send = Recorder(*[RetryableError(f"try {number}", retry_after=0.0) for number in range(TRIES)], FatalError("other"))
    channel = Channel(send)
    channel.tell(notice(key="a"))
    channel.tell(notice(key="b"))
    channel.tell(notice(key="c"))
    until(lambda: send.sent)
    assert len(send.tries) == TRIES + 2
    assert [one.key for one in send.sent] == ["c"]
    assert closed(channel) == (2, f"try {TRIES - 1}")


def test_a_receiver_that_asks_for_too_long_loses_the_notice() -> None:
    send = Recorder(RetryableError("429", retry_after=3600))
    channel = Channel(send)
    channel.tell(notice(key="a"))
    channel.tell(notice(key="b"))
    until(lambda: send.sent)
    assert closed(channel) == (1, "429")


@pytest.mark.parametrize("fault", [ValueError("https://hooks/SECRET"), SystemError("SECRET"), KeyError("SECRET")])
def test_a_fault_of_the_plugin_is_told_without_its_text(fault: Exception) -> None:
    channel = Channel(Recorder(fault))
    channel.tell(notice())
    assert closed(channel) == (1, f"a fault of the plugin ({type(fault).__name__})")


def test_errors_are_redacted() -> None:
    channel = Channel(Recorder(FatalError("no SECRET here")), lambda text: text.replace("SECRET", "***"))
    channel.tell(notice())
    assert closed(channel) == (1, "no *** here")


def test_a_huge_burst_is_merged_with_its_count() -> None:
    gate = threading.Event()
    send = Recorder()

    def slow(one: Notice) -> None:
        gate.wait(10)
        send(one)

    channel = Channel(slow, seconds_between=0.01)
    began = time.monotonic()
    for number in range(10_000):
        channel.tell(notice(title=f"number {number}"))
    assert time.monotonic() - began < 5, "telling waits for nobody"
    gate.set()
    assert closed(channel) == (0, "")
    assert sum(one.count for one in send.sent) == 10_000
    assert len(send.sent) <= 3
    assert send.sent[-1].title == "number 9999"


def test_kinds_and_things_are_not_mixed_and_end_as_they_did() -> None:
    gate, send = threading.Event(), Recorder()

    def slow(one: Notice) -> None:
        gate.wait(10)
        send(one)

    channel = Channel(slow, seconds_between=0.0)
    channel.tell(notice(key="first"))
    until(lambda: channel._sending)
    for kind, key in [("alert", "a"), ("alert", "b"), ("resolved", "a"), ("alert", "a")]:
        channel.tell(notice(kind, key))
    gate.set()
    assert closed(channel) == (0, "")
    told = [(one.kind, one.key, one.count) for one in send.sent[1:]]
    assert told == [("alert", "b", 1), ("resolved", "a", 1), ("alert", "a", 2)], "a fires at last, as it does"


def test_after_a_few_they_are_paced() -> None:
    send = Recorder()
    channel = Channel(send, seconds_between=0.1)
    for number in range(BURST + 3):
        channel.tell(notice(key=f"k{number}"))
    assert closed(channel) == (0, "")
    assert send.tries[BURST - 1] - send.tries[0] < 0.1
    assert all(later - one >= 0.09 for one, later in zip(send.tries[BURST - 1 :], send.tries[BURST:], strict=False))


def test_the_end_waits_no_longer_than_it_may() -> None:
    never = threading.Event()
    send = Recorder(*[RetryableError("busy", retry_after=30.0)] * 3)
    stuck = Channel(lambda one: (never.wait(30), None)[1])
    waiting = Channel(send)
    both = Outbox({"stuck": stuck, "waiting": waiting}, lambda one, named: ("stuck", "waiting"))
    both.tell(lambda: notice())
    until(lambda: send.tries)
    began = time.monotonic()
    warnings = both.close(0.5)
    assert 0.4 < time.monotonic() - began < 2
    never.set()
    assert warnings == [
        "stuck: 1 notice was not delivered: there was no time left for it",
        "waiting: 1 notice was not delivered: busy",
    ]


def test_a_receiver_that_asks_for_time_at_the_end_is_not_waited_for() -> None:
    send = Recorder(RetryableError("429", retry_after=60.0))
    box = Outbox({"a": Channel(send)}, lambda one, named: ("a",))
    box.tell(lambda: notice())
    until(lambda: send.tries)
    began = time.monotonic()
    assert box.close(5) == ["a: 1 notice was not delivered: 429"]
    assert time.monotonic() - began < 2


def test_one_channel_that_fails_is_one_warning_and_the_others_go_on() -> None:
    good, bad = Recorder(), Recorder(*[FatalError("gone")] * 7)
    box = Outbox(
        {"good": Channel(good, seconds_between=0.0), "bad": Channel(bad, seconds_between=0.0)},
        lambda one, named: named or ("good", "bad", "ugly"),
    )
    for number in range(7):
        box.tell(lambda number=number: notice(key=f"k{number}"))  # type: ignore[misc]
    box.tell(lambda: notice(key="only"), ("good",))
    box.tell(lambda: None)
    assert box.close() == [
        "7 notices were for 'ugly' and told nobody: no plugin brings it",
        "bad: 7 notices were not delivered: gone",
    ]
    assert len(good.sent) == 8


def test_telling_never_raises() -> None:
    def broken() -> Notice:
        raise ZeroDivisionError("oops")

    box = Outbox({}, lambda one, named: ())
    box.tell(broken)
    box.tell(broken)
    assert box.close() == ["a notice could not be made: ZeroDivisionError: oops"]


def test_counts_add_up_when_merged_notices_are_merged() -> None:
    send = Recorder(RetryableError("busy", retry_after=0.05))
    channel = Channel(send)
    channel.tell(evolve(notice(), count=3))
    until(lambda: send.tries)
    channel.tell(notice())
    channel.tell(notice())
    assert closed(channel) == (0, "")
    assert [one.count for one in send.sent] == [3, 2]
