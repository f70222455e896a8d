"""A tiny server that answers as it is told, and the plugin's hooks asked as the engine asks them."""

from __future__ import annotations

import email.utils
import json
import math
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ospec.models.context import Deadline, MetricsContext, ObserveContext
from ospec.models.document import Analysis, AnalysisMetric, Deployment
from ospec.models.live import Measurement, Slot
from ospec.models.registration import SourceState
from ospec.models.release import ReleaseRef
from ospec.models.target import Target
from ospec_plugin_prometheus import hooks, telling

REQUESTS = 'http_requests_total{version="{{release}}"}'
ERRORS = 'http_requests_total{version="{{release}}",code=~"5.."}'
BUCKETS = 'http_request_duration_seconds_bucket{version="{{release}}"}'
NOW = 1_760_000_000.0
Reply = tuple[int, bytes] | Callable[[Any], None]


class FakePrometheus:
    """`answers` finds what a query gets by a part of its text; anything else is an empty vector."""

    def __init__(self) -> None:
        self.answers: dict[str, Reply] = {}
        self.queries: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.now = NOW
        self.released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                query = form["query"][0]
                fake.queries.append(query)
                fake.headers.append(dict(self.headers.items()))
                reply = next((fake.answers[part] for part in fake.answers if part in query), matrix())
                if callable(reply):
                    reply(self)
                    return
                self.begin(reply[0], len(reply[1]))
                self.wfile.write(reply[1])

            def begin(self, status: int, length: int, **headers: str) -> None:
                self.send_response_only(status)
                self.send_header("Date", email.utils.formatdate(fake.now, usegmt=True))
                self.send_header("content-length", str(length))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def hang(self, handler: Any) -> None:
        """A reply that never comes (until the test is over)."""
        self.released.wait(30.0)

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def matrix(*series: tuple[Mapping[str, str], list[tuple[float, float | str]]], **more: Any) -> tuple[int, bytes]:
    """A successful answer."""
    result = [
        {"metric": dict(labels), "values": [[at, str(value)] for at, value in points]} for labels, points in series
    ]
    told = {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    return 200, json.dumps(told).encode()


def counter(
    labels: Mapping[str, str], rate: float, *, start: float = 0.0, first: float = NOW - 60, gap: float = 1.0
) -> tuple[Mapping[str, str], list[tuple[float, float | str]]]:
    """A series that counts `rate` a second, scraped every `gap` seconds until now."""
    many = math.floor((NOW - first) / gap) + 1
    return {"job": "web", "instance": "a:1", **labels}, [(first + n * gap, start + rate * n * gap) for n in range(many)]


class Asking:
    """The plugin, asked about v1 (in blue) and v2 (in green)."""

    def __init__(self, fake: FakePrometheus) -> None:
        self.fake = fake
        self.lines: list[str] = []
        self.settings: dict[str, Any] = {
            "url": fake.url,
            "timeout_seconds": 5.0,
            "interval_seconds": 1.0,
            "queries": {"requests": REQUESTS, "errors": ERRORS},
        }
        self.metrics: tuple[AnalysisMetric, ...] = ()
        self.slots = (slot("blue", "v1"), slot("green", "v2"))
        self.more: dict[str, Any] = {}

    @property
    def target(self) -> Target:
        deployment = Deployment(analysis=Analysis(metrics=self.metrics))
        plugins = {"prometheus": self.settings}
        return Target("shop", "Shop", "production", "local", "canary", deployment=deployment, plugins=plugins)

    def collect(self, since_seconds: float = 10.0, **fields: Any) -> list[Measurement]:
        given = {**self._given(), "slots": self.slots, "since_seconds": since_seconds, **fields}
        return list(hooks.collect_metrics(MetricsContext(**given)))

    def check(self, **fields: Any) -> SourceState:
        return hooks.check(ObserveContext(**{**self._given(), **fields}))

    def _given(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "home": Path("state"),
            "operation_id": "run-1/05-analyze",
            "deadline": Deadline.after(30.0),
            "log": self.lines.append,
            **self.more,
        }


def slot(label: str, *releases: str) -> Slot:
    return Slot(label, label, "stable", tuple(ReleaseRef(name, name * 8) for name in releases))


@pytest.fixture
def fake() -> Iterator[FakePrometheus]:
    made = FakePrometheus()
    yield made
    made.close()


@pytest.fixture
def asking(fake: FakePrometheus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    monkeypatch.setattr("ospec_plugin_prometheus.collecting.time", types.SimpleNamespace(time=lambda: NOW))
    telling.forget()
    yield Asking(fake)
    telling.forget()
    deadline = time.monotonic() + 10
    fake.released.set()
    while any(one.name == "prometheus" for one in threading.enumerate()):
        assert time.monotonic() < deadline, "threads are left"
        time.sleep(0.01)


@pytest.fixture
def make() -> Any:
    """Makers of answers: `make.matrix(...)`, `make.counter(...)`, `make.slot(...)`, `make.now`."""

    class Make:
        now = NOW

    Make.matrix, Make.counter, Make.slot = staticmethod(matrix), staticmethod(counter), staticmethod(slot)  # type: ignore[attr-defined]
    return Make
