"""A project on the local platform, driven through the command line as a person would: real processes, a real proxy."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import define, field, frozen

SERVER = '''\
"""Answers with its release. What is wrong with it is in flaws.json beside it, so that it is part of the release."""
import http.server, json, os, pathlib, signal, sys, threading, time

flaws = json.loads(pathlib.Path("flaws.json").read_text())
if flaws.get("exits"):
    print("no database: giving up", flush=True)
    sys.exit(3)
if flaws.get("ignores_sigterm"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())


def serving():
    """Whether users reach this release (the test says so by this file)."""
    return os.path.exists(os.environ["SWITCHED"])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1

    def do_GET(self):
        if flaws.get("hangs"):
            time.sleep(1000)
        bad = flaws.get("never_healthy") and self.path == "/health" or flaws.get("breaks_later") and serving()
        if flaws.get("crashes_later") and serving():
            os._exit(1)
        if self.path == "/stream":
            return self.stream()
        body = (os.environ["OSPEC_RELEASE"] + "\\n").encode()
        self.send_response(500 if bad else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(int(os.environ.get("EVENTS", "20"))):
            data = f"data: {number}\\n\\n".encode()
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(data), data))
            self.wfile.flush()
            time.sleep(0.1)
        self.wfile.write(b"0\\r\\n\\r\\n")

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size, daemon_threads = 256, True


server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
print("listening", flush=True)
server.serve_forever(poll_interval=0.02)
'''

DOCUMENT = """\
id = "{service}"
[stack]
deploy = "local"
[scripts]
start = "exec {python} server.py"
{scripts}
[variables]
SWITCHED = "{switched}"
[deployment]
strategy = "blue_green"
keep_seconds = {keep}
drain_seconds = 5
startup_seconds = {startup}
environments.blue.instances = 2
environments.green.instances = 2
[deployment.traffic_switching]
validation_checks = ["health_check"]
rollback_threshold_seconds = {guard}
[guardrails]
health_check_retries = 3
[monitoring]
health_checks = [{{ endpoint = "/health", interval_seconds = 0.2, timeout_seconds = 1 }}]
[plugins]
enabled = ["local", "blue-green"]
[plugins.local]
port = {port}
stop_seconds = 2
"""


@frozen
class Done:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no JSON but {self.out!r}\n{self.err}") from None


@define
class Project:
    """An application folder with its document."""

    folder: Path
    port: int
    service: str = "shop"
    settings: dict[str, Any] = field(factory=dict)

    def write(self, *, flaws: Mapping[str, bool] | None = None, **settings: Any) -> None:
        """Write the application (with flaws) and its document."""
        self.settings.update(settings)
        known = {"scripts": "", "keep": 600, "startup": 10, "guard": 1, **self.settings}
        switched = self.folder.parent / f"{self.folder.name}.switched"
        text = DOCUMENT.format(service=self.service, python=sys.executable, switched=switched, port=self.port, **known)
        (self.folder / "ospec.toml").write_text(text)
        (self.folder / "server.py").write_text(SERVER)
        (self.folder / "flaws.json").write_text(json.dumps(flaws or {}))

    @property
    def switched(self) -> Path:
        """The file that tells flawed releases that they serve."""
        return self.folder.parent / f"{self.folder.name}.switched"

    def ospec(self, *arguments: str, module: str = "ospec.cli.main", environ: Mapping[str, str] | None = None) -> Done:
        """Run a command to its end."""
        with self.start(*arguments, module=module, environ=environ) as process:
            out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    def start(
        self, *arguments: str, module: str = "ospec.cli.main", environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def deploy(self, name: str, *arguments: str, **settings: Any) -> Done:
        """Write the application and deploy it."""
        self.write(**settings)
        (self.folder / "version.txt").write_text(name)
        return self.ospec("run", "deploy", "--release", name, "--yes", "--json", *arguments)

    def release(self) -> str:
        """The release that the front door answers with; empty where it does not."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            return answer.headers.get("x-ospec-release", "") if answer.status == 200 else ""
        except (OSError, HTTPException):
            return ""
        finally:
            connection.close()

    def status(self) -> Any:
        """`ospec status --json`."""
        return self.ospec("status", "--json").json

    def processes(self) -> list[psutil.Process]:
        """Every process that has something of this project in its command line, working folder or environment."""
        found = []
        needle = str(self.folder)
        for process in psutil.process_iter(["pid"]):
            try:
                places = [*process.cmdline(), process.cwd(), process.environ().get("SWITCHED", "")]
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            if any(needle in place for place in places):
                found.append(process)
        return found


class Asker:
    """Asks the front door as fast as answers come, on two kept connections and a new one each time."""

    def __init__(self, port: int) -> None:
        self.failures: list[str] = []
        self.releases: list[str] = []
        self._port = port
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(fresh,)) for fresh in (False, False, True)]

    def __enter__(self) -> Asker:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, fresh: bool) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._end.wait(0.005):
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")
                self.releases.append(answer.headers.get("x-ospec-release", ""))
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if fresh:
                connection.close()
        connection.close()


@pytest.fixture
def until() -> Callable[..., None]:
    def wait(condition: Callable[[], Any], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "did not happen in time"
            time.sleep(0.02)

    return wait


@pytest.fixture
def asking() -> Callable[[Project], Asker]:
    return lambda project: Asker(project.port)


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []

    def make(name: str = "app", **more: Any) -> Project:
        folder = tmp_path / name
        folder.mkdir()
        project = Project(folder, more.pop("port", None) or _free_port(), **more)
        project.write()
        made.append(project)
        return project

    yield make
    left: list[str] = []
    for project in made:
        project.ospec("down", "--yes")
        for process in project.processes():
            left.append(" ".join(process.cmdline()))
            process.send_signal(signal.SIGKILL)
    assert not left, f"processes were left: {left}"


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def _free_port() -> int:
    """A port below the kernel's range for clients, so that nobody takes it between asking and listening."""
    for port in range(18000 + os.getpid() % 1000, 20000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
