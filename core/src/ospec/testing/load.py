"""An open-loop HTTP load generator in a process of its own: ``python -m ospec.testing.load URL --rate 2000``.

In a test::

    with Load("http://127.0.0.1:8080/", rate=2000, connections=64) as load:
        deploy_something()
    result = load.stop()
    assert result.failed == 0, result.samples.failures()[:5]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs

from ospec.converter import to_json
from ospec.testing.load_client import Client
from ospec.testing.load_samples import LoadResult, Samples


class Load:
    """A load run in a subprocess, from `start` (or entering the context) to `stop` (or leaving it).

    Args:
        url: ``http://HOST:PORT/PATH`` to ask.
        rate: requests a second, on a fixed schedule.
        connections: the most keep-alive connections at a time.
        fresh_share: share of the requests, 0 to 1, that get a new connection of their own.
        timeout_seconds: when an unanswered request counts as failed.
        first_answer_seconds: how long `start` waits for the first answer; 0 does not wait.
    """

    def __init__(
        self,
        url: str,
        rate: float = 200.0,
        connections: int = 16,
        *,
        fresh_share: float = 0.0,
        timeout_seconds: float = 30.0,
        first_answer_seconds: float = 10.0,
    ) -> None:
        self.url, self.rate = url, rate
        self._first_answer = first_answer_seconds
        self._arguments = [
            url, "--rate", str(rate), "--connections", str(connections), "--fresh-share", str(fresh_share),
            "--timeout", str(timeout_seconds), "--json", "--tell-first-answer",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._result: LoadResult | None = None

    def start(self) -> Load:
        """Start sending; raise `TimeoutError` where nothing answers in time."""
        folder = tempfile.mkdtemp(prefix="ospec-load-")
        self._samples = Path(folder, "samples.csv")
        command = [sys.executable, "-m", "ospec.testing.load", *self._arguments, "--samples", str(self._samples)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._first_answer and not self._told():
            self.stop()
            raise TimeoutError(f"no answer from {self.url} within {self._first_answer:g} s: is it serving?")
        return self

    def stop(self) -> LoadResult:
        """Stop sending, wait for what is open, and give the figures; the same ones when called again."""
        if self._result is None:
            assert self._process is not None, "start it first"
            output, _ = self._process.communicate()  # closes its stdin, which stops it
            if self._process.returncode:
                raise RuntimeError(f"the load generator ended with code {self._process.returncode}")
            samples = Samples.read_csv(self._samples)
            summary = json.loads(output.splitlines()[-1])
            self._result = samples.result(self.url, self.rate, summary["started_at"], summary["seconds"])
            self._samples.unlink()
            self._samples.parent.rmdir()
        return self._result

    def __enter__(self) -> Load:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _told(self) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._first_answer):
                return False
        # One byte, past the pipe's buffer object, so that `communicate` later finds everything else.
        return os.read(self._process.stdout.fileno(), 1) == b"\n"


def summary(result: LoadResult) -> dict[str, Any]:
    """The figures as JSON values, without the samples."""
    values: dict[str, Any] = to_json(attrs.evolve(result, samples=Samples()).by_release)
    plain = {
        name: getattr(result, name) for name in attrs.fields_dict(LoadResult) if name not in ("samples", "by_release")
    }
    return {**plain, "errors": dict(result.errors), "by_release": values}


async def _run(options: argparse.Namespace) -> LoadResult:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.seconds is None:
        loop.add_reader(sys.stdin.fileno(), stop.set)

    def first_answer() -> None:
        if options.tell_first_answer:
            os.write(1, b"\n")

    client = Client(
        options.url, options.rate, options.connections, options.fresh_share, options.timeout, on_answer=first_answer
    )
    result = await client.run(options.seconds, stop)
    if options.seconds is None:
        loop.remove_reader(sys.stdin.fileno())
    return result


def main(arguments: list[str] | None = None) -> int:
    """The command: prints the figures, exits 0 even where requests failed (the figures say so)."""
    parser = argparse.ArgumentParser(prog="python -m ospec.testing.load", description=__doc__.split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--connections", type=int, default=16, help="most keep-alive connections")
    parser.add_argument("--fresh-share", type=float, default=0.0, help="share of requests on new connections, 0 to 1")
    parser.add_argument("--seconds", type=float, help="how long; without it until stdin ends, SIGINT or SIGTERM")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds until a request counts as failed")
    parser.add_argument("--samples", type=Path, help="write every request to this CSV file")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--tell-first-answer", action="store_true", help="print an empty line at the first answer")
    options = parser.parse_args(arguments)
    result = asyncio.run(_run(options))
    if options.samples:
        result.samples.write_csv(options.samples)
    if options.json:
        print(json.dumps(summary(result)))
    else:
        told = time.strftime("%H:%M:%S", time.localtime(result.started_at))
        print(
            f"{result.requests} requests from {told} in {result.seconds} s,"
            f" {result.failed} failed {dict(result.errors)},"
            f" p50 {result.p50_ms} p95 {result.p95_ms} p99 {result.p99_ms} max {result.max_ms} ms"
        )
        for name, span in result.by_release.items():
            print(f"  {name}: {span.requests} requests, first {span.first_done:.3f}, last sent {span.last_sent:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
