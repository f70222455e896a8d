"""Signals end every command alike, and what is said then is true."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

DOCUMENT = """\
id = "scripted"
[stack]
deploy = "script"
[scripts]
build = "echo $$ > FOLDER/began; exec sleep 60"
deploy = "true"
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ospec.toml").write_text(DOCUMENT.replace("FOLDER", str(tmp_path)))
    return tmp_path


def ended_by(number: int, folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run a command until the file `began` is there, then send it a signal: its exit code and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ospec.cli.start", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "OSPEC_HOME"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (folder / "began").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("number", SIGNALS)
def test_before_anything_was_touched(folder: Path, number: int) -> None:
    slow = folder / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\necho > {folder}/began\nexec sleep 60\n")
    slow.chmod(0o755)
    path = f"{slow.parent}{os.pathsep}{os.environ['PATH']}"
    code, out, err = ended_by(number, folder, "run", "deploy", "--yes", "--json", PATH=path)
    assert (code, err.strip()) == (130, "not done; nothing was touched")
    told = json.loads(out)
    assert (told["exit_code"], told["outcome"], told["error"]["code"]) == (130, "aborted", "cancelled")


@pytest.mark.parametrize("number", SIGNALS)
def test_in_the_middle_of_a_script(folder: Path, number: int) -> None:
    code, _, err = ended_by(number, folder, "run", "build")
    assert (code, "nothing was touched" in err) == (130, False)
    assert "scripts.build was ended in the middle of its work" in err
    script = int((folder / "began").read_text())
    assert not psutil.pid_exists(script) or psutil.Process(script).status() == psutil.STATUS_ZOMBIE


def test_while_the_command_is_still_being_loaded(folder: Path) -> None:
    (folder / "click.py").write_text("import pathlib, time\npathlib.Path('began').touch()\ntime.sleep(60)\n")
    code, _, err = ended_by(signal.SIGTERM, folder, "status", PYTHONPATH=str(folder))
    assert (code, err.strip()) == (130, "not done; nothing was touched")


def test_a_signal_that_is_ignored_stays_ignored(folder: Path) -> None:
    script = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from ospec.cli.interrupts import listen, listen_no_more; listen()\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
        "listen_no_more(); assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_abort_that_restored_answers_one_number(folder: Path) -> None:
    code, _, _ = ended_by(signal.SIGKILL, folder, "run", "deploy", "--yes")
    assert code == -signal.SIGKILL

    def ospec(*arguments: str) -> tuple[int, dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-m", "ospec.cli.start", *arguments, "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)

    code, told = ospec("abort")
    assert (code, told["exit_code"], told["outcome"]) == (0, 0, "aborted")
    code, told = ospec("show")
    assert (code, told["exit_code"], told["outcome"]) == (0, 130, "aborted"), "the run's own"
    code, told = ospec("abort")
    assert (code, told["exit_code"], told["run"]) == (0, 0, None)
