"""Things to ask: a small real HTTP server whose answers a test chooses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

Answering = Callable[[int], "bytes | None"]
"""From the number of a request to the bytes of its answer; empty bytes close the connection, None never answers."""


def answer(body: bytes = b"ok", status: int = 200, release: str = "", more: bytes = b"") -> bytes:
    """An HTTP answer of known length."""
    told = f"x-ospec-release: {release}\r\n".encode() if release else b""
    head = f"HTTP/1.1 {status} Told\r\ncontent-length: {len(body)}\r\n".encode()
    return head + told + more + b"\r\n" + body


class Server:
    """Listens on a port of its own; `answering` may be changed at any time."""

    def __init__(self) -> None:
        self.answering: Answering = lambda number: answer()
        self.requests, self.connections = 0, 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._guard = threading.Lock()
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def close(self) -> None:
        """End the listener, every connection and every thread."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # its client or we closed it before
                continue
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                with self._guard:
                    number = self.requests
                    self.requests += 1
                made = self.answering(number)
                if made == b"":
                    return
                if made is not None:
                    connection.sendall(made)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that is closed in the end."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def http_answer() -> Callable[..., bytes]:
    """`answer`."""
    return answer
