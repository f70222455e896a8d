"""The prober against a real server: it counts what was answered, by release, and what was not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ospec.engine.evidence import Prober, summary
from ospec.front_door import Asker


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.connections.add(self.client_address)
        body = b"x" * 10
        self.send_response(server.status)
        self.send_header("x-ospec-release", server.release)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.status, made.release, made.connections = 200, "v1", set()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_requests_and_failures_are_counted_by_release(server: Any) -> None:
    prober = Prober("1", address(server), "/", 200.0, lambda: "07-switch")
    prober.start()

    def seen(name: str) -> int:
        return int(prober.evidence()["requests"].get(name, 0))

    until(lambda: seen("v1") >= 5)
    server.release = "v2"
    until(lambda: seen("v2") >= 5)
    server.status = 503
    until(lambda: bool(prober.evidence()["failed"]))
    prober.stop()
    found = summary([prober.evidence()])
    assert set(found["by_release"]) == {"v1", "v2"}
    assert found["by_release"]["v1"]["failed"] == 0
    assert found["by_release"]["v2"]["failed"] > 0
    assert found["requests"] == sum(one["requests"] for one in found["by_release"].values())
    assert found["failures"][0]["step"] == "07-switch"
    assert found["failures"][0]["why"] == "status 503"
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]
    assert len(server.connections) > 2, "kept and new connections"


def test_nobody_there_is_a_failure(server: Any) -> None:
    asker = Asker("http://127.0.0.1:9", timeout_seconds=1.0)
    answer = asker.ask()
    assert answer.failed
    assert "refused" in answer.error.lower()


def test_a_kept_connection_is_kept(server: Any) -> None:
    asker = Asker(address(server))
    assert all(asker.ask().status == 200 for _ in range(5))
    assert len(server.connections) == 1
    assert asker.ask(fresh=True).release == "v1"
    assert len(server.connections) == 2
    asker.close()


def test_evidence_of_two_processes_adds_up() -> None:
    one = {
        "owner": "1",
        "requests": {"v1": 2},
        "failed": {"v1": 1},
        "buckets": {"v1": {"0": 2}},
        "failures": [{"a": 1}],
    }
    two = {"owner": "2", "requests": {"v1": 3, "v2": 1}, "failed": {}, "buckets": {"v1": {"0": 3}, "v2": {"50": 1}}}
    found = summary([one, {**two, "failures": []}])
    assert (found["requests"], found["failed"]) == (6, 1)
    assert found["by_release"]["v1"]["requests"] == 5
    assert found["p50_ms"] == 1.0
    assert found["p99_ms"] == pytest.approx(1.05**50, rel=0.01)
    assert summary([])["p50_ms"] is None
