"""Free ports, outside the range the kernel gives to clients."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Collection
from pathlib import Path

from ospec.errors import FatalError

_LOWEST, _HIGHEST = 20000, 32000
_CONNECT_SECONDS = 0.5
_CLIENT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, taken: Collection[int]) -> list[int]:
    """`count` ports of 127.0.0.1 that nobody listens on and that are not in `taken`.

    They start at a random one, so that two services deployed at the same time hardly ever choose the same.
    """
    highest = min(_HIGHEST, _first_of_clients() - 1)
    low = _LOWEST if highest > _LOWEST + 1000 else 1025
    span = range(low, highest)
    start = random.randrange(len(span))  # noqa: S311 (no secret)
    found: list[int] = []
    for port in (*span[start:], *span[:start]):
        if len(found) == count:
            break
        if port not in taken and is_free("127.0.0.1", port):
            found.append(port)
    if len(found) < count:
        raise FatalError(f"there are no {count} free ports from {low} to {highest}", code="no-free-port", where="local")
    return found


def is_free(host: str, port: int) -> bool:
    """Whether a program could listen on host and port now. A host that is not this machine's, or a port
    that needs privileges, raises `OSError`."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)  # without it, a second bind of a listening port passes where both reuse addresses
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True


def _first_of_clients() -> int:
    try:
        return int(_CLIENT_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return 32768


def accepts(port: int) -> bool:
    """Whether somebody takes connections at a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
