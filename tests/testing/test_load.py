"""The load generator tells the truth about what a server did, over real sockets."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ospec.testing.load import Load
from ospec.testing.load_samples import LoadResult, Samples, percentile


def loaded(url: str, seconds: float = 1.0, **options: Any) -> LoadResult:
    """The figures of a run by command."""
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "ospec.testing.load", url, "--seconds", str(seconds), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    told["samples"] = Samples()
    return LoadResult(**told)


def test_every_scheduled_request_is_sent_on_few_connections(server: Any) -> None:
    result = loaded(server.url, rate=300, connections=4)
    assert (result.requests, result.failed) == (300, 0)
    assert server.requests == 300
    assert server.connections <= 4


def test_the_schedule_does_not_wait_for_answers(server: Any, http_answer: Any) -> None:
    def stalled(number: int) -> bytes:
        if number == 0:
            time.sleep(0.5)
        return bytes(http_answer())

    server.answering = stalled
    result = loaded(server.url, rate=100, connections=1)
    assert (result.requests, result.failed) == (100, 0)
    # Half of them were due while the only connection was held: their wait is part of their latency.
    assert result.max_ms >= 500
    assert result.p50_ms < 500
    assert result.sent_late_p99_ms > 100


def test_releases_are_told_apart_with_their_times(server: Any, http_answer: Any) -> None:
    server.answering = lambda number: http_answer(release="v1")
    with Load(server.url, rate=200, connections=2) as load:
        wait_for(lambda: server.requests >= 50)
        switched_at = time.time()
        server.answering = lambda number: http_answer(release="v2")
        switched = server.requests
        wait_for(lambda: server.requests >= switched + 50)
    result = load.stop()
    first, second = result.by_release["v1"], result.by_release["v2"]
    assert first.requests >= 50
    assert second.requests >= 45
    assert first.first_sent < first.last_sent <= second.first_done
    assert abs(second.first_done - switched_at) < 1.0
    assert result.samples.sent_after(second.first_done + 0.2, "v1") == []
    assert len(result.samples.sent_after(first.first_sent - 0.001, "v1")) == first.requests


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 abc\r\n\r\n", "malformed"),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", "status-503"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ncut", "timeout"),
        (None, "timeout"),
    ],
)
def test_failures_have_a_time_and_a_reason(server: Any, http_answer: Any, made: bytes | None, error: str) -> None:
    server.answering = lambda number: made if number == 20 else http_answer()
    with Load(server.url, rate=100, connections=4, timeout_seconds=0.5) as load:
        wait_for(lambda: server.requests >= 40)
    result = load.stop()
    assert result.errors == {error: 1}
    (failure,) = result.samples.failures()
    assert result.started_at <= failure.scheduled_at <= result.started_at + result.seconds
    assert failure.error == error


def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/"
        result = loaded(url, rate=50, seconds=0.2)
    assert result.errors == {"connect": result.requests}
    assert result.requests == 10


def test_start_says_when_nothing_answers(server: Any) -> None:
    server.answering = lambda number: None
    load = Load(server.url, rate=10, first_answer_seconds=0.3, timeout_seconds=0.3)
    with pytest.raises(TimeoutError, match="is it serving"):
        load.start()


@pytest.mark.parametrize(
    "made",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ntrailer: a\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"HTTP/1.1 302 There\r\nCONTENT-LENGTH: 2\r\n\r\nok",
    ],
)
def test_answers_of_every_shape_keep_their_connection(server: Any, made: bytes) -> None:
    server.answering = lambda number: made
    result = loaded(server.url, rate=100, connections=1, seconds=0.3)
    assert (result.requests, result.failed) == (30, 0)
    assert server.connections == 1


def test_an_answer_may_say_close(server: Any, http_answer: Any) -> None:
    server.answering = lambda number: http_answer(more=b"connection: close\r\n")
    result = loaded(server.url, rate=50, connections=4, seconds=0.4)
    assert (result.requests, result.failed) == (20, 0)
    assert server.connections == 20


def test_fresh_connections(server: Any) -> None:
    result = loaded(server.url, rate=100, connections=1, seconds=0.4, fresh_share=0.25)
    assert (result.requests, result.failed) == (40, 0)
    assert server.connections == 11, "ten of their own and one that is kept"


def test_bad_arguments_are_refused() -> None:
    command = [sys.executable, "-m", "ospec.testing.load", "https://example.invalid/", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "expected http://" in done.stderr


def test_samples_survive_their_file(tmp_path: Path) -> None:
    samples = Samples()
    for number, (status, release, error) in enumerate([(200, "v1", ""), (503, "v2", "status-503"), (0, "", "closed")]):
        samples.add(1000.0 + number, 0.5, 2.25, status, release, error)
    path = tmp_path / "samples.csv"
    samples.write_csv(path)
    assert list(Samples.read_csv(path)) == list(samples)
    assert [one.error for one in samples.failures()] == ["status-503", "closed"]


def test_percentiles_are_of_the_nearest_rank() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 50) == 7.0
    assert percentile([], 50) == 0.0


def wait_for(is_so: Any, seconds: float = 20.0) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    for _ in itertools.count():
        if is_so():
            return
        assert time.monotonic() < deadline
        time.sleep(0.005)
