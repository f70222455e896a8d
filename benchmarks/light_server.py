"""The application under load: one thread, one answer; costs little beside the proxy and the load generator.

Reads PORT, OSPEC_RELEASE and, where no proxy tells the release, RELEASE_HEADER: the header to tell it in. A file
`errors.txt` beside it says which share of the requests but for health checks, 0 to 1, is answered with 500.
On SIGTERM it answers what has arrived, then ends.
"""

from __future__ import annotations

import os
import random
import selectors
import signal
import socket
from pathlib import Path


def main() -> None:
    """Serve until SIGTERM."""
    body = os.environ.get("OSPEC_RELEASE", "none").encode()
    header = os.environ.get("RELEASE_HEADER", "x-app-release").encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s: %s\r\n\r\n%s" % (len(body), header, body, body)
    errors = float(Path("errors.txt").read_text()) if Path("errors.txt").exists() else 0.0
    failure = answer.replace(b"200 OK", b"500 Internal Server Error")
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=512)
    listener.setblocking(False)
    waker, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(waker, selectors.EVENT_READ)
        serving = True
        while serving:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    accept(listener, selector)
                elif key.fileobj is waker:
                    serving = False
                else:
                    respond(key.data, selector, answer, failure, errors)
        for key, _ in selector.select(0):
            if key.data:
                respond(key.data, selector, answer)


def accept(listener: socket.socket, selector: selectors.BaseSelector) -> None:
    """Take every connection that waits."""
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, connection)


def respond(
    connection: socket.socket, selector: selectors.BaseSelector, answer: bytes, failure: bytes = b"", share: float = 0.0
) -> None:
    """Answer each request that has arrived; heads come whole here, and none has a body."""
    try:
        arrived = connection.recv(65536)
    except OSError:
        arrived = b""
    requests = arrived.count(b"\r\n\r\n")
    if share and random.random() < share and b"/health" not in arrived:  # noqa: S311 (no secret)
        answer = failure
    if requests:
        connection.sendall(answer * requests)
    else:
        selector.unregister(connection)
        connection.close()


if __name__ == "__main__":
    main()
