"""Who a process is, so that a later one with its number is never taken for it. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_LINUX = sys.platform == "linux"
_POLL_SECONDS = 0.005


def identity(pid: int) -> dict[str, Any]:
    """What tells process `pid` from every other: number, start time, boot."""
    return {"pid": pid, "started": start_time(pid), "boot": _boot()}


def same(record: dict[str, Any] | None) -> bool:
    """Whether the process that `record` (of `identity`) tells of still lives."""
    if not record or record.get("boot") != _boot():
        return False
    started = start_time(int(record["pid"]))
    return started is not None and started == record["started"]


def group_lives(record: dict[str, Any] | None) -> bool:
    """Whether a member of the recorded leader's process group lives, also where the leader itself has ended.

    The kernel gives a group's number to nobody while the group has members: a living process with that number and
    another start time therefore means that ours are gone.
    """
    if not record or record.get("boot") != _boot():
        return False
    started = start_time(int(record["pid"]))
    if started is not None:
        return bool(started == record["started"])
    return any(True for _ in members(int(record["pid"])))


def kill_group(record: dict[str, Any] | None, number: int = signal.SIGKILL) -> None:
    """Signal every process of the recorded leader's group, where it is still ours."""
    if record and group_lives(record):
        try:
            os.killpg(int(record["pid"]), number)
        except (ProcessLookupError, PermissionError):  # ended meanwhile, or (macOS) only zombies left
            return


def end_group(record: dict[str, Any] | None, grace_seconds: float) -> None:
    """End a group: SIGTERM, the grace time, SIGKILL; returns when nothing of it lives, or 5 s after SIGKILL."""
    end_groups([record], grace_seconds)


def end_groups(records: Iterable[dict[str, Any] | None], grace_seconds: float) -> None:
    """End groups as `end_group` does, all in the same time."""
    left = list(records)
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        for record in left:
            kill_group(record, number)
        deadline = time.monotonic() + seconds
        while (left := [record for record in left if group_lives(record)]) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def kill_leader(record: dict[str, Any] | None) -> None:
    """Kill the recorded process alone, and wait until it is gone; whatever else is in its group stays."""
    if record and same(record):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(record["pid"]), signal.SIGKILL)
        while same(record):
            time.sleep(_POLL_SECONDS)


def read_record(path: Path) -> dict[str, Any] | None:
    """The record kept in `path`, or None where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Keep `record` in `path`; a reader sees the old or the new one, never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(record, file)
    draft.replace(path)


def start_time(pid: int) -> str | None:
    """When a process began, as the kernel writes it (for equality only); None where it has ended."""
    if _LINUX:
        fields = _stat(pid)
        return fields[19] if fields and fields[0] not in "ZX" else None
    asked = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return asked[1].strip() if len(asked) == 2 and not asked[0].startswith("Z") else None


def members(group: int) -> Iterator[int]:
    """The living processes of a group; where only the kernel knows them (macOS), the group's own number."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return
    except PermissionError:
        yield group
        return
    if not _LINUX:
        yield group
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and int(fields[2]) == group and fields[0] not in "ZX":
                yield int(entry.name)


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on: 0 state, 1 parent, 2 group, 19 start time (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
    except OSError:
        return []


def _boot() -> str:
    """This boot of the machine: start times count from it, so that they repeat after the next."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
