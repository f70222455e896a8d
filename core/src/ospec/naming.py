"""Names of releases and digests: the one place that says what a name may look like."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ospec.errors import DocumentError

RELEASE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""What a release may be called: it becomes a folder, a header value, a label."""

SERVICE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A service's id and an environment's name: a DNS label, since platforms make host names of them."""


def check_release_name(name: str) -> str:
    """Return `name` where it is a release name; raise `DocumentError` with a usable one otherwise."""
    if RELEASE_NAME.fullmatch(name):
        return name
    raise DocumentError(
        f"{name!r} is no release name: expected {RELEASE_NAME.pattern}",
        code="invalid-release-name",
        where="--release",
        hints=(f"use --release {slug(name)}",),
    )


def slug(text: str) -> str:
    """Turn any text (a git tag, say) into a release name; other characters become ``-``."""
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:63].rstrip("-._")
    return cleaned or "r" + hashlib.sha256(text.encode()).hexdigest()[:8]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. NaN and infinity are refused (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Mapping[str, Any] | list[Any] | str | bytes) -> str:
    """SHA-256 in hex of bytes, text, or the canonical JSON of a JSON value."""
    if not isinstance(value, bytes):
        value = (value if isinstance(value, str) else canonical_json(value)).encode()
    return hashlib.sha256(value).hexdigest()
