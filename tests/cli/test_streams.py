"""Streams that are closed, full or left: a run's exit code stays, and a plain command says so in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = """\
id = "scripted"
[stack]
deploy = "script"
[scripts]
test = "test ! -e bad"
deploy = "true"
odd = "echo odd; exit 7"
"""
FULL = pytest.param(">/dev/full", marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device"))
UNWRITABLE = [FULL, ">&-", "| head -c 0"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ospec.toml").write_text(DOCUMENT)
    return tmp_path


def shell(folder: Path, command: str, redirection: str) -> tuple[int, str]:
    """(exit code, standard error) of ``ospec COMMAND`` in a shell."""
    line = f"set -o pipefail; {sys.executable} -m ospec.cli.main {command} {redirection}"
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("to", [*UNWRITABLE, ">&- 2>&- <&-"])
def test_what_was_executed_keeps_its_exit_code(folder: Path, to: str) -> None:
    assert shell(folder, "run deploy --release v1 --yes", to)[0] == 0
    (folder / "bad").touch()
    assert shell(folder, "run deploy --release v2 --yes --json", to)[0] == 1
    assert shell(folder, "run odd --json", to)[0] == 7
    assert shell(folder, "run deploy --nonsense --json", to)[0] == 2
    history = subprocess.run(
        [sys.executable, "-m", "ospec.cli.main", "history", "--json"], cwd=folder, capture_output=True, check=True
    )
    assert [run["outcome"] for run in json.loads(history.stdout)["runs"]] == ["failed", "promoted"]


@pytest.mark.parametrize("to", UNWRITABLE[:2])
@pytest.mark.parametrize("command", ["status", "plan --json", "--help"])
def test_what_cannot_be_printed_fails_in_one_line(folder: Path, to: str, command: str) -> None:
    code, told = shell(folder, command, to)
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith("error: cannot write the output: ")
