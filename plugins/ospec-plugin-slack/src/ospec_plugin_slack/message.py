"""A notice as a Slack message, within Slack's limits, and with nothing in it that Slack would act upon."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from ospec.models.notice import Notice

LONGEST_TEXT = 40_000
"""Of a message: what notifications and old clients show."""
LONGEST_BLOCK = 3_000
"""Of one text object, once it is escaped."""
_LONGEST_FALLBACK = 4_000
"""Slack advises so much of `text`."""
_MARKS: Mapping[str, str] = {"info": "🟢", "warning": "🟡", "error": "🔴", "critical": "🚨"}
_ESCAPES: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def message(notice: Notice) -> dict[str, Any]:
    """The body of the request."""
    mark = "✅" if notice.state == "over" and notice.kind != "restored" else _MARKS[notice.severity]
    merged = f" ({notice.count} times)" if notice.count > 1 else ""
    title = f"{mark} *{escaped(one_line(notice.title), 500, more='*_~`')}*{merged}"
    blocks = [title]
    if notice.text:
        blocks.append(escaped(notice.text, LONGEST_BLOCK))
    if notice.commands:
        typed = "\n".join(one_line(command) for command in notice.commands)
        blocks.append(f"```{escaped(typed, LONGEST_BLOCK - 6, more='`')}```")
    facts = {"release": notice.release, "run": notice.run, **notice.fields, "at": notice.address}
    told = " · ".join(f"{one_line(name)}: {one_line(value)}" for name, value in facts.items() if value)
    if told:
        blocks.append(escaped(told, LONGEST_BLOCK))
    fallback = escaped(f"{one_line(notice.title)}\n{notice.text}".strip(), _LONGEST_FALLBACK)
    return {
        "text": f"{mark} {fallback}"[:LONGEST_TEXT],
        "blocks": [
            # verbatim: Slack makes no links, channels or mentions of plain text by itself
            {"type": "section", "text": {"type": "mrkdwn", "text": block, "verbatim": True}}
            for block in blocks
        ],
    }


def escaped(text: str, longest: int, more: str = "") -> str:
    """`text` as Slack shows it literally, at most so long once it is escaped; never cut inside an escape.

    What begins with ``<`` could name a user, a channel or everybody (``<!channel>``); control characters, and those
    that turn the direction of writing, are left out.

    Args:
        more: further characters that would end the markup around it; others stand in for them.
    """
    parts: list[str] = []
    length = 0
    for sign in text:
        if (sign not in "\n\t" and unicodedata.category(sign) in ("Cc", "Cs")) or sign in _DIRECTIONS:
            continue
        part = "ʼ" if sign in more else _ESCAPES.get(sign, sign)
        if length + len(part) > longest - 1:
            return "".join(parts) + "…"
        parts.append(part)
        length += len(part)
    return "".join(parts)


_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


def one_line(text: str) -> str:
    """`text` without line ends."""
    return " ".join(text.split())
