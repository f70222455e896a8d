"""How the fields of settings and of the document's sections are written, and what their values must hold to.

Metadata of a field: ``aliases`` are other spellings; ``seconds`` marks a duration, which may be a number of seconds or
text such as ``"30s"``, ``"5m"``, ``"1h"``; ``rest`` marks the field that takes keys the section does not know;
``limits`` are bounds of numbers and forms of text, ``items`` those of a list's items; ``keys`` is the form of a table's
names.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import NOTHING, field, frozen

from ospec.naming import SERVICE_NAME

Number = int | float
Scalar = str | int | float | bool


@frozen(kw_only=True)
class Limits:
    """What a value of the right type must hold to besides."""

    at_least: Number | None = None
    at_most: Number | None = None
    above: Number | None = None
    one_of: tuple[str, ...] = ()
    """For text; other types of a union are free."""
    form: re.Pattern[str] | None = None
    """What text must match as a whole."""
    words: str = ""
    """The limits in words, where they do not speak for themselves."""
    hint: str = ""


PATH = Limits(form=re.compile(r"/\S*"), words="a path that begins with /")
NOT_BLANK = Limits(form=re.compile(r"[\s\S]*\S[\s\S]*"), words="a command")
BELOW = Limits(
    form=re.compile(r"(?!/|\s*$|(?:[\s\S]*/)?\.\.(?:/|$))[\s\S]*"),
    words="a path or pattern below the document's folder",
)
DNS_LABEL = Limits(form=SERVICE_NAME, words="lower-case letters, digits and hyphens, at most 63")
ONE_OR_MORE = Limits(at_least=1)
PERCENT = Limits(at_least=0, at_most=100)
PROCESS_NAME = Limits(
    form=re.compile(rf"(?!web$){SERVICE_NAME.pattern}"),
    words="lower-case letters, digits and hyphens; not web, which is what scripts.start runs",
)
VARIABLE_NAME = Limits(form=re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), words="letters, digits and underscores")
MORE_THAN_NONE = Limits(above=0)
COUNT_OR_SHARE = Limits(
    at_least=0, form=re.compile(r"(100|[1-9]?[0-9])%"), words='a count of 0 or more, or text such as "25%"'
)
METHOD = Limits(form=re.compile("[A-Z]+"), words="a method such as GET")
SCAN_LEVELS = Limits(one_of=("off", "warn", "error", "block"))


def seconds(default: float | None, *aliases: str, limits: Limits = Limits(at_least=0)) -> Any:
    """A duration in seconds."""
    return field(default=default, metadata={"seconds": True, "aliases": aliases, "limits": limits})


def spelt(*aliases: str, default: Any = NOTHING, limits: Limits | None = None) -> Any:
    """A field with other spellings."""
    return field(default=default, metadata={"aliases": aliases, "limits": limits})


def limited(limits: Limits, default: Any = NOTHING) -> Any:
    """A field whose values have limits."""
    return field(default=default, metadata={"limits": limits})


def each(limits: Limits) -> Any:
    """A list whose items have limits."""
    return field(default=(), metadata={"items": limits})


def named(keys: Limits) -> Any:
    """A table whose names have a form."""
    return field(factory=dict, metadata={"keys": keys})


def rest() -> Any:
    """The field that takes every key the section does not know."""
    return field(factory=dict, metadata={"rest": True})
