"""A service that is deployed, broken and taken down through the command line: real processes, real Envoy."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

SECONDS = 120
"""For one command."""

DOCUMENT = """\
ospec_version = "1.0"
id = "shop"
name = "Shop"
[stack]
deploy = "local"
[scripts]
start = {start}
{scripts}
[deployment]
strategy = "{strategy}"
instances = {instances}
{deployment}
startup_seconds = {startup_seconds}
keep_seconds = {keep_seconds}
drain_seconds = {drain_seconds}
[deployment.traffic_switching]
validation_checks = ["health_check"{validation}]
rollback_threshold_seconds = {window}
[monitoring]
health_checks = [{{ endpoint = "/health", interval_seconds = 0.2, timeout_seconds = 2 }}]
[plugins]
enabled = ["local", {plugins}]
[plugins.local]
port = {port}
stop_seconds = 1
"""

_ports = itertools.count(12000 + os.getpid() * 7 % 2000)


class Shop:
    """A service in a folder of its own. Its document and code may be changed between deploys.

    Args:
        settings: `window`, `startup_seconds`, `keep_seconds`, `drain_seconds`, `scripts` (TOML lines) and `validation`
            (further checks), `strategy` with its `plugins` and `deployment` (TOML), as the document has them.
    """

    def __init__(self, folder: Path, port: int, **settings: Any) -> None:
        self.folder, self.port, self.url = folder, port, f"http://127.0.0.1:{port}"
        self.settings = {
            "start": json.dumps(f"exec {sys.executable} server.py"),
            "scripts": "",
            "validation": "",
            "strategy": "blue_green",
            "plugins": '"blue-green"',
            "deployment": "",
            "instances": 2,
            "window": 0.5,
            "startup_seconds": 20,
            "keep_seconds": 0,
            "drain_seconds": 2,
            **settings,
        }
        self.variables: dict[str, str] = {}
        folder.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("server.py"), folder)
        self.write()

    @property
    def home(self) -> Path:
        return Path(self.variables.get("OSPEC_HOME", self.folder / ".ospec"))

    def write(self, behaviour: str = "good", **settings: Any) -> None:
        """Write what the next release is."""
        self.settings.update(settings)
        (self.folder / "behaviour.txt").write_text(behaviour + "\n")
        (self.folder / "ospec.toml").write_text(DOCUMENT.format(port=self.port, **self.settings))

    def begin(self, *arguments: str, module: tuple[str, ...] = ("ospec.cli.main",)) -> subprocess.Popen[str]:
        """Start ``ospec ARGUMENTS``; ``module`` runs it another way."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OSPEC_", "OTEL_"))}
        return subprocess.Popen(
            [sys.executable, "-m", *module, *arguments],
            cwd=self.folder,
            env=environment | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ospec(self, *arguments: str, code: int = 0) -> Any:
        """Run ``ospec ARGUMENTS --json``, expect the exit code, and give what it printed."""
        return _finished(self.begin(*arguments, "--json"), code)

    def deploy(self, release: str, behaviour: str = "good", *arguments: str, code: int = 0) -> Any:
        """Deploy a release with that behaviour; its content differs from those of other names."""
        self.write(behaviour)
        (self.folder / "release.txt").write_text(release + "\n")
        return self.ospec("run", "deploy", "--release", release, "--yes", *arguments, code=code)

    def ask(self, path: str = "/") -> tuple[int, str | None]:
        """(status, release as the front door tells it) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers["x-ospec-release"]
        finally:
            connection.close()

    def serves(self, release: str) -> None:
        """Assert that the front door gives this release, whoever asks."""
        assert {self.ask() for _ in range(10)} == {(200, release)}
        live = self.ospec("status")
        weights = {slot["releases"][0]["name"]: slot["weight_percent"] for slot in live["slots"] if slot["releases"]}
        assert {name: share for name, share in weights.items() if share} == {release: 100.0}
        assert live["problems"] == []
        assert live["open_run"] is None

    def processes(self, release: str | None = None) -> list[psutil.Process]:
        """The living processes that work for this service, or for one release of it."""
        found = []
        for one in psutil.process_iter():
            try:
                about = one.environ() | {"CWD": one.cwd(), "COMMAND": " ".join(one.cmdline())}
            except (psutil.Error, OSError):
                continue
            mine = any(str(self.folder) in value for value in about.values())
            if mine and one.status() != psutil.STATUS_ZOMBIE and release in (None, about.get("OSPEC_RELEASE")):
                found.append(one)
        return found

    def ports(self) -> set[int]:
        """Where the service's processes listen."""
        return {
            connection.laddr.port
            for one in self.processes()
            for connection in one.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }


def _finished(process: subprocess.Popen[str], code: int = 0) -> Any:
    """Wait for an ospec command with ``--json``, expect its exit code, and give what it printed."""
    try:
        output, told = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, told = process.communicate()
        pytest.fail(f"{process.args!r} did not end\n{output}\n{told}")
    assert process.returncode == code, f"{process.args!r}\n{output}\n{told}"
    return json.loads(output) if output else None


def _until(is_so: Callable[[], object], seconds: float = 20.0) -> None:
    """Ask until it is so; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listens on, below those that clients and the local platform are given."""
    for port in _ports:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Makes services; takes them down in the end, and nothing of them is left: no process, no port."""
    made: list[Shop] = []

    def make(name: str = "shop", port: int | None = None, **settings: Any) -> Shop:
        made.append(Shop(tmp_path / name, port or free_port(), **settings))
        return made[-1]

    yield make
    for one in made:
        take_down(one)


def take_down(shop: Shop) -> None:
    """Take a service away and assert that nothing is left of it."""
    shop.write()
    shop.ospec("down", "--yes")
    _until(lambda: not shop.processes())
    with socket.socket() as asked:
        parts = urlsplit(shop.url)
        assert asked.connect_ex((parts.hostname, parts.port)), "the front door still listens"


@pytest.fixture
def shop(shops: Callable[..., Shop]) -> Shop:
    """One service, not yet deployed."""
    return shops()


@pytest.fixture
def finished() -> Callable[..., Any]:
    """Wait for an ospec command with ``--json``, expect its exit code, and give what it printed."""
    return _finished


@pytest.fixture
def until() -> Callable[..., None]:
    """Ask until it is so; fail after some seconds."""
    return _until
