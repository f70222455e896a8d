"""The keeper: holds the environments of the instances in memory, counts requests, measures, and keeps logs short.

A resident program beside the supervisor, standard library only. Values never leave it but to a process of the same user
that asks at its socket. A keeper that was killed learns the values again from the instances that still run, where the
kernel tells them (Linux).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

from ospec_plugin_local import pids
from ospec_plugin_local.counting import Counter
from ospec_plugin_local.rotation import rotate
from ospec_plugin_local.usage import Usage
from ospec_plugin_local.wire import is_ours, read_line

_TICK_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 0.05
"""Until it found Envoy once: whatever was counted before that is unknown."""
_CLIENT_SECONDS = 2.0
_BACKLOG = 128


class Keeper:
    """Answers one question at a time; each tick it counts and looks at the logs."""

    def __init__(self, root: Path, admin: str, log_bytes: int, log_files: int) -> None:
        self._environments = learn_again(root / "run")
        self._counter = Counter(admin)
        self._usage = Usage(root / "run")
        self._logs, self._log_bytes, self._log_files = root / "logs", log_bytes, log_files

    def serve(self, path: Path) -> None:
        """Answer at the socket `path` until killed."""
        with listen(path) as listener:
            due = time.monotonic()
            while True:
                ready, _, _ = select.select([listener], [], [], max(0.0, due - time.monotonic()))
                if ready:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError, ValueError):
                        self._attend(connection)
                if time.monotonic() >= due:
                    self._counter.tick()
                    pause = _TICK_SECONDS if self._counter.began else _FIRST_LOOK_SECONDS
                    due = max(due + pause, time.monotonic())
                    if self._counter.began:
                        self._usage.tick()
                    rotate(self._logs, self._log_bytes, self._log_files)

    def _attend(self, connection: socket.socket) -> None:
        connection.settimeout(_CLIENT_SECONDS)
        if is_ours(connection):
            question = read_line(connection)
            if question:
                connection.sendall(json.dumps(self._answer(json.loads(question))).encode() + b"\n")

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        match question.get("op"):
            case "put":
                self._environments[question["key"]] = question["environment"]
                return {"ok": True}
            case "get":
                return {"environment": self._environments.get(question["key"])}
            case "drop":
                self._environments.pop(question["key"], None)
                return {"ok": True}
            case "keys":
                return {"keys": sorted(self._environments)}
            case "logs":
                self._log_bytes, self._log_files = int(question["bytes"]), int(question["files"])
                return {"ok": True}
            case "bins":
                since = question["since"]
                return {"bins": self._counter.since(since), "usage": self._usage.since(since)}
        return {"error": "unknown question"}


def listen(path: Path) -> socket.socket:
    """A listening socket that only its owner may connect to; one of the same name goes."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener


def learn_again(run: Path) -> dict[str, dict[str, str]]:
    """The environments of the deployments whose instances run, as the kernel tells them; by key."""
    found: dict[str, dict[str, str]] = {}
    for path in run.glob("*.json"):
        record = pids.read_record(path) or {}
        key = record.get("key")
        if not key or key in found or not pids.same(record):
            continue
        try:
            pairs = Path(f"/proc/{record['pid']}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        values = dict(os.fsdecode(pair).split("=", 1) for pair in pairs if b"=" in pair)
        if "OSPEC_RELEASE" in values:  # a program that wrote over its environment tells nothing
            found[key] = values
    return found


if __name__ == "__main__":
    Keeper(
        Path(os.environ["OSPEC_LOCAL_ROOT"]), os.environ["OSPEC_LOCAL_ADMIN"], int(sys.argv[1]), int(sys.argv[2])
    ).serve(Path(os.environ["OSPEC_LOCAL_KEEPER"]))
