"""A small web application: answers who it is, and on SIGTERM finishes what it has begun.

Reads PORT (required), OSPEC_RELEASE and OSPEC_SLOT. Needs the standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    """Answers GET / and GET /health, on connections that are kept alive."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet...
    disable_nagle_algorithm = True  # ...and at once

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self.answer(200, {"status": "ok"})
        elif path == "/":
            release, slot = os.environ.get("OSPEC_RELEASE", "unknown"), os.environ.get("OSPEC_SLOT", "none")
            self.answer(200, {"message": "Hello!", "release": release, "slot": slot, "pid": os.getpid()})
        else:
            self.answer(404, {"error": f"nothing at {path}; try / or /health"})

    def answer(self, status: int, body: dict[str, object]) -> None:
        """Send ``body`` as JSON; the connection stays open for the next request."""
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing per request: the proxy counts them."""


class Server(socketserver.ThreadingTCPServer):
    """One thread for each connection; knows the open ones, so that it can end without cutting an answer."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        self.open: set[socket.socket] = set()
        self.guard = threading.Lock()
        super().__init__(address, Handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        with self.guard:
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        with self.guard:
            self.open.discard(request)
            super().shutdown_request(request)

    def finish(self) -> None:
        """Accept nothing new, let begun requests be answered, then return.

        Closing the reading half ends idle connections at once; a busy one answers what has arrived, then reads the end.
        """
        self.shutdown()
        with self.guard:
            for connection in self.open:
                with contextlib.suppress(OSError):  # its client has just left
                    connection.shutdown(socket.SHUT_RD)
        self.server_close()  # waits for the threads


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    server = Server(("127.0.0.1", int(os.environ["PORT"])))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(f"listening on port {server.server_address[1]}", flush=True)
    stop.wait()
    server.finish()


if __name__ == "__main__":
    main()
