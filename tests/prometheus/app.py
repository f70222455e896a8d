"""A shop whose pages always come, and whose orders fail: its own numbers tell, the proxy's do not.

`failing.txt` beside it says which share of the orders fail. It tells Prometheus where it is, as
service discovery would.
"""

from __future__ import annotations

import json
import os
import random
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import Counter, generate_latest

FAILING = float(Path("failing.txt").read_text())
ORDERS = Counter("orders", "", ["outcome"])


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True

    def do_GET(self) -> None:
        body = b"shop"
        if self.path == "/metrics":
            body = generate_latest()
        elif self.path != "/health":
            for _ in range(3):
                ORDERS.labels("failed" if random.random() < FAILING else "done").inc()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


def main() -> None:
    port, release = os.environ["PORT"], os.environ["OSPEC_RELEASE"]
    told = Path(os.environ["TARGETS"]) / f"{release}-{port}.json"
    told.with_suffix(".new").write_text(
        json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": {"version": release}}])
    )
    told.with_suffix(".new").rename(told)
    Server(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
