"""A receiver of notices for tests: a real HTTP server on this machine that answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from attrs import field, frozen


@frozen
class Received:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    at: float
    """On the monotonic clock."""

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@frozen
class Answer:
    """What is answered to one request."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b"ok"
    after: threading.Event | None = None
    """Set to let the answer go; the server waits for it."""
    closes: bool = False
    """The connection is closed instead of an answer."""


class Receiver:
    """Use it as a context manager; `answers` are given in order, and the last one again and again."""

    def __init__(self, *answers: Answer, tls: Callable[[Any], Any] | None = None) -> None:
        self.answers = list(answers) or [Answer()]
        self.received: list[Received] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls(self._server.socket)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 20.0) -> list[Received]:
        """The requests, once there are so many; raises `AssertionError` where they do not come in time."""
        deadline = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"{len(self.received)} of {count} requests came within {seconds:g} s"
            time.sleep(0.005)
        return self.received

    def take(self, received: Received) -> Answer:
        """Keep a request; what is answered to it."""
        with self._lock:
            self.received.append(received)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(Received(self.command, self.path, headers, body, time.monotonic()))
            if answer.after is not None:
                answer.after.wait(60)
            if answer.closes:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *given: Any) -> None:
            """Nothing is printed."""

        def handle(self) -> None:
            with suppress(OSError):  # whoever asked left
                super().handle()

    return Handler
