"""A canary on the local platform that only its own numbers betray: Prometheus scrapes them, the judge sends it back."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TOKEN = "planted-4c1e77"
DOCUMENT = """\
id = "shop"
[stack]
deploy = "local"
[scripts]
start = {start}
[variables]
TARGETS = "{targets}"
[deployment]
strategy = "canary"
keep_seconds = 0
drain_seconds = 1
steps = [{{ weight = 40, hold_seconds = 1 }}]
[deployment.analysis]
limit_seconds = 90
[monitoring]
health_checks = [{{ endpoint = "/health", interval_seconds = 0.5, timeout_seconds = 5 }}]
[plugins]
enabled = ["local", "canary", "judge-sequential", "prometheus"]
[plugins.local]
port = {port}
stop_seconds = 1
[plugins.prometheus]
url = "{url}"
token = "${{PROMETHEUS_TOKEN}}"
interval_seconds = 1
[plugins.prometheus.queries]
requests = 'orders_total{{version="{{{{release}}}}"}}'
errors = {errors}
"""
ERRORS = '\'orders_total{version="{{release}}",outcome="failed"}\''


class Shop:
    """The service in a folder of its own."""

    def __init__(self, folder: Path, port: int, prometheus: Any) -> None:
        self.folder, self.port, self._prometheus = folder, port, prometheus
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("app.py"), folder / "app.py")
        self.printed = ""
        self.write(0.0)

    def write(self, failing: float, errors: str = ERRORS) -> None:
        (self.folder / "failing.txt").write_text(str(failing))
        start = json.dumps(f"exec {sys.executable} app.py")
        values = {"targets": self._prometheus.targets, "url": self._prometheus.url, "port": self.port}
        (self.folder / "ospec.toml").write_text(DOCUMENT.format(start=start, errors=errors, **values))

    def ospec(self, *arguments: str, code: int = 0) -> Any:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OSPEC_", "OTEL_"))}
        done = subprocess.run(
            [sys.executable, "-m", "ospec.cli.main", *arguments, "--json"],
            cwd=self.folder,
            env={**environment, "PROMETHEUS_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.printed += done.stdout + done.stderr
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout else None

    def deploy(self, release: str, failing: float, code: int = 0) -> Any:
        self.write(failing)
        return self.ospec("run", "deploy", "--release", release, "--yes", code=code)


@pytest.fixture
def shop(tmp_path: Path, prometheus: Any, free_port: Callable[[], int]) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop", free_port(), prometheus)
    yield made
    made.write(0.0)
    made.ospec("down", "--yes")


@pytest.fixture
def users(shop: Shop) -> Iterator[Callable[[], None]]:
    """Begin to send requests, until the test is over."""
    done = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=10)
        while not done.wait(0.015):
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]

    def begin() -> None:
        for thread in threads:
            thread.start()

    yield begin
    done.set()
    for thread in threads:
        if thread.ident:
            thread.join()


def looks_of(shop: Shop, run: str) -> list[Any]:
    """What the judge was given and answered."""
    found: list[Any] = shop.ospec("show", run, "--explain")["looks"]
    return found


def test_a_canary_that_only_its_own_numbers_betray(shop: Shop, users: Callable[[], None], prometheus: Any) -> None:
    shop.deploy("v1", failing=0.01)
    users()
    good = shop.deploy("v2", failing=0.01)
    assert good["outcome"] == "promoted"
    bad = shop.deploy("v3", failing=0.25, code=1)
    assert bad["error"]["code"] == "regressed"
    assert "v3 is worse" in bad["error"]["message"]
    assert bad["evidence"]["failed"] == 0, "the proxy saw nothing of it"
    live = shop.ospec("status")
    assert [slot["releases"][0]["name"] for slot in live["slots"] if slot["weight_percent"] == 100] == ["v2"]

    last = looks_of(shop, bad["run"])[-1]
    assert last["verdict"]["outcome"] == "regress"
    assert last["verdict"]["state"]["metrics"]["error_rate"]["source"] == "prometheus"
    finding = next(one for one in last["verdict"]["findings"] if one["metric"] == "error_rate")
    assert finding["outcome"] == "regress"
    looks = [*looks_of(shop, good["run"]), *looks_of(shop, bad["run"])]
    sources = {look["verdict"]["state"]["metrics"]["error_rate"]["source"] for look in looks}
    assert sources == {"", "prometheus"}, "the proxy's numbers come sooner, and settle nothing"
    assert shop.ospec("judge", "replay", bad["run"])

    kept = [path for path in shop.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
    assert TOKEN not in shop.printed


def test_a_wrong_query_is_refused_before_anything_is_touched(shop: Shop) -> None:
    shop.write(0.0, errors='\'orders_total{version=~"{{release}}(",outcome="failed"}\'')
    refused = shop.ospec("plan", code=5)["error"]
    assert refused["code"] == "prometheus-refuses"
    assert refused["where"] == "plugins.prometheus.queries.errors"
    assert "missing closing )" in refused["message"]
    found = {one["check"]: one for one in shop.ospec("doctor", code=1)["checks"]}
    assert not found["sources of metrics"]["ok"]
    shop.write(0.0)
    found = {one["check"]: one for one in shop.ospec("doctor")["checks"]}
    assert found["sources of metrics"]["found"] == "prometheus answers"


def test_a_server_that_is_not_there_is_a_finding_and_no_obstacle(shop: Shop, prometheus: Any) -> None:
    prometheus.stop()
    assert "error" not in shop.ospec("plan")
    found = {one["check"]: one for one in shop.ospec("doctor", code=1)["checks"]}
    assert "cannot be reached" in found["sources of metrics"]["found"]
