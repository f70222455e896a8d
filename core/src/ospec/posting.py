"""Posting a body to a URL that may be secret, once. What it raises never holds the URL, a header or the body.

Proxies come from the environment (``HTTPS_PROXY``, ``NO_PROXY``…), certificates are verified (``SSL_CERT_FILE`` names
others), and no redirect is followed: what is sent is meant for one receiver.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import frozen

from ospec.errors import FatalError, OspecError, RetryableError

SECONDS = 10.0
"""For each wait for the network in one try."""
_LARGEST_ANSWER = 1 << 16
_AGAIN = (408, 425, 429)
"""Statuses besides 5xx that another try may change."""


@frozen
class Posted:
    """What a receiver answered."""

    status: int
    body: bytes


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = SECONDS,
    explain: Callable[[bytes], str] = lambda body: "",
) -> Posted:
    """Send `body` to `url` with one POST request; the answer, where it is 2xx.

    Args:
        explain: the receiver's own reason from the body of a refusal; empty where it has none.

    Raises:
        RetryableError: nobody answered, or with 429, 408, 425 or 5xx; `retry_after` is what the receiver asked for.
        FatalError: `url` is none, or the receiver refused it (``not-delivered``).
    """
    answer = _sent(url, body, headers, seconds)
    if isinstance(answer, OspecError):
        raise answer  # here, where no exception of a library hangs on to it with the URL
    posted, retry_after = answer
    if 200 <= posted.status < 300:
        return posted
    reason = explain(posted.body)
    told = f"the receiver answered {posted.status}" + (f": {reason}" if reason else "")
    if posted.status in _AGAIN or posted.status >= 500:
        raise RetryableError(told, code="not-delivered", retry_after=retry_after)
    if 300 <= posted.status < 400:
        told += "; redirects are not followed: name the URL that it leads to"
    raise FatalError(told, code="not-delivered")


def _sent(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> tuple[Posted, float] | OspecError:
    """(answer, seconds it asks to wait), or what went wrong without a word of what was sent."""
    import http.client
    import urllib.request  # late: it takes a tenth of a second, and most commands tell nobody

    try:
        request = _request(url, body, headers)
        if request is None:
            return FatalError("its URL is no http or https URL", code="not-delivered")
        try:
            with _opener().open(request, timeout=seconds) as answer:
                return Posted(answer.status, answer.read(_LARGEST_ANSWER)), 0.0
        except urllib.request.HTTPError as error:
            with error:
                found = Posted(error.code, error.read(_LARGEST_ANSWER))
            return found, retry_after(error.headers.get("Retry-After"), time.time())
    except (ValueError, UnicodeError, http.client.InvalidURL):
        return FatalError("its URL, or a header, cannot be sent", code="not-delivered")
    except (OSError, http.client.HTTPException) as error:
        return RetryableError(f"nobody answered: {_reason(error)}", code="not-delivered", retry_after=0.0)


def _request(url: str, body: bytes, headers: Mapping[str, str]) -> Any:
    import urllib.request

    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    given = {"User-Agent": "ospec", **headers}
    if parts.username is not None:  # user and password in a URL, as browsers take them
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        given["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urllib.request.Request(urlunsplit(parts), data=body, headers=given, method="POST")  # noqa: S310


def _opener() -> Any:
    import urllib.request

    class StayHere(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *given: Any) -> None:
            return None

    return urllib.request.build_opener(StayHere)


def _reason(error: Exception) -> str:
    """The kind of trouble, without text that could hold a part of the URL."""
    inner = getattr(error, "reason", None)
    cause = inner if isinstance(inner, Exception) else error
    told = cause.strerror if isinstance(cause, OSError) and cause.strerror else ""
    if isinstance(cause, TimeoutError):
        told = "it took too long"
    verified = getattr(cause, "verify_message", "")
    return ", ".join(part for part in (told or type(cause).__name__, verified) if part)


def retry_after(header: str | None, now: float) -> float:
    """Seconds that a ``Retry-After`` header asks for: a number of them, or a date; 0 where it says nothing."""
    text = (header or "").strip()
    if text.isdecimal():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0
