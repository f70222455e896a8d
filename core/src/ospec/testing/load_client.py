"""The open-loop HTTP/1.1 client: requests leave on a fixed schedule, whether or not earlier ones were answered.

Nothing is sent twice: a connection that closes under a request is a failed request, as it is for a user.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from attrs import define

from ospec.testing.load_samples import LoadResult, Samples

TICK_SECONDS = 0.001  # what the event loop's timer resolves
RELEASE_HEADER = b"\r\nx-ospec-release:"


@define
class _Request:
    due: float
    sent: float = 0.0
    fresh: bool = False


class Client:
    """Sends requests to one URL at `rate` a second over at most `connections` keep-alive connections.

    Args:
        fresh_share: share of the requests, 0 to 1, that get a new connection of their own.
        timeout_seconds: from the scheduled moment; then the request counts as failed (``timeout``).
        on_answer: called once, at the first answer.
    """

    def __init__(
        self,
        url: str,
        rate: float,
        connections: int,
        fresh_share: float = 0.0,
        timeout_seconds: float = 30.0,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or rate <= 0 or connections < 1:
            raise ValueError(f"expected http://HOST[:PORT][/PATH], a rate and connections above 0; found {url!r}")
        self.host, self.port = parts.hostname, parts.port or 80
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.message = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: ospec-load\r\n\r\n".encode()
        self.url, self.rate, self.limit = url, rate, connections
        self.fresh_share, self.timeout = fresh_share, timeout_seconds
        self.samples = Samples()
        self.idle: list[_Connection] = []
        self.busy: set[_Connection] = set()
        self._waiting: deque[_Request] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._on_answer = on_answer
        self._answered = False
        self._epoch = time.time() - time.perf_counter()

    async def run(self, seconds: float | None, stop: asyncio.Event) -> LoadResult:
        """Send until `seconds` passed or `stop` is set, then wait for what is open and sum up."""
        begin = time.perf_counter()
        end = begin + seconds if seconds is not None else float("inf")
        count, swept = 0, begin
        while not stop.is_set():
            now = time.perf_counter()
            while (due := begin + count / self.rate) <= now and due < end:
                fresh = int((count + 1) * self.fresh_share) > int(count * self.fresh_share)
                self._send(_Request(due, fresh=fresh))
                count += 1
            if now - swept > 0.1:
                self._sweep(now)
                swept = now
            if now >= end:
                break
            await asyncio.sleep(TICK_SECONDS)
        stopped = time.perf_counter()
        while self.busy or self._opening or self._waiting:
            self._sweep(time.perf_counter())
            await asyncio.sleep(0.01)
        for connection in self.idle:
            connection.transport.close()
        return self.samples.result(self.url, self.rate, begin + self._epoch, stopped - begin)

    def _send(self, request: _Request) -> None:
        if not request.fresh and self.idle:
            self.idle.pop().send(request)
        elif request.fresh or len(self.busy) + len(self._opening) < self.limit:
            task = asyncio.ensure_future(self._open(request))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        else:
            self._waiting.append(request)

    async def _open(self, request: _Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            left = max(0.001, request.due + self.timeout - time.perf_counter())
            opening = loop.create_connection(lambda: _Connection(self), self.host, self.port)
            _, connection = await asyncio.wait_for(opening, left)
        except asyncio.TimeoutError:
            self.finish(request, 0, "", "timeout")
        except OSError:
            self.finish(request, 0, "", "connect")
        else:
            connection.send(request)

    def _sweep(self, now: float) -> None:
        """Give up what is too old. Looked at every 100 ms: a timer for each request costs more than the request."""
        while self._waiting and now - self._waiting[0].due > self.timeout:
            self.finish(self._waiting.popleft(), 0, "", "timeout")
        for connection in [c for c in self.busy if c.request and now - c.request.due > self.timeout]:
            connection.fail("timeout")

    def finish(self, request: _Request, status: int, release: str, error: str) -> None:
        """Record one request."""
        now = time.perf_counter()
        sent = (request.sent or now) - request.due
        self.samples.add(request.due + self._epoch, sent * 1000, (now - request.due) * 1000, status, release, error)
        if status and not self._answered:
            self._answered = True
            self._on_answer()

    def free(self, connection: _Connection) -> None:
        """Take back a connection that may carry another request."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self.idle.append(connection)

    def lost(self) -> None:
        """A connection is gone; what waits for one gets a new one."""
        if self._waiting:
            self._send(self._waiting.popleft())


class _Connection(asyncio.Protocol):
    def __init__(self, client: Client) -> None:
        self.client = client
        self.transport: asyncio.Transport
        self.request: _Request | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: _Request) -> None:
        self.client.busy.add(self)
        self.request, self._buffer = request, b""
        request.sent = time.perf_counter()
        if self.transport.is_closing():
            self.fail("closed")
        else:
            self.transport.write(self.client.message)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.request is None:
            self.transport.close()  # an answer nobody asked for
            return
        try:
            self._answer(closed=False)
        except ValueError:
            self.fail("malformed")

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.client.idle:
            self.client.idle.remove(self)
        if self.request is not None:
            try:
                self._answer(closed=True)
            except ValueError:
                self.fail("malformed")
        if self.request is not None:
            self.fail("closed")
        self.client.lost()

    def fail(self, error: str) -> None:
        request, self.request = self.request, None
        self.client.busy.discard(self)
        if request is not None:
            self.client.finish(request, 0, "", error)
        self.transport.abort()

    def _answer(self, closed: bool) -> None:
        """Finish the request where its answer is complete; raise ValueError where it is no HTTP."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self.request is None:
            return
        head = self._buffer[: end + 2]
        status, lower = int(head[9:12]), head.lower()
        length = _header(lower, b"\r\ncontent-length:")
        body = memoryview(self._buffer)[end + 4 :]
        until_close = False
        if b"chunked" in _header(lower, b"\r\ntransfer-encoding:"):
            complete = _chunks_complete(body)
        elif length:
            complete = len(body) >= int(length)
        else:
            until_close = status not in (204, 304)
            complete = closed or not until_close
        if not complete:
            return
        request, self.request = self.request, None
        at = lower.find(RELEASE_HEADER)
        release = (
            head[at + len(RELEASE_HEADER) : head.index(b"\r\n", at + 2)].strip().decode("latin-1") if at >= 0 else ""
        )
        self.client.busy.discard(self)
        self.client.finish(request, status, release, "" if 200 <= status < 400 else f"status-{status}")
        if closed:
            return
        keep = not (until_close or request.fresh or head.startswith(b"HTTP/1.0"))
        if keep and b"close" not in _header(lower, b"\r\nconnection:") and not self.transport.is_closing():
            self.client.free(self)
        else:
            self.transport.close()


def _header(lower_head: bytes, name: bytes) -> bytes:
    at = lower_head.find(name)
    return lower_head[at + len(name) : lower_head.index(b"\r\n", at + 2)].strip() if at >= 0 else b""


def _chunks_complete(body: memoryview) -> bool:
    """Whether a chunked body has its last chunk and the empty line after it."""
    data, at = bytes(body), 0
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].split(b";")[0], 16)
        if size == 0:
            return data.startswith(b"\r\n", line + 2) or data.find(b"\r\n\r\n", line) >= 0
        at = line + 2 + size + 2
    return False
