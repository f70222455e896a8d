"""The web application that conformance checks deploy; `behaviour.txt` beside it says what is wrong with this release.

``good``: serves. ``broken``: serves, and /health answers 500. ``silent``: runs and never listens.
On any of them /break makes /health answer 500 from then on, /slow answers as slowly as it is asked to, and /secret
tells a digest of CONFORMANCE_SECRET.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BROKEN = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """One request; the connection is kept."""

    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/break":
            BROKEN.set()
        if path == "/slow":
            self.begin(200, 4)
            self.wfile.flush()
            time.sleep(float(query.partition("=")[2]))
            self.wfile.write(b"slow")
            return
        secret = hashlib.sha256(os.environ.get("CONFORMANCE_SECRET", "").encode()).hexdigest()
        body = (secret if path == "/secret" else os.environ.get("OSPEC_RELEASE", "")).encode()
        self.begin(500 if path == "/health" and BROKEN.is_set() else 200, len(body))
        self.wfile.write(body)

    def begin(self, status: int, length: int) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        self.send_header("content-length", str(length))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing per request."""


def main() -> None:
    """Serve on PORT."""
    behaviour = Path("behaviour.txt").read_text().strip()
    print(f"sample application starts: {behaviour}", flush=True)
    if behaviour == "silent":
        threading.Event().wait()
    if behaviour == "broken":
        BROKEN.set()
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
