"""How one asks the keeper: a JSON line there, a JSON line back, over its socket. Standard library only."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

LONGEST = 16 << 20
_SECONDS = 5.0


class KeeperUnreachableError(Exception):
    """No keeper answers at its socket."""


def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask and return the answer.

    Raises:
        KeeperUnreachableError: it does not run, or not yet.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_SECONDS)
        try:
            line.connect(path)
            line.sendall(json.dumps(question).encode() + b"\n")
            answer = read_line(line)
        except OSError as error:
            raise KeeperUnreachableError(str(error)) from error
    if not answer:
        raise KeeperUnreachableError("it hung up")
    found: dict[str, Any] = json.loads(answer)
    return found


def read_line(line: socket.socket) -> bytes:
    """What comes up to the end of the line; empty where the other side hung up first or says too much."""
    parts = bytearray()
    while not parts.endswith(b"\n"):
        part = line.recv(1 << 16)
        if not part or len(parts) > LONGEST:
            return b""
        parts += part
    return bytes(parts)


def is_ours(line: socket.socket) -> bool:
    """Whether the process at the other end runs as the same user."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return bool(struct.unpack("3i", credentials)[1] == os.getuid())
    return _is_ours_elsewhere(line)


def _is_ours_elsewhere(line: socket.socket) -> bool:
    """The same on macOS and the BSDs: LOCAL_PEERCRED at SOL_LOCAL gives a struct xucred (version, user, groups)."""
    return bool(struct.unpack_from("2I", line.getsockopt(0, 1, 76))[1] == os.getuid())
