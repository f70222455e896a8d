"""A service on this machine, driven through the hooks alone: real supervisor, real Envoy, real programs."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import evolve
from ospec.models.context import (
    Batch,
    Deadline,
    DeployContext,
    HealthContext,
    LogsContext,
    MetricsContext,
    ObserveContext,
    RetireContext,
    RollbackContext,
    SwitchContext,
)
from ospec.models.document import Deployment as DeploymentSettings
from ospec.models.live import Deployment, HealthResult, LiveState, LogLine, Measurement, TrafficSplit, TrafficState
from ospec.models.release import Artifact, Release
from ospec.models.target import HealthCheck, Process, Target
from ospec.naming import digest
from ospec_plugin_local import hooks, pids
from ospec_plugin_local.envoy import Envoy
from ospec_plugin_local.place import Place, place_of
from ospec_plugin_local.ports import free_ports
from ospec_plugin_local.state import load_state

SERVER = """\
import http.server, json, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(float(self.path.partition("=")[2]))
        status = 500 if self.path == "/broken" else 200
        told = ("OSPEC_RELEASE", "OSPEC_SLOT", "OSPEC_SERVICE", "OSPEC_ENVIRONMENT", "OSPEC_PROCESS", "PORT")
        body = json.dumps({name: os.environ.get(name) for name in told} | {"pid": os.getpid()}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

print("listening on", os.environ["PORT"], flush=True)
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Service:
    """One service, as the engine would drive it."""

    def __init__(self, folder: Path, **target: Any) -> None:
        self.folder, self.home = folder, folder / "home"
        self.port = free_ports(1, ())[0]
        self.secrets: Any = None
        self.target = Target(
            service="hello",
            name="Hello",
            environment="production",
            platform="local",
            strategy="blue-green",
            processes={"web": Process("web", (sys.executable, "server.py"), 2)},
            health_checks=(HealthCheck("/health", 1.0, 2.0),),
            deployment=DeploymentSettings(drain_seconds=10.0),
            plugins={"local": {"port": self.port, "stop_seconds": 3.0}},
        )
        self.target = evolve(self.target, **target)

        self.server = SERVER

    def beside(self, environment: str) -> Service:
        """The same service in another environment, in the same state folder."""
        made = Service(self.folder)
        made.target = evolve(made.target, environment=environment)
        return made

    def slot_key(self, label: str) -> str:
        """The name of the slot's cluster."""
        state = load_state(self.place)
        assert state is not None
        return state.slots[label].key

    def record(self, program: str) -> dict[str, Any]:
        """Who a program is, as its launcher wrote down."""
        return pids.read_record(self.place.run / f"{program}.json") or {}

    def kill(self, program: str) -> dict[str, Any]:
        """SIGKILL a program alone, as a crash would; who it was."""
        record = self.record(program)
        os.kill(record["pid"], signal.SIGKILL)
        wait_until(lambda: not pids.same(record))
        return record

    def open_requests(self, cluster: str) -> int:
        return Envoy(self.place).open_requests(cluster)

    @property
    def place(self) -> Place:
        return place_of(self.home, self.target)

    def release(self, name: str, program: str = SERVER) -> tuple[Release, Path]:
        """A release whose snapshot holds `server.py`."""
        files = self.folder / "files" / name
        files.mkdir(parents=True, exist_ok=True)
        path = files / "server.py"
        if not path.exists() or path.read_text() != program:  # an instance may be reading it
            path.write_text(program)
        made = Release(name, digest(name), self.target.service, self.target.environment, Artifact(digest(program)), "")
        return made, files

    def context(self, kind: Callable[..., Any], **fields: Any) -> Any:
        if self.secrets is not None:
            fields.setdefault("secrets", self.secrets)
        return kind(**{"target": self.target, "home": self.home, "deadline": Deadline.after(60.0), **fields})

    def observe(self) -> LiveState:
        return hooks.observe(self.context(ObserveContext))

    def deploy(self, name: str, slot: str = "", program: str = SERVER, **fields: Any) -> Deployment:
        release, files = self.release(name, program)
        return hooks.deploy(self.context(DeployContext, release=release, files=files, slot=slot, **fields))

    def batch(self, name: str, instances: int, others: int, least_ready: int = 0, **fields: Any) -> Deployment:
        """One batch of a rolling rollout in blue."""
        return self.deploy(name, "blue", batch=Batch(instances, others, least_ready), **fields)

    def rollback(self, name: str, slot: str, as_it_is: bool = False, **fields: Any) -> Deployment:
        release, files = self.release_as_it_is(name) if as_it_is else self.release(name)
        return hooks.rollback(self.context(RollbackContext, release=release, files=files, slot=slot, **fields))

    def health(self, name: str, slot: str) -> list[HealthResult]:
        release, files = self.release_as_it_is(name)
        return list(hooks.health_check(self.context(HealthContext, release=release, files=files, slot=slot)))

    def release_as_it_is(self, name: str) -> tuple[Release, Path]:
        program = (self.folder / "files" / name / "server.py").read_text()
        return self.release(name, program)

    def switch(self, weights: Mapping[str, float], **split: Any) -> TrafficState:
        return hooks.switch_traffic(self.context(SwitchContext, split=TrafficSplit(weights, **split)))

    def retire(self, slot: str | None = None, **fields: Any) -> None:
        hooks.retire(self.context(RetireContext, slot=slot, **fields))

    def metrics(self, since_seconds: float = 30.0) -> list[Measurement]:
        """What was counted at the proxy."""
        return [one for one in self.measurements(since_seconds) if one.source == "envoy"]

    def measurements(self, since_seconds: float = 30.0) -> list[Measurement]:
        return list(hooks.collect_metrics(self.context(MetricsContext, since_seconds=since_seconds)))

    def logs(self, **fields: Any) -> Iterator[LogLine]:
        return iter(hooks.logs(self.context(LogsContext, **fields)) or ())

    def healthy(self, name: str, slot: str) -> None:
        wait_until(lambda: all(one.healthy for one in self.health(name, slot)), lambda: self.health(name, slot))

    def serve(self, name: str, slot: str = "") -> str:
        """The whole way of a release: deployed, healthy, with all the traffic; its slot."""
        made = self.deploy(name, slot).slot
        self.healthy(name, made.id)
        self.switch({other.id: 0.0 for other in self.observe().slots} | {made.id: 100.0})
        return made.id

    def ask(self, path: str = "/", address: str = "") -> tuple[int, str]:
        """Status and release header of one answer."""
        status, told, _ = self.ask_all(path, address=address)
        return status, told.get("x-ospec-release", "")

    def ask_all(
        self, path: str = "/", headers: Mapping[str, str] | None = None, address: str = "", method: str = "GET"
    ) -> tuple[int, Message, bytes]:
        """Status, headers and body of one answer."""
        parts = urlsplit(address or f"http://127.0.0.1:{self.port}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10.0)
        with contextlib.closing(connection):
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


class Load:
    """Keep-alive clients that ask without a pause and remember whatever was not a good answer."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.answers: list[tuple[float, str]] = []
        self.failures: list[str] = []
        self._port, self._stop = port, threading.Event()
        self.count = clients
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        wait_until(lambda: bool(self.answers or self.failures))
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self) -> None:
        """Wait until every client has asked a few times more."""
        enough = len(self.answers) + 10 * self.count
        wait_until(lambda: len(self.answers) >= enough or bool(self.failures))

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10.0)
        with contextlib.closing(connection):
            while not self._stop.is_set():
                try:
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(repr(error))
                    connection.close()
                    continue
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")
                self.answers.append((time.monotonic(), answer.headers.get("x-ospec-release", "")))


def wait_until(is_so: Callable[[], bool], tell: Callable[[], object] = lambda: "", seconds: float = 20.0) -> None:
    """Ask until it is so; fail with what `tell` says after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, tell()
        time.sleep(0.01)


def somebody_listens(port: int) -> bool:
    """Whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def processes_of(home: Path) -> list[str]:
    """Command lines of the living processes that know of `home`, by argument, folder or environment (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes()
            about = line + (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
            if os.fsencode(home) in about and line:
                found.append(line.replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that is taken away in the end."""
    made = Service(tmp_path)
    yield made
    made.retire()
    assert processes_of(tmp_path) == []


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_until


@pytest.fixture
def load() -> type[Load]:
    return Load


@pytest.fixture
def listens() -> Callable[[int], bool]:
    return somebody_listens


@pytest.fixture
def left_of() -> Callable[[Path], list[str]]:
    return processes_of
