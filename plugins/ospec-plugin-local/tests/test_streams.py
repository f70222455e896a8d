"""What is more than a question and an answer: upgraded connections, streams, requests whose answer is lost."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.models.live import HeaderRule

# Echoes whatever comes over an upgraded connection; streams events; drops the connection of a request it has counted.
STREAMS = """
import http.server, os, pathlib, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            return self.upgrade()
        if self.path == "/events":
            return self.events()
        if self.path == "/lost":
            return self.lose()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def upgrade(self):
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(100):
            self.connection.sendall(os.environ["OSPEC_RELEASE"].encode() + b":" + data)

    def events(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        while not pathlib.Path("enough").exists():
            self.wfile.write(b"data: tick\\n\\n")
            time.sleep(0.02)
        self.wfile.write(b"data: end\\n\\n")

    def lose(self):
        with open("requests", "a") as file:
            file.write(self.command + "\\n")
        self.close_connection = True

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def streaming(service: Any) -> Any:
    """A service whose release v1 serves all that, and v2 waits without traffic."""
    service.target = evolve(service.target, deployment=evolve(service.target.deployment, drain_seconds=0.2))
    for name, slot in (("v1", "blue"), ("v2", "green")):
        service.deploy(name, slot, program=STREAMS)
        service.healthy(name, slot)
    service.switch({"blue": 100.0})
    return service


@contextlib.contextmanager
def upgraded(port: int, header: bytes = b"X-Other: 1") -> Iterator[socket.socket]:
    """A connection through the front door after a WebSocket handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=10.0) as line:
        line.sendall(
            b"GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + header
            + b"\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            part = line.recv(1024)
            assert part, head
            head += part
        assert head.startswith(b"HTTP/1.1 101"), head
        yield line


def said(line: socket.socket, text: bytes) -> bytes:
    line.sendall(text)
    return line.recv(100)


def test_an_upgraded_connection_goes_on_over_a_switch_until_its_slot_is_taken_away(streaming: Any) -> None:
    with upgraded(streaming.port) as line:
        assert said(line, b"one") == b"v1:one"
        streaming.switch({"green": 100.0})
        assert said(line, b"two") == b"v1:two"
        with upgraded(streaming.port) as newer:
            assert said(newer, b"three") == b"v2:three"
        streaming.retire("blue")
        assert line.recv(100) == b""


def test_a_stream_goes_on_over_a_switch_and_back(streaming: Any, until: Any) -> None:
    lines: list[bytes] = []

    def listen() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", streaming.port, timeout=10.0)
        with contextlib.closing(connection):
            connection.request("GET", "/events")
            with connection.getresponse() as answer:
                lines.extend(iter(answer.readline, b""))

    listening = threading.Thread(target=listen)
    listening.start()
    until(lambda: streaming.open_requests(streaming.slot_key("blue")) == 1)
    streaming.switch({"green": 100.0})
    streaming.switch({"blue": 100.0, "green": 0.0})
    (streaming.folder / "files" / "v1" / "enough").touch()
    listening.join()
    assert lines[-2:] == [b"data: end\n", b"\n"]


@pytest.mark.parametrize("kind", ["rule", "cookie", "no cookie"])
def test_connections_are_upgraded_and_posts_arrive_by_every_kind_of_route(streaming: Any, kind: str) -> None:
    rule = HeaderRule("x-canary", "yes", "green")
    streaming.switch({"blue": 0.0, "green": 100.0}, headers=(rule,), sticky=True, gaining="green")
    cookie = f"ospec-{streaming.slot_key('green')}=somebody"
    header = {"rule": ("X-Canary", "yes"), "cookie": ("Cookie", cookie), "no cookie": ("X-Other", "1")}[kind]
    with upgraded(streaming.port, ": ".join(header).encode()) as line:
        assert said(line, b"one") == b"v2:one"
    status, told, _ = streaming.ask_all("/", dict([header]) | {"content-length": "0"}, method="POST")
    assert (status, told["x-ospec-release"]) == (200, "v2")
    assert ("set-cookie" in told) == (kind == "no cookie")


@pytest.mark.parametrize(("method", "times"), [("GET", 4), ("POST", 1)])
def test_a_request_whose_answer_is_lost_is_sent_again_only_where_that_does_no_harm(
    streaming: Any, method: str, times: int
) -> None:
    """Three more tries for a GET; a POST may have had its effect."""
    connection = http.client.HTTPConnection("127.0.0.1", streaming.port, timeout=10.0)
    with contextlib.closing(connection):
        connection.request(method, "/lost", body=b"x" if method == "POST" else None)
        assert connection.getresponse().status == 503
    counted: Path = streaming.folder / "files" / "v1" / "requests"
    assert counted.read_text().split() == [method] * times
