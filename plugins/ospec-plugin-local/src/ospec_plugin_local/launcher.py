"""What the supervisor runs for each program: gets the environment, writes down who it is, becomes the program.

Standard library only, and few modules: an instance's start waits for it. Where the program already runs (its supervisor
was killed, the program was not), the launcher stands in for it instead of starting a second: it ends when the program
ends, and ends the program when it is told to.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ospec_plugin_local import pids
from ospec_plugin_local.wire import KeeperUnreachableError, ask

_KEEPER_POLL_SECONDS = 0.02
_VALUES_POLL_SECONDS = 0.25


def main(name: str) -> NoReturn:
    """Become program `name` of the place that the environment tells."""
    root, keeper = Path(os.environ["OSPEC_LOCAL_ROOT"]), os.environ["OSPEC_LOCAL_KEEPER"]
    spec = json.loads((root / "programs" / f"{name}.json").read_bytes())
    kept = root / "run" / f"{name}.json"
    supervisor = os.getppid()
    with one_at_a_time(root):
        if not _is(supervisor, root / "supervisord.pid"):
            os._exit(0)  # it was killed meanwhile, and the one that follows starts the program
        earlier = pids.read_record(kept) or {}
        runs = pids.same(earlier) and not earlier.get("waits")
        if not runs:
            pids.kill_leader(earlier)  # a launcher that waits for values, and would become a second one
            pids.kill_group(earlier)  # what a killed instance left behind may hold its port
            starts = int(earlier.get("starts", 0)) + (0 if earlier.get("waits") else 1)
            record = {**pids.identity(os.getpid()), "starts": starts, "key": spec["key"]}
            # Before anything that may last: from here on whoever ends the program finds this process.
            pids.write_record(kept, {**record, "waits": True})
    if runs:
        _stand_in_for(earlier, spec["stop_seconds"])
    _open_log(root / "logs" / f"{name}.log")
    environment = {**_environment(keeper, spec["key"], name, supervisor), **spec["environment"]}
    pids.write_record(kept, record)
    _become(spec["command"], spec["directory"], environment)


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Held by a launcher from when it looks who its program is until it wrote down that it will be.

    Whoever killed the supervisor and then held it once knows that there is a record of every launcher that goes on.
    """
    with (root / "starting.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is(supervisor: int, kept: Path) -> bool:
    """Whether the parent is the supervisor that serves the place, which writes its number before it starts anything."""
    try:
        return int(kept.read_text()) == supervisor
    except (OSError, ValueError):  # somebody removed the file: nothing speaks against the parent
        return True


def _environment(keeper: str, key: str, name: str, supervisor: int) -> Mapping[str, str]:
    """The values of this deployment, which only the keeper knows; waits for it, and for whoever brings them."""
    if not key:
        return os.environ
    told = False
    while True:
        if os.getppid() != supervisor:
            os._exit(0)  # as above
        try:
            found = ask(keeper, {"op": "get", "key": key}).get("environment")
        except KeeperUnreachableError:
            time.sleep(_KEEPER_POLL_SECONDS)
            continue
        if isinstance(found, dict):
            return found
        if not told:
            _say(f"{name} waits for its variables, which were lost with their keeper: run ospec up")
            told = True
        time.sleep(_VALUES_POLL_SECONDS)


def _open_log(path: Path) -> None:
    """Standard output and error go to the log itself, so that the death of the supervisor breaks no pipe.

    The supervisor's pipe stays open unused: its end tells the supervisor at once that the program ended.
    """
    os.set_inheritable(os.dup(1), True)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


def _become(command: list[str], directory: str, environment: Mapping[str, str]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a program would inherit that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.chdir(directory)
        os.execvpe(command[0], command, environment)  # noqa: S606 (the user's own program)
    except OSError as error:
        _say(f"cannot start {command[0]} in {directory}: {error.strerror}")
        os._exit(127)


def _stand_in_for(record: dict[str, Any], stop_seconds: float) -> NoReturn:
    def end(*_: object) -> None:
        pids.end_group(record, max(0.0, stop_seconds - 1.0))
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if hasattr(os, "pidfd_open"):
        try:
            watched = os.pidfd_open(record["pid"])
        except OSError:
            os._exit(0)
        if pids.same(record):  # the number was still ours when it was opened
            select.select([watched], [], [])
    while pids.same(record):
        time.sleep(0.05)
    os._exit(0)


def _say(line: str) -> None:
    os.write(2, f"ospec: {line}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
