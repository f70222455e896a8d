"""A notice as signed JSON, schema ``ospec.notice/1``."""

from __future__ import annotations

import hashlib
import hmac
import json

from ospec.converter import to_json
from ospec.models.notice import Notice

SCHEMA = "ospec.notice/1"
SIGNATURE = "x-ospec-signature"


def body_of(notice: Notice) -> bytes:
    """The request's body: every field of the notice, in UTF-8; what is no text (half of a character) is escaped."""
    return json.dumps({"schema": SCHEMA, **to_json(notice)}).encode("ascii")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """``t=TIMESTAMP,v1=HEX``: HMAC-SHA256 over the timestamp, a dot and the body.

    A receiver makes the same of what it got, compares in constant time, and refuses old timestamps.
    """
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
