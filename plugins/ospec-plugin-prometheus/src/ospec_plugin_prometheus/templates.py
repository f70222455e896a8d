"""``{{name}}`` in PromQL. A value stands inside a string and is escaped for it, and for a regular expression where the
string is one (after ``=~`` and ``!~``): no value ever becomes PromQL."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

PLACE = re.compile(r"\{\{\s*([\w.-]*)\s*\}\}")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`', re.DOTALL)
_SELECTOR = re.compile(
    r"\s*(?P<name>[A-Za-z_:][\w:]*)\s*(?P<braces>\{(?:[^\"'`{}]|" + _STRING.pattern + r")*\})?\s*", re.DOTALL
)
DURATIONS = ("interval",)
"""Parameters that are durations and stand in brackets, outside of strings."""


class TemplateError(ValueError):
    """A place that cannot be filled; its text says why."""


def names_in(query: str) -> tuple[str, ...]:
    """The parameters that a query uses."""
    return tuple(PLACE.findall(query))


def fill(query: str, values: Mapping[str, str]) -> str:
    """The query with every parameter replaced; raises `TemplateError`."""
    parts: list[str] = []
    end = 0
    for found in _STRING.finditer(query):
        parts.append(_outside(query[end : found.start()], values))
        matches = query[: found.start()].rstrip().endswith(("=~", "!~"))
        parts.append(_string(found[0], values, matches))
        end = found.end()
    return "".join([*parts, _outside(query[end:], values)])


def fill_text(text: str, values: Mapping[str, str]) -> str:
    """Plain text, no PromQL, with every parameter replaced as it is."""
    return PLACE.sub(lambda found: _value(found[1], values), text)


def _outside(part: str, values: Mapping[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        value = _value(found[1], values)
        if found[1] not in DURATIONS:
            raise TemplateError(f'{found[0]} has to stand in quotes, as in label="{found[0]}"')
        return value

    return PLACE.sub(one, part)


def _string(text: str, values: Mapping[str, str], matches: bool) -> str:
    if text.startswith("`") and PLACE.search(text):
        raise TemplateError(f"{text} takes no parameters: write it in double quotes")

    def one(found: re.Match[str]) -> str:
        value = _value(found[1], values)
        return escaped(quoted(value) if matches else value)

    return PLACE.sub(one, text)


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        close = difflib.get_close_matches(name, values, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(values))}"
        raise TemplateError(f"there is no parameter {name!r}; {hint}")
    return values[name]


def quoted(value: str) -> str:
    """For a regular expression (RE2): the value matches itself alone."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value)


def escaped(value: str) -> str:
    """For a string of PromQL in either kind of quotes."""
    return "".join(one if one.isprintable() and one not in "\\\"'" else _code(ord(one)) for one in value)


def _code(point: int) -> str:
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


# -- selectors --------------------------------------------------------------------------------------------------------


def selector(query: str) -> tuple[str, Collection[str]] | None:
    """(metric, names of the labels that are matched) where a query only selects series; None for anything more."""
    found = _SELECTOR.fullmatch(query)
    if not found:
        return None
    bare = _STRING.sub('""', found["braces"] or "")
    return found["name"], set(re.findall(r'([A-Za-z_]\w*)\s*(?:=~|!=|!~|=)\s*""', bare))
