"""The examples, each copied into a folder of the test's own and driven through the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 300
"""For one command; the build of one release may download packages."""


class Example:
    """A copy of an example that can be changed, deployed and taken down. Its front door is at `url`."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        shutil.copytree(EXAMPLES / name, folder)
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        document = folder / "ospec.toml"
        document.write_text(re.sub(r"(?m)^port = \d+", f"port = {port}", document.read_text()))

    def ospec(self, *arguments: str, code: int = 0) -> Any:
        """Run ``ospec ARGUMENTS --json``, expect the exit code, and give what it printed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OSPEC_", "OTEL_"))}
        command = [sys.executable, "-m", "ospec.cli.main", *arguments, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == code, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def deploy(self, release: str) -> Any:
        """Deploy what the folder holds now, which has to be promoted."""
        report = self.ospec("run", "deploy", "--release", release, "--yes")
        assert report["outcome"] == "promoted"
        assert report["address"].rstrip("/") == self.url
        return report

    def get(self, path: str) -> tuple[str | None, Any]:
        """(release as the front door tells it, JSON body) of one request."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.headers["x-ospec-release"], json.load(answer)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    """Makes a copy of an example; takes everything away at the end."""
    made: list[Example] = []

    def make(name: str) -> Example:
        made.append(Example(name, tmp_path / name, _free_port()))
        return made[-1]

    yield make
    for one in made:
        one.ospec("down", "--yes")


def _free_port() -> int:
    """A port below the ephemeral range that nothing listens on now."""
    for port in range(15000 + os.getpid() % 4000, 20000):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")
