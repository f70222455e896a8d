"""Asking an address over HTTP: status and release of one answer, on a kept or a fresh connection."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen

if TYPE_CHECKING:
    import http.client

RELEASE_HEADER = "x-ospec-release"
_LARGEST_BODY = 1 << 20
_NO_HEADERS: Mapping[str, str] = {}


@frozen
class Answer:
    """One answer of the front door. `error` is empty where an answer came; `status` is 0 where none did."""

    status: int
    release: str
    latency_ms: float
    error: str = ""
    body: bytes = b""

    @property
    def failed(self) -> bool:
        """No answer, or one that blames the server (5xx)."""
        return bool(self.error) or self.status >= 500


class Asker:
    """Asks one URL again and again on one keep-alive connection; `ask(fresh=True)` takes a new one for one request.

    Raises `ValueError` for a URL that is not http or https.
    """

    def __init__(
        self,
        address: str,
        path: str = "/",
        timeout_seconds: float = 5.0,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{address!r} is no http or https URL")
        import http.client  # late: a fifth of a plan's start-up, and a plan asks nobody

        self._errors = (OSError, http.client.HTTPException)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._path = self._base + ("/" + path.lstrip("/"))
        self._timeout = timeout_seconds
        self._headers = {"User-Agent": "ospec", **headers}
        self._asked = address, path, timeout_seconds, headers
        self._kept: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str = "GET",
        fresh: bool = False,
        headers: Mapping[str, str] = _NO_HEADERS,
        path: str | None = None,
        content: str = "",
    ) -> Answer:
        """Send one request and read its answer; never raises for what the network does."""
        started = time.perf_counter()
        connection = self._connect() if fresh or self._kept is None else self._kept
        try:
            asked = self._path if path is None else self._base + path
            connection.request(method, asked, content.encode() or None, {**self._headers, **headers})
            answer = connection.getresponse()
            body = answer.read(_LARGEST_BODY)
            answer.close()
        except self._errors as error:
            connection.close()
            if connection is self._kept:
                self._kept = None
            return Answer(
                0, "", (time.perf_counter() - started) * 1000, f"{type(error).__name__}: {error}".rstrip(": ")
            )
        if fresh or answer.will_close or len(body) == _LARGEST_BODY:
            connection.close()
            if connection is self._kept:
                self._kept = None
        else:
            self._kept = connection
        release = answer.headers.get(RELEASE_HEADER, "")
        return Answer(answer.status, release, (time.perf_counter() - started) * 1000, body=body)

    @property
    def address(self) -> str:
        """The URL as it was given, without the path."""
        return self._asked[0]

    def another(self) -> Asker:
        """One that asks the same on a connection of its own."""
        return Asker(*self._asked)

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connect(self) -> http.client.HTTPConnection:
        return self._kind(self._host, self._port, timeout=self._timeout)
