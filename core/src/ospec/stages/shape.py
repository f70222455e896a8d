"""Holds a document's values to the model, strictly, and collects every fault with its path.

Not cattrs: a document's faults are all told at once, each at its place, with what was expected and what was meant.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import frozen

Path = tuple[str | int, ...]
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "nothing"}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FAILED: Any = object()


@frozen
class Misfit:
    """One value that does not fit the model."""

    path: Path
    message: str
    expected: str
    hint: str = ""


class Shape:
    """Structures values; `misfits` holds what did not fit."""

    def __init__(self) -> None:
        self.misfits: list[Misfit] = []

    def section(self, kind: type, value: Any, path: Path = ()) -> Any:
        """`value` as an instance of the attrs class `kind`; None where it does not fit."""
        made = self._class(kind, value, path)
        return None if made is _FAILED else made

    def _fail(self, path: Path, value: Any, expected: str, hint: str = "") -> Any:
        self.misfits.append(Misfit(path, f"found {describe(value)}", expected, hint))
        return _FAILED

    def _class(self, kind: type, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._fail(path, value, "a table")
        given: dict[str, Any] = {}
        others: dict[str, Any] = {}
        fields = _fields(kind)
        for key, one in value.items():
            found = fields.spelt.get(key)
            if found is None:
                self._unknown(fields, key, one, path, others)
            elif found.name in given:
                self.misfits.append(Misfit((*path, key), f"{key} says again what {found.name} says", "one of the two"))
            else:
                given[found.name] = self._field(found, one, (*path, key))
        missing = [name for name in fields.required if name not in given]
        for name in missing:
            self.misfits.append(Misfit(path, f"{name} is missing", fields.words[name]))
        if missing or any(one is _FAILED for one in given.values()):
            return _FAILED
        if fields.rest:
            given[fields.rest] = others
        return kind(**given)

    def _unknown(self, fields: _Fields, key: Any, value: Any, path: Path, others: dict[str, Any]) -> None:
        close = difflib.get_close_matches(str(key), fields.spelt, n=1, cutoff=0.75)
        hint = f"did you mean {close[0]!r}?" if close else ""
        if not isinstance(key, str):
            self.misfits.append(Misfit((*path, str(key)), f"the key is {describe(key)}", "a key that is text"))
        elif fields.rest and not close:
            others[key] = value
        else:
            expected = f"one of {', '.join(sorted(fields.names))}"
            self.misfits.append(Misfit((*path, key), f"unknown key {key!r}", expected, hint))

    def _field(self, found: attrs.Attribute[Any], value: Any, path: Path) -> Any:
        if found.metadata.get("seconds") and isinstance(value, str):
            match = _DURATION.fullmatch(value)
            if match:
                return float(match[1]) * _UNITS[match[2]]
            return self._fail(path, value, 'seconds, or text such as "30s", "5m", "1h"')
        if found.metadata.get("seconds") and isinstance(value, (int, float)) and value < 0:
            return self._fail(path, value, "seconds, 0 or more")
        return self.value(found.type, value, path)

    def value(self, kind: Any, value: Any, path: Path) -> Any:
        """`value` as `kind`: a scalar type, a union, a tuple, a mapping, an attrs class, or Any."""
        if kind is Any:
            return value
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return self._union(get_args(kind), value, path)
        if origin is tuple:
            return self._tuple(get_args(kind)[0], value, path)
        if origin in (Mapping, dict) or origin is typing.get_origin(Mapping[str, Any]):
            return self._mapping(get_args(kind)[1], value, path)
        if attrs.has(kind):
            return self._class(kind, value, path)
        if kind is float and type(value) is int:
            return float(value)
        return value if type(value) is kind else self._fail(path, value, _WORDS[kind])

    def _union(self, kinds: Sequence[Any], value: Any, path: Path) -> Any:
        for kind in kinds:
            tried = Shape()
            made = tried.value(kind, value, path)
            if made is not _FAILED and not tried.misfits:
                return made
            if tried.misfits and any(misfit.path != path or "found" not in misfit.message for misfit in tried.misfits):
                self.misfits += tried.misfits  # it is of this kind, with a fault inside
                return _FAILED
        return self._fail(path, value, " or ".join(_expected(kind) for kind in kinds if kind is not types.NoneType))

    def _tuple(self, kind: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self._fail(path, value, f"a list of {_expected(kind, plural=True)}")
        made = [self.value(kind, one, (*path, number)) for number, one in enumerate(value)]
        return _FAILED if any(one is _FAILED for one in made) else tuple(made)

    def _mapping(self, kind: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._fail(path, value, "a table")
        wrong = [key for key in value if not isinstance(key, str)]
        for key in wrong:
            self.misfits.append(Misfit((*path, str(key)), f"the key is {describe(key)}", "a key that is text"))
        made = {key: self.value(kind, one, (*path, key)) for key, one in value.items() if isinstance(key, str)}
        return _FAILED if wrong or any(one is _FAILED for one in made.values()) else made


@frozen
class _Fields:
    spelt: Mapping[str, attrs.Attribute[Any]]
    """By name and every other spelling."""
    names: tuple[str, ...]
    required: tuple[str, ...]
    rest: str
    words: Mapping[str, str]


@cache
def _fields(kind: type) -> _Fields:
    attrs.resolve_types(kind)
    found = [one for one in attrs.fields(kind) if not one.metadata.get("rest")]
    rest = next((one.name for one in attrs.fields(kind) if one.metadata.get("rest")), "")
    spelt = {name: one for one in found for name in (one.name, *one.metadata.get("aliases", ()))}
    required = tuple(one.name for one in found if one.default is attrs.NOTHING)
    return _Fields(
        spelt, tuple(one.name for one in found), required, rest, {n: _expected(spelt[n].type) for n in required}
    )


def describe(value: Any) -> str:
    """What a value is, in words, with the value where it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    word = _WORDS.get(type(value), type(value).__name__)
    shown = repr(value) if not isinstance(value, bool) else str(value).lower()
    return f"{word} {shown}" if len(shown) <= 60 else word


def _expected(kind: Any, plural: bool = False) -> str:
    if kind in _WORDS:
        return (
            {str: "texts", int: "whole numbers", float: "numbers"}.get(kind, _WORDS[kind]) if plural else _WORDS[kind]
        )
    origin = get_origin(kind)
    if origin is tuple:
        return f"a list of {_expected(get_args(kind)[0], plural=True)}"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_expected(one) for one in get_args(kind) if one is not types.NoneType))
    return "tables" if plural else "a table"
