"""A notice as an event of PagerDuty's Events API v2, within its limits."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection
from datetime import datetime, timezone
from typing import Any

from ospec.models.notice import Notice

LONGEST_SUMMARY = 1024
LONGEST_KEY = 255
MOST_BYTES = 512_000
"""Of a whole request."""
_LONGEST_TEXT = 20_000
"""A character may be twelve bytes of JSON."""
_LONGEST_FACT = 500
_MOST_FACTS = 20
_ACTIONS = {"raised": "trigger", "taken": "acknowledge", "over": "resolve"}


def event(notice: Notice, triggers: Collection[str] = ()) -> dict[str, Any] | None:
    """The event without its routing key; None for news, which are no incident.

    What begins a trouble triggers, the run that works on it acknowledges, what ends it resolves: all with the key of
    what it is about, so that there is one incident of it.

    Args:
        triggers: kinds of notices that trigger whatever else they are.
    """
    action = "trigger" if notice.kind in triggers else _ACTIONS.get(notice.state)
    if action is None:
        return None
    made: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(notice.key)}
    if action != "trigger":
        return made
    address = notice.address if notice.address.startswith(("http://", "https://")) else ""
    return {
        **made,
        "client": "ospec",
        "payload": {
            "summary": plain(notice.title, LONGEST_SUMMARY),
            "source": plain(f"{notice.service} in {notice.environment}", LONGEST_SUMMARY),
            "severity": notice.severity,
            "timestamp": datetime.fromtimestamp(notice.at, timezone.utc).isoformat(timespec="milliseconds"),
            "component": plain(notice.service, LONGEST_KEY),
            "group": plain(notice.environment, LONGEST_KEY),
            "class": notice.kind,
            "custom_details": _details(notice),
        },
        "links": [{"href": address[:_LONGEST_FACT], "text": "where it answers"}] if address else [],
    }


def _details(notice: Notice) -> dict[str, str]:
    facts = {"release": notice.release, "run": notice.run, **notice.fields}
    if notice.count > 1:
        facts["notices"] = str(notice.count)
    told = {plain(name, 100): plain(value, _LONGEST_FACT) for name, value in list(facts.items())[:_MOST_FACTS] if value}
    return {
        "reason": plain(notice.text, _LONGEST_TEXT),
        "type": plain("\n".join(notice.commands), _LONGEST_FACT),
        **told,
    }


def dedup_key(key: str) -> str:
    """A key that PagerDuty takes; one that is too long ends with its digest."""
    cleaned = plain(key, 10 * LONGEST_KEY)
    if len(cleaned) <= LONGEST_KEY and cleaned == key:
        return key
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{cleaned[: LONGEST_KEY - 65]}#{digest}"[:LONGEST_KEY]


def plain(text: str, longest: int) -> str:
    """`text` without control characters, at most so long."""
    kept = "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"
