"""Asking Prometheus over HTTP. Standard library only; a look never waits longer than its time, nor for a cancelled run.

Each request has a daemon thread of its own kind, since a blocked socket cannot be asked to stop: the caller goes away,
and the thread ends with its socket's own time-out.
"""

from __future__ import annotations

import email.utils
import http.client
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from ospec.errors import OspecError
from ospec.models.context import HookContext

from ospec_plugin_prometheus.answers import Answer, NoAnswerError, read_answer, read_refusal
from ospec_plugin_prometheus.settings import PrometheusSettings

_AT_ONCE = 6
"""Requests at a time: Prometheus itself takes 20 queries at once from everybody."""
_LOOK_AROUND_SECONDS = 0.2
_LARGEST_BODY = 64 << 20
_PIECE = 1 << 16


@frozen
class Endpoint:
    """Where and how to ask. The headers hold secrets: this is never shown, kept or written."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


def endpoint_of(settings: PrometheusSettings, ctx: HookContext) -> Endpoint:
    """Resolve the secrets; raises `NoAnswerError` where one is missing or cannot be sent."""
    given = dict(settings.headers)
    if settings.token:
        given["Authorization"] = f"Bearer {settings.token}"
    headers = {}
    for name, text in given.items():
        try:
            value = ctx.secrets.resolve(text).strip()
        except OspecError as error:
            raise NoAnswerError(f"the header {name}: {error.message}", "; ".join(error.hints), wrong=True) from None
        if not value.isprintable() or not value.isascii():
            raise NoAnswerError(f"the value of the header {name} has characters that no header can have", wrong=True)
        headers[name] = value
    return Endpoint(settings.url.rstrip("/") + "/api/v1/query", headers)


def ask_all(
    endpoint: Endpoint, questions: Sequence[str], ctx: HookContext, seconds: float
) -> list[Answer | NoAnswerError]:
    """Ask every question, several at once; what has no answer after `seconds` has a reason instead.

    Raises:
        CancelledError: the run was aborted, at most a fraction of a second ago.
    """
    deadline = time.monotonic() + min(seconds, ctx.deadline.left)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Answer | NoAnswerError]] = queue.SimpleQueue()
    given_up = threading.Event()
    for number in range(len(questions)):
        waiting.put(number)

    def work() -> None:
        while not given_up.is_set():
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            done.put((number, _asked(endpoint, questions[number], max(0.05, deadline - time.monotonic()), given_up)))

    for _ in range(min(_AT_ONCE, len(questions))):
        threading.Thread(target=work, name="prometheus", daemon=True).start()
    late = NoAnswerError(f"no answer within {seconds:g} s", "plugins.prometheus.timeout_seconds", unreachable=True)
    answers: list[Answer | NoAnswerError] = [late] * len(questions)
    left = len(questions)
    try:
        while left and (rest := deadline - time.monotonic()) > 0:
            if ctx.cancelled.is_set():
                ctx.check()
            try:
                number, answer = done.get(timeout=min(rest, _LOOK_AROUND_SECONDS))
            except queue.Empty:
                continue
            answers[number] = answer
            left -= 1
    finally:
        given_up.set()
    return answers


def _asked(endpoint: Endpoint, question: str, seconds: float, given_up: threading.Event) -> Answer | NoAnswerError:
    """One answer, or why there is none. Texts of exceptions are not passed on: they may hold a header."""
    try:
        return _ask(endpoint, question, seconds, given_up)
    except NoAnswerError as reason:
        return reason
    except Exception as error:  # whatever it is, it is no answer, and no end of a run
        return _unreachable(error)


def _ask(endpoint: Endpoint, question: str, seconds: float, given_up: threading.Event) -> Answer:
    form = urllib.parse.urlencode({"query": question, "timeout": f"{max(1, round(seconds * 1000))}ms"}).encode()
    headers = {"User-Agent": "ospec", "Accept": "application/json", **endpoint.headers}
    request = urllib.request.Request(endpoint.url, form, headers)  # noqa: S310 (http or https, as settings say)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=seconds) as answer:
            body = _read(answer, given_up)
            return read_answer(body, _clock(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            raise read_refusal(error.code, error.read(_PIECE)) from None


def _read(answer: Any, given_up: threading.Event) -> bytes:
    pieces, size = [], 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if given_up.is_set():
            raise NoAnswerError("nobody waits any more")
        if size > _LARGEST_BODY:
            raise NoAnswerError(f"its answer is larger than {_LARGEST_BODY >> 20} MB", "select fewer series")
    if answer.length:  # what was announced and did not come
        raise NoAnswerError("its answer is cut off")
    return b"".join(pieces)


def _clock(headers: Any) -> float:
    try:
        return email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    except (TypeError, ValueError):
        return time.time()


def _unreachable(error: BaseException) -> NoAnswerError:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return NoAnswerError("no answer in time", "plugins.prometheus.timeout_seconds", unreachable=True)
    why = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or type(cause).__name__
    cut = isinstance(cause, (http.client.HTTPException, ConnectionResetError, BrokenPipeError))
    return NoAnswerError(
        f"it cannot be reached ({why})" if not cut else f"the connection broke ({why})", unreachable=True
    )


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token is meant for one server."""

    def redirect_request(self, *given: Any) -> None:
        return None
