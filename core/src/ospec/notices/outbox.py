"""Delivers notices in the background: one thread a channel, tried again for a while, bursts merged.

Nothing here raises to whoever tells, or holds it up: a channel that fails costs one warning.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from attrs import evolve

from ospec.errors import OspecError, RetryableError
from ospec.models.notice import Notice

TRIES = 6
"""For each notice…"""
PATIENCE_SECONDS = 120.0
"""…within so long; a receiver that asks for more has its wish, and loses the notice."""
FLUSH_SECONDS = 10.0
"""How long the end of a command waits for what is still to be delivered."""
BURST = 5
"""So many notices of one channel may go at once; after that, one each `seconds_between`."""
_FIRST_WAIT_SECONDS = 0.5

Send = Callable[[Notice], None]
"""One try; raises `RetryableError` where another one may help."""


class Channel:
    """What is still to be told through one notifier, and the thread that does it.

    Notices of the same key and kind that wait become the newest of them, with their count: a thousand of them are one
    message. Their order is that of the newest ones, so that an incident ends as it did.

    Args:
        redact: takes what is secret out of an error's text.
        seconds_between: the least time from one notice to the next, after the first few.
    """

    def __init__(self, send: Send, redact: Callable[[str], str] = str, seconds_between: float = 1.0) -> None:
        self._send, self._redact, self._between = send, redact, seconds_between
        self._waiting: OrderedDict[tuple[str, str], Notice] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closes_at: float | None = None
        self._sending = 0
        self._lost = 0
        self._why = ""
        self._tokens, self._counted_at = float(BURST), time.monotonic()

    def tell(self, notice: Notice) -> None:
        """Have it delivered; returns at once."""
        with self._changed:
            what = (notice.key, notice.kind)
            before = self._waiting.pop(what, None)
            self._waiting[what] = evolve(notice, count=notice.count + before.count) if before else notice
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, deadline: float) -> None:
        """Nothing more will be told: what waits is delivered, not beyond `deadline` (monotonic seconds)."""
        with self._changed:
            self._closes_at = deadline
            self._changed.notify_all()

    def wait_closed(self) -> None:
        """Wait until all is delivered, or the deadline of `close` has passed."""
        if self._thread is not None and self._closes_at is not None:
            self._thread.join(max(0.0, self._closes_at - time.monotonic()))

    def lost(self) -> tuple[int, str]:
        """How many notices were not delivered (after `wait_closed`), and the first reason."""
        with self._changed:
            left = self._sending + sum(one.count for one in self._waiting.values())
            why = self._why or ("there was no time left for it" if left else "")
            return self._lost + left, why

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            error = self._delivered(notice)
            with self._changed:
                self._sending = 0
                if error is not None:
                    self._lost += notice.count
                    self._why = self._why or self._redact(error)

    def _next(self) -> Notice | None:
        """The oldest that waits, once its turn has come; None when there will be no more."""
        with self._changed:
            while not self._waiting:
                if self._closes_at is not None:
                    return None
                self._changed.wait()
            while (wait := self._until_turn()) > 0:  # meanwhile others may be merged into it
                if self._closed_within(wait):
                    return None
                self._changed.wait(wait)
            self._tokens -= 1.0
            _, notice = self._waiting.popitem(last=False)
            self._sending = notice.count
            return notice

    def _until_turn(self) -> float:
        now = time.monotonic()
        if self._between > 0:
            self._tokens = min(float(BURST), self._tokens + (now - self._counted_at) / self._between)
            self._counted_at = now
            return (1.0 - self._tokens) * self._between
        return 0.0

    def _closed_within(self, seconds: float) -> bool:
        return self._closes_at is not None and time.monotonic() + seconds > self._closes_at

    def _delivered(self, notice: Notice) -> str | None:
        """Try until it is delivered; why it is not, or None."""
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        for number in range(TRIES):
            try:
                self._send(notice)
                return None
            except RetryableError as error:
                why, wait = error.message, max(error.retry_after, _FIRST_WAIT_SECONDS * 2**number)
            except OspecError as error:
                return error.message
            except Exception as error:  # a plugin may raise anything, and its text may hold anything
                return f"a fault of the plugin ({type(error).__name__})"
            with self._changed:
                if number == TRIES - 1 or time.monotonic() + wait > gives_up_at:
                    return why
                ready_at = time.monotonic() + wait
                while (left := ready_at - time.monotonic()) > 0:
                    if self._closed_within(left):
                        return why
                    self._changed.wait(left)
        return "it was tried too often"


class Outbox:
    """All channels of one command.

    Args:
        channels: by name.
        route: the names of the channels that a notice belongs to, given those that it names itself; also of ones that
            do not exist.
    """

    def __init__(
        self, channels: Mapping[str, Channel], route: Callable[[Notice, tuple[str, ...] | None], tuple[str, ...]]
    ) -> None:
        self._channels, self._route = dict(channels), route
        self._missing: dict[str, int] = {}
        self._broken = ""

    def tell(self, make: Callable[[], Notice | None], channels: tuple[str, ...] | None = None) -> None:
        """Have what `make` gives delivered. Never raises, never waits.

        Args:
            channels: the names of its channels, instead of the usual ones.
        """
        try:
            notice = make()
            if notice is None:
                return
            for name in self._route(notice, channels):
                if name in self._channels:
                    self._channels[name].tell(notice)
                else:
                    self._missing[name] = self._missing.get(name, 0) + 1
        except Exception as error:  # telling people must not stop what they are told about
            self._broken = self._broken or f"{type(error).__name__}: {error}"

    def close(self, seconds: float = FLUSH_SECONDS) -> list[str]:
        """Deliver what is left within `seconds`; a warning for each channel that did not get all."""
        deadline = time.monotonic() + seconds
        for channel in self._channels.values():  # all at once: one that is slow takes no time from the others
            channel.close(deadline)
        for channel in self._channels.values():
            channel.wait_closed()
        warnings = [f"a notice could not be made: {self._broken}"] if self._broken else []
        warnings += [
            f"{_count(count)} for {name!r} and told nobody: no plugin brings it"
            for name, count in self._missing.items()
        ]
        for name, channel in self._channels.items():
            lost, why = channel.lost()
            if lost:
                warnings.append(f"{name}: {_count(lost)} not delivered: {why}")
        return warnings


def _count(count: int) -> str:
    return "1 notice was" if count == 1 else f"{count} notices were"
