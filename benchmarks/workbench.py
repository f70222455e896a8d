"""A project to deploy on this machine, in a folder that goes away: what the benchmarks of deploys share."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from attrs import define, field, frozen
from ospec.models.run import Record
from ospec.stores.sqlite import SqliteStore
from ospec.testing.load_samples import percentile

HERE = Path(__file__).parent
SERVER = HERE / "light_server.py"
DOCUMENT = """\
ospec_version = "1.0"
id = "bench"
name = "Bench"
[stack]
deploy = "local"
[scripts]
start = "{python} -S light_server.py"
[deployment]
strategy = "blue_green"
keep_seconds = {keep_seconds}
environments.blue.instances = {instances}
environments.green.instances = {instances}
[deployment.traffic_switching]
rollback_threshold_seconds = {window}
[monitoring]
health_checks = [{{ endpoint = "/health", interval_seconds = 1, timeout_seconds = 2 }}]
[plugins]
enabled = ["local", "blue-green"]
[plugins.local]
port = {port}
"""


@frozen
class Run:
    """One command and what it left."""

    began: float
    """Unix seconds at which the process was started."""
    seconds: float
    """Of the whole process."""
    answer: dict[str, Any]
    """What it printed with ``--json``."""
    told_at: Sequence[float]
    """Unix seconds at which the proxy was given weights."""
    records: Sequence[Record]
    """Its journal."""
    peak_kilobytes: int
    """Most memory its process held at a time (resident set)."""

    def step(self, kind: str) -> dict[str, Any]:
        """The step of a kind; empty where there was none."""
        return next((dict(step) for step in self.answer["steps"] if step["kind"] == kind), {})

    def finished_at(self, kind: str) -> float:
        """Unix seconds at which the step of a kind was journaled as done."""
        return next(one.at for one in self.records if one.kind == "step-finished" and one.body["kind"] == kind)


@define
class Workbench:
    """A copy of the light server with a document; entering makes it, leaving takes everything down."""

    window: float = 0.5
    """Guard window after a switch, seconds."""
    keep_seconds: float = 0.0
    instances: int = 1
    port: int = field(factory=lambda: free_port())
    folder: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="ospec-bench-")))

    @property
    def url(self) -> str:
        """The front door."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of every process; compiled modules are kept, as a user's are."""
        given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**given, "OSPEC_HOME": str(self.folder / "home"), "PYTHONPYCACHEPREFIX": str(self.folder / "pycache")}

    def __enter__(self) -> Workbench:
        (self.folder / "app").mkdir()
        shutil.copy(SERVER, self.folder / "app")
        document = DOCUMENT.format(
            python=sys.executable,
            keep_seconds=self.keep_seconds,
            instances=self.instances,
            window=self.window,
            port=self.port,
        )
        (self.folder / "app" / "ospec.toml").write_text(document)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(RuntimeError):  # what went wrong before is told, not this
            self.run("down", "--yes")
        shutil.rmtree(self.folder)

    def deploy(self, release: str, code: int = 0) -> Run:
        """Deploy a release whose source differs from every other's by its name, and expect the exit code."""
        (self.folder / "app" / "release.txt").write_text(release)
        return self.run("run", "deploy", "--release", release, "--yes", "--json", code=code)

    def run(self, *arguments: str, code: int = 0) -> Run:
        """Run `ospec` in the folder; raises `RuntimeError` with what it said where it ends with another code."""
        notes = self.folder / "notes"
        notes.write_text("")
        command = [sys.executable, str(HERE / "timed_ospec.py"), str(notes), *arguments]
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            began, clock = time.time(), time.perf_counter()
            process = subprocess.Popen(command, cwd=self.folder / "app", env=self.environ, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - clock
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            said, complained = out.read().decode(), err.read().decode()
        if process.returncode != code:
            raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{said}\n{complained}")
        answer = json.loads(said) if "--json" in arguments else {}
        told = [float(line) for line in notes.read_text().split()]
        records = self._records(answer["run"]) if "run" in answer else []
        return Run(began, seconds, answer, told, records, usage.ru_maxrss)

    def _records(self, run: str) -> list[Record]:
        store = SqliteStore(self.folder / "home")
        try:
            return list(store.records(run))
        finally:
            store.close()


def free_port() -> int:
    """A port below those that the kernel gives to clients, where nothing listens."""
    for port in range(18000, 20000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port from 18000 to 19999")


def wait_for_answer(port: int, path: str = "/") -> None:
    """Return when the port answers 200; raises `TimeoutError` after ten seconds."""
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError), contextlib.closing(client):
            client.request("GET", path)
            if client.getresponse().status == 200:
                return
        time.sleep(0.002)
    raise TimeoutError(f"nothing answers well on port {port}")


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """p50, p99 and the highest of some numbers."""
    ordered = sorted(values)
    return {
        f"p{percent}" if percent < 100 else "max": round(percentile(ordered, percent), digits)
        for percent in (50, 99, 100)
    }


def finish(report: dict[str, Any]) -> int:
    """Print the figures; the exit code is 1 where ``within_bounds`` is false."""
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["within_bounds"] else 1
