"""Programs of the user: started in a process group of their own, watched, and ended with everything they started."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from attrs import frozen

_LINUX = platform.system() == "Linux"
_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_TAIL_LINES = 40
_LONGEST_LINE = 16_000
# The program waits on its standard input until we have written down who it is, so that a crash of ours in between
# leaves nothing running; a closed pipe (we died) ends it with EX_TEMPFAIL.
_GATE = 'read -r go || exit 75; exec "$@" </dev/null'


@frozen
class Identity:
    """A process group that can be told from a later one with the same number."""

    group: int
    started: str


@frozen
class Ended:
    """How a program ended: its exit code (None when it was stopped by us) and the last lines it printed."""

    code: int | None
    tail: tuple[str, ...]


class Program:
    """A running program. Standard error is joined to standard output; each line goes to `on_line`."""

    def __init__(
        self,
        command: str | tuple[str, ...],
        folder: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        redact: Callable[[str], str] = str,
    ) -> None:
        arguments = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _GATE, "sh", *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.identity = Identity(self._process.pid, start_time(self._process.pid) or "")
        self._tail: list[str] = []
        self._on_line, self._redact = on_line, redact
        self._reader = threading.Thread(target=self._read, name="script-output", daemon=True)
        self._reader.start()

    def go(self) -> None:
        """Let the program begin."""
        gate = self._process.stdin
        if gate is not None:
            try:
                gate.write(b"go\n")
                gate.close()
            except BrokenPipeError:  # it could not even start its shell; `wait` tells how it ended
                return

    def discard(self) -> None:
        """Let the program end without having begun."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._reader.join(timeout=_GRACE_SECONDS)

    def wait(self, keep_waiting: Callable[[], None]) -> Ended:
        """Wait for the end; `keep_waiting` is called every 50 ms and may raise to have the whole group ended."""
        try:
            while self._process.poll() is None:
                keep_waiting()
                try:
                    self._process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            end_group(self.identity)
            code = self._process.wait()
            self._reader.join(timeout=_GRACE_SECONDS)
        return Ended(code, tuple(self._tail))

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for raw in output:
                line = self._redact(raw.decode("utf-8", "replace").rstrip("\r\n"))[:_LONGEST_LINE]
                self._tail = [*self._tail[-_TAIL_LINES + 1 :], line]
                self._on_line(line)


def end_group(identity: Identity) -> bool:
    """End every process of the group: SIGTERM, five seconds, SIGKILL. False where the group is gone or another's."""
    if not _is_ours(identity):
        return False
    for number, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _GRACE_SECONDS)):
        try:
            os.killpg(identity.group, number)
        except (ProcessLookupError, PermissionError):  # empty, or (macOS) only zombies left
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not group_alive(identity.group):
                return True
            time.sleep(0.01)
    return True


def _is_ours(identity: Identity) -> bool:
    """A group's number is not given away while it has members, so only a living leader can be somebody else."""
    if identity.group <= 1 or not group_alive(identity.group):
        return False
    leader = start_time(identity.group)
    if leader is None:  # only members are left; after a reboot they are somebody else's
        return identity.started.partition("/")[0] == _boot()
    return leader == identity.started


def group_alive(group: int) -> bool:
    """Whether the group has a member that is not a zombie."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not _LINUX:
        return True
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(entry)
            if fields and int(fields[2]) == group and fields[0] not in "ZX":
                return True
    return False


def start_time(pid: int) -> str | None:
    """When a process began, as the kernel writes it (compare for equality only); None where it is gone."""
    if _LINUX:
        fields = _stat(Path("/proc") / str(pid))
        return f"{_boot()}/{fields[19]}" if fields and fields[0] not in "ZX" else None
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return f"{_boot()}/{asked.stdout.strip()}" if asked.stdout.strip() else None


@lru_cache(maxsize=1)
def _boot() -> str:
    """What tells this boot of the machine from others; empty where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _stat(entry: Path) -> list[str]:
    """Fields of /proc/PID/stat from the state on: 0 state, 1 parent, 2 group, 19 start time (proc(5))."""
    try:
        return (entry / "stat").read_text(errors="replace").rpartition(") ")[2].split()
    except OSError:
        return []
