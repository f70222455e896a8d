"""Asking Envoy's administration over its socket. Standard library only."""

from __future__ import annotations

import socket


class AdminError(Exception):
    """It does not answer, or not well."""


def get(path: str, query: str, seconds: float = 2.0) -> bytes:
    """The body of ``GET query``.

    Raises:
        AdminError: nothing answers at the socket `path`, or with another status than 200.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(seconds)
            line.connect(path)
            line.sendall(f"GET {query} HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n".encode())
            answer = bytearray()
            while part := line.recv(1 << 18):
                answer += part
    except OSError as error:
        raise AdminError(str(error)) from error
    head, found, body = bytes(answer).partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not found or status != [b"200"]:
        raise AdminError(f"{query} is answered with {status[0].decode() if status else 'nothing'}")
    if b"transfer-encoding: chunked" in head.lower():
        return _joined(body)
    return body


def _joined(body: bytes) -> bytes:
    parts = bytearray()
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        parts += rest[:length]
        body = rest[length + 2 :]
    return bytes(parts)
