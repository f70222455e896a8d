"""The lock of one service and environment on this machine: an flock that the kernel drops when its owner dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ospec.errors import OspecError

_LOOK_SECONDS = 0.5


class FileLease:
    """A held flock with its fencing token. Made by `acquire`.

    The descriptor is not inherited by programs we start, so that a script that outlives us cannot hold the lock.
    """

    def __init__(self, descriptor: int, token: int) -> None:
        self._descriptor: int | None = descriptor
        self.token = token

    def release(self) -> None:
        """Give the lock back; safe to call twice."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def acquire(path: Path, next_token: Callable[[], int]) -> FileLease | None:
    """Take the lock file at `path`; None where a living process holds it.

    Args:
        next_token: called with the lock held; gives a token higher than any before.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OspecError(
            f"cannot open the lock file {path}: {error.strerror}",
            code="store-broken",
            hints=(f"make {path.parent} writable for you, or set OSPEC_HOME to a folder that is",),
        ) from error
    if not _locked(descriptor):
        os.close(descriptor)
        return None
    try:
        token = next_token()
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "token": token}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return FileLease(descriptor, token)


def _locked(descriptor: int) -> bool:
    """Take the lock. Where no living owner stands in the file, somebody only looks (`owner`), for a moment."""
    end = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end or _lives(os.pread(descriptor, 4096, 0)):
                return False
            time.sleep(0.005)


def _lives(text: bytes) -> bool:
    try:
        found = json.loads(text)
        if found["host"] == socket.gethostname():
            os.kill(int(found["pid"]), 0)
        return True
    except (ValueError, KeyError, TypeError, ProcessLookupError):
        return False
    except PermissionError:
        return True


def owner(path: Path) -> Mapping[str, Any] | None:
    """Who holds the lock file now: pid, host, since (Unix seconds), token; None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        text = os.pread(descriptor, 4096, 0)
        try:
            found = json.loads(text)
        except ValueError:  # the owner is between truncating and writing
            return {}
        return found if isinstance(found, dict) else {}
    finally:
        os.close(descriptor)
