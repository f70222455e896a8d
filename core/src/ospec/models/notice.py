"""What people are told: a notice, and the marks of its importance. No secret value is ever in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from attrs import NOTHING, field, frozen

Severity = Literal["info", "warning", "error", "critical"]
NoticeKind = Literal[
    "started", "held", "approval", "promoted", "restored", "failed", "frozen", "aborted", "alert", "resolved", "message"
]
"""Of a run: ``started``; ``held`` (it waits, or was paused); ``approval`` (a person has to say so); how it ended:
``promoted``, ``restored`` (rolled back: the release before serves), ``failed`` (nothing is worse than before),
``frozen`` (it needs a person), ``aborted``. Of `ospec run monitor`: ``alert``, ``resolved``. ``message``: what a step
of the kind `notify` says."""
NoticeState = Literal["news", "raised", "taken", "over"]
"""What it does to an incident, where the receiver has such: ``raised`` opens one, ``taken`` says that somebody works on
it, ``over`` closes it, ``news`` leaves it alone."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the mildest on."""
_OTHER_WORDS: Mapping[str, Severity] = {
    "warn": "warning",
    "medium": "warning",
    "minor": "warning",
    "low": "info",
    "notice": "info",
    "major": "error",
    "high": "error",
    "fatal": "critical",
    "emergency": "critical",
    "page": "critical",
}


@frozen(kw_only=True)
class Notice:
    """One thing that people are told."""

    kind: NoticeKind
    severity: Severity
    state: NoticeState = "news"
    title: str
    """One line."""
    text: str = ""
    """The reason: a verdict's sentence, an error, a number; may have several lines."""
    commands: tuple[str, ...] = ()
    """What to type next, the likeliest first."""
    service: str
    environment: str
    release: str = ""
    run: str = ""
    address: str = ""
    """Where the service answers."""
    fields: Mapping[str, str] = field(factory=dict)
    """Further facts by name."""
    id: str
    """The same for the same thing told again: receivers may leave out what they know."""
    key: str
    """What it is about (service, environment, and the rollout or an alert): later notices of the key supersede it."""
    at: float
    """Unix seconds."""
    count: int = 1
    """How many notices it stands for, the newest of them: a burst is merged."""


def severity_of(text: str) -> Severity:
    """The severity that a document's word means; ``warning`` for one that nobody knows."""
    word = text.strip().lower()
    return next((one for one in SEVERITIES if one == word), _OTHER_WORDS.get(word, "warning"))


def secret(default: Any = NOTHING) -> Any:
    """A text field of a notifier's settings class that is secret.

    The document has to refer to it (``url = "${SLACK_WEBHOOK}"``), and it stays that reference wherever the settings
    are kept or shown: `notify` resolves it at the moment of sending.
    """
    return field(default=default, metadata={"secret": True})
