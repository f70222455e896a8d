"""Programs of the user: gated, read, and ended with everything they started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ospec.errors import FatalError
from ospec.steps.processes import Identity, Program, end_group, group_alive, start_time

NOTHING: Callable[[], None] = lambda: None  # noqa: E731 - a constant that happens to be callable


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def program(command: str | tuple[str, ...], folder: Path, lines: list[str] | None = None) -> Program:
    return Program(command, folder, dict(os.environ), (lines if lines is not None else []).append)


def test_a_string_is_a_shell_line_and_a_list_is_not(tmp_path: Path) -> None:
    lines: list[str] = []
    for command in ("echo $((1 + 1)) && exit 3", ("echo", "$((1 + 1))")):
        started = program(command, tmp_path, lines)
        started.go()
        ended = started.wait(NOTHING)
        assert ended.code == (3 if isinstance(command, str) else 0)
    assert lines == ["2", "$((1 + 1))"]


def test_nothing_begins_before_go_and_a_closed_gate_ends_it(tmp_path: Path) -> None:
    started = program("touch began", tmp_path)
    started.discard()
    assert not (tmp_path / "began").exists()
    assert not group_alive(started.identity.group)


def test_standard_input_is_empty_and_standard_error_is_read_too(tmp_path: Path) -> None:
    lines: list[str] = []
    started = program("cat; echo oops >&2", tmp_path, lines)
    started.go()
    assert started.wait(NOTHING).code == 0
    assert lines == ["oops"]


def test_children_and_grandchildren_end_with_it_also_those_that_ignore_sigterm(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"
    started = program(f'sh -c "{stubborn}" & sleep 1000', tmp_path)
    started.go()
    until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))

    def stop() -> None:
        raise FatalError("time is over", code="time-limit")

    with pytest.raises(FatalError):
        started.wait(stop)
    assert not group_alive(started.identity.group)


def test_what_a_script_left_in_the_background_ends_with_it(tmp_path: Path) -> None:
    started = program("sleep 1000 >/dev/null 2>&1 & exit 0", tmp_path)
    started.go()
    assert started.wait(NOTHING).code == 0
    assert not group_alive(started.identity.group)


def test_another_group_with_the_same_number_is_left_alone() -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    try:
        assert start_time(other.pid)
        assert end_group(Identity(other.pid, "another start")) is False
        assert other.poll() is None
        assert end_group(Identity(other.pid, start_time(other.pid) or "")) is True
    finally:
        other.kill()
        other.wait()


def test_only_the_last_lines_are_kept_and_bytes_are_no_trouble(tmp_path: Path) -> None:
    lines: list[str] = []
    started = program(r"for i in $(seq 100); do echo $i; done; printf 'caf\351\n'", tmp_path, lines)
    started.go()
    ended = started.wait(NOTHING)
    assert len(lines) == 101
    assert ended.tail[-2] == "100"
    assert ended.tail[-1].startswith("caf")
    assert len(ended.tail) == 40
