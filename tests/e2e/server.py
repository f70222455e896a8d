"""The web application of the end-to-end tests. `behaviour.txt` beside it says what is wrong with this release.

Standard library only. SIGTERM ends it at once, in the middle of whatever it answers, unless its behaviour is to ignore
it: that nothing is lost is the platform's doing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BEHAVIOUR = Path("behaviour.txt").read_text().strip()
BEGAN = time.monotonic()
USED = threading.Event()
"""Set by the first request that a user sent: the switch is over."""


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/health":
            self.health()
        elif path == "/events":
            self.events()
        elif path == "/download":
            self.download(float(query.partition("=")[2]))
        else:
            self.page(path)

    def health(self) -> None:
        if BEHAVIOUR == "slow":
            time.sleep(0.05)
        if BEHAVIOUR == "hangs":
            time.sleep(3600)
        broken = BEHAVIOUR in ("never-healthy", "ignores-sigterm") or (
            BEHAVIOUR == "errors-after-switch" and USED.is_set()
        )
        self.answer(500 if broken else 200, {"status": "broken" if broken else "ok"})

    def page(self, path: str) -> None:
        broken = (BEHAVIOUR == "errors-after-switch" and USED.is_set()) or (
            BEHAVIOUR == "error-page" and path == "/error"
        )
        broken = broken or (BEHAVIOUR == "some-errors" and random.random() < 0.1)
        USED.set()
        if BEHAVIOUR == "crashes-after-switch" or (
            BEHAVIOUR == "crashes-now-and-then" and time.monotonic() > BEGAN + 4
        ):
            os._exit(3)
        told = {"release": os.environ["OSPEC_RELEASE"], "slot": os.environ["OSPEC_SLOT"], "pid": os.getpid()}
        self.answer(500 if broken else 200, told)

    def answer(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self) -> None:
        """Server-Sent Events without an end, ten a second."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number in range(10**6):
            self.wfile.write(f"id: {number}\ndata: {os.environ['OSPEC_RELEASE']}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.1)

    def download(self, seconds: float) -> None:
        """A file of 1 KiB for each 10 ms, as slow as that."""
        pieces = int(seconds * 100)
        self.send_response(200)
        self.send_header("content-length", str(pieces * 1024))
        self.end_headers()
        for number in range(pieces):
            self.wfile.write(bytes([number % 251]) * 1024)
            self.wfile.flush()
            time.sleep(0.01)

    def log_message(self, *arguments: object) -> None:
        """Say nothing per request."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error of ours."""


def effect(what: str) -> None:
    """Write down that something was done, for a test to count; one short append is atomic."""
    if "EFFECTS" in os.environ:
        with Path(os.environ["EFFECTS"]).open("a") as file:
            file.write(f"{what} {os.environ['OSPEC_RELEASE']}\n")


def main() -> None:
    effect("start")
    if BEHAVIOUR == "exits":
        sys.exit(3)
    if BEHAVIOUR == "ignores-sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    if BEHAVIOUR == "leaks-port":
        server.socket.set_inheritable(True)
        if os.fork():
            os._exit(3)
        while True:  # a child that nobody waits for holds the port and never answers
            signal.pause()
    print("listening on", os.environ["PORT"], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
