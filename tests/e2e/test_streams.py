"""Answers that take long are not cut by a switch: Server-Sent Events, WebSockets, a slow download.

The download takes 17 s, which is more than what a proxy's defaults allow; with OSPEC_TESTS=all it takes a minute.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from ospec.testing.load import Load
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

DOWNLOAD_SECONDS = 60 if os.environ.get("OSPEC_TESTS") == "all" else 17


def events(connection: http.client.HTTPConnection) -> Iterator[tuple[int, str]]:
    """(id, release) of each event of an endless stream."""
    connection.request("GET", "/events")
    answer = connection.getresponse()
    while line := answer.readline():
        if line.startswith(b"id: "):
            yield int(line[4:]), answer.readline().decode().removeprefix("data: ").strip()


def test_events_go_on_while_the_old_release_is_kept_warm(shop: Any) -> None:
    shop.settings.update(keep_seconds=3600, drain_seconds=1)
    shop.deploy("v1")
    with closing(http.client.HTTPConnection("127.0.0.1", shop.port, timeout=10)) as connection:
        stream = events(connection)
        assert next(stream) == (0, "v1")
        assert shop.deploy("v2")["outcome"] == "promoted"
        assert shop.ask() == (200, "v2")
        got = [next(stream) for _ in range(60)]  # some of them after all that
    assert got == [(number, "v1") for number in range(1, 61)]


def test_a_stream_without_an_end_does_not_hold_a_deploy_up(shop: Any) -> None:
    shop.settings.update(keep_seconds=0, drain_seconds=1)
    shop.deploy("v1")
    with closing(http.client.HTTPConnection("127.0.0.1", shop.port, timeout=10)) as connection:
        stream = events(connection)
        next(stream)
        with Load(shop.url + "/", rate=50) as load:
            assert shop.deploy("v2")["outcome"] == "promoted"
        with suppress(OSError, http.client.HTTPException):
            assert all(release == "v1" for _, release in stream)  # it ends: cut, or with an end of its own
    assert load.stop().failed == 0
    assert shop.processes("v1") == []


def test_a_slow_download_arrives_whole(shop: Any) -> None:
    shop.settings.update(keep_seconds=0, drain_seconds=DOWNLOAD_SECONDS + 30)
    shop.deploy("v1")
    got = bytearray()
    with closing(http.client.HTTPConnection("127.0.0.1", shop.port, timeout=10)) as connection:
        connection.request("GET", f"/download?seconds={DOWNLOAD_SECONDS}")
        answer = connection.getresponse()

        def read() -> None:
            while piece := answer.read(65536):
                got.extend(piece)

        reading = threading.Thread(target=read)
        reading.start()
        with Load(shop.url + "/", rate=50) as load:
            report = shop.deploy("v2")
        reading.join()
    assert report["outcome"] == "promoted"
    assert got == b"".join(bytes([number % 251]) * 1024 for number in range(DOWNLOAD_SECONDS * 100))
    result = load.stop()
    assert result.failed == 0
    assert result.by_release["v2"].first_done < result.by_release["v2"].last_done - DOWNLOAD_SECONDS / 2, "v2 waited"
    assert shop.processes("v1") == []


def test_websockets(shop: Any) -> None:
    shutil.copy(Path(__file__).with_name("ws_server.py"), shop.folder)
    shop.settings.update(start=json.dumps(f"exec {sys.executable} ws_server.py"), keep_seconds=3600, drain_seconds=1)
    shop.deploy("v1")
    url = f"ws://127.0.0.1:{shop.port}/echo"
    with connect(url) as before:
        before.send("one")
        assert before.recv(10) == "v1 one"
        assert shop.deploy("v2")["outcome"] == "promoted"
        before.send("two")
        assert before.recv(10) == "v1 two", "it was moved or cut"
        with connect(url) as after:
            after.send("three")
            assert after.recv(10) == "v2 three"
        shop.ospec("prune", "--warm")
        with pytest.raises(ConnectionClosed):
            before.recv(10)
    assert shop.processes("v1") == []


def test_a_begun_request_body_reaches_the_release_it_was_begun_with(shop: Any) -> None:
    """A request whose head was half sent at the switch is answered, by either release."""
    shop.settings.update(keep_seconds=0)
    shop.deploy("v1")
    with socket.create_connection(("127.0.0.1", shop.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: shop\r\n")
        shop.deploy("v2")
        connection.sendall(b"connection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"x-ospec-release: v2" in answer
