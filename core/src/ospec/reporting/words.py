"""How the page says times, shares and outcomes. Times are those of UTC: a page looks the same to all who read it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from attrs import frozen
from markupsafe import Markup

from ospec.telemetry.waterfall import duration

__all__ = ["Word", "clock", "count", "date", "duration", "milliseconds", "outcome_word", "percent", "readable", "value"]

_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of text, and halves of pairs."""
_LONGEST_VALUE = 1000


@frozen
class Word:
    """An outcome or a status: its class on the page, a symbol and a word, so that no one has to know colours."""

    kind: str
    symbol: str
    text: str


STATUSES = {
    "ok": Word("good", "✓", "done"),
    "warned": Word("warn", "!", "failed, went on"),
    "failed": Word("bad", "✗", "failed"),
    "cancelled": Word("warn", "■", "cancelled"),
    "skipped": Word("idle", "–", "not needed"),
    "running": Word("open", "…", "not ended"),
}
VERDICTS = {
    "not-enough-data": Word("idle", "?", "not enough data"),
    "no-regression": Word("open", "~", "no regression so far"),
    "pass": Word("good", "✓", "pass"),
    "regress": Word("bad", "✗", "regress"),
}
_OUTCOMES = {
    "promoted": Word("good", "✓", "Promoted"),
    "unchanged": Word("good", "=", "Unchanged"),
    "restored": Word("warn", "↩", "Sent back"),
    "failed": Word("bad", "✗", "Failed"),
    "refused": Word("warn", "■", "Refused"),
    "waiting": Word("open", "…", "Waiting"),
    "aborted": Word("warn", "■", "Aborted"),
}


def word(words: dict[str, Word], name: str) -> Word:
    """The word for a name; one that is not known stands for itself."""
    return words.get(name) or Word("idle", "·", name)


def outcome_word(outcome: str | None) -> Word:
    """The word of a run's outcome; None is a run that has not ended."""
    return word(_OUTCOMES, outcome) if outcome else Word("open", "…", "Not ended")


def readable(text: Any) -> Any:
    """Text without characters that would break a page or turn its direction; everything else as it is."""
    if isinstance(text, str) and not isinstance(text, Markup):
        return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


def date(at: float) -> str:
    """``2026-01-31 23:59:59``, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def clock(at: float) -> str:
    """``23:59:59.123``, in UTC."""
    return f"{time.strftime('%H:%M:%S', time.gmtime(at))}.{int(at * 1000) % 1000:03d}"


def count(number: float | None) -> str:
    """``12,345``; a dash for what was not measured."""
    return "–" if number is None else f"{number:,.0f}"


def percent(share: float | None) -> str:
    """A fraction as per cent with up to three digits: ``0.125 %``."""
    return "–" if share is None else f"{share * 100:.3g} %"


def milliseconds(time_ms: float | None) -> str:
    """``12.3 ms``, ``4.56 s``."""
    if time_ms is None:
        return "–"
    return f"{time_ms:.3g} ms" if time_ms < 1000 else f"{time_ms / 1000:.3g} s"


def value(given: Any) -> str:
    """A JSON value of a step's result in one line, cut where it is long."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    if isinstance(given, float):
        text = f"{given:.6g}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"
