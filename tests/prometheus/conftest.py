"""A real Prometheus that scrapes every second, and exporters of the test's own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_ports = itertools.count(24000 + os.getpid() % 50)
CONFIGURATION = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: shop
    file_sd_configs: [{ files: ["targets/*.json"], refresh_interval: 1s }]
"""


def _free_port() -> int:
    for port in _ports:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError


def _until(is_so: Callable[[], object], seconds: float = 30.0) -> Any:
    """Ask until it is so, and give what it is; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.05)
    return found


class Prometheus:
    """One server in a folder of its own. Whoever puts a file into `targets` is scraped."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.targets = folder / "targets"
        self.targets.mkdir(parents=True)
        self.url = f"http://127.0.0.1:{_free_port()}"
        (folder / "prometheus.yml").write_text(CONFIGURATION)
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    binary,
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    "--log.level=warn",
                ],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        _until(self._ready)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def scrape(self, name: str, address: str, **labels: str) -> None:
        """Have it scrape an address."""
        made = self.targets / f"{name}.json.new"
        made.write_text(json.dumps([{"targets": [address], "labels": labels}]))
        made.rename(self.targets / f"{name}.json")

    def forget(self, name: str) -> None:
        """Have it scrape an address no more."""
        (self.targets / f"{name}.json").unlink()

    def query(self, text: str) -> list[Any]:
        """What an instant query finds, without the plugin."""
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': text})}") as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="session")
def binary() -> str:
    """The program: `nox -s prometheus` installs it where it can."""
    found = os.environ.get("OSPEC_PROMETHEUS") or shutil.which("prometheus")
    if not found:
        pytest.skip("no prometheus on PATH, nor in OSPEC_PROMETHEUS: nox -s prometheus installs it on Debian")
    return found


@pytest.fixture
def prometheus(binary: str, tmp_path: Path) -> Iterator[Prometheus]:
    made = Prometheus(binary, tmp_path / "prometheus")
    yield made
    made.stop()


@pytest.fixture
def until() -> Callable[..., Any]:
    return _until


@pytest.fixture
def free_port() -> Callable[[], int]:
    return _free_port
