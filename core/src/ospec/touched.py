"""Whether this process changed anything yet, so that whoever stops it is told the truth.

One for the process, since a signal is the process's, too.
"""

from __future__ import annotations

_look_at: list[str] = []


def touch(look_at: str) -> None:
    """Something is about to be changed; `look_at` says what a person should look at if it is cut here."""
    _look_at[:] = [look_at]


def look_at() -> str:
    """What to look at; empty where nothing was changed."""
    return "".join(_look_at)


def forget() -> None:
    """A new command begins."""
    _look_at.clear()
