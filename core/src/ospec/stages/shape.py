"""Holds a document's values to the model, strictly, and collects every fault with its path.

Not cattrs: a document's faults are all told at once, each at its place, with what was expected and what was meant.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import frozen

from ospec.models.fields import Limits
from ospec.stages.toml_positions import Path

DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)")
DURATION_WORDS = 'seconds, or text such as "30s", "5m", "1h"'
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "nothing"}
_PLURALS = {str: "texts", int: "whole numbers", float: "numbers"}
_SURELY_MEANT = 0.85
"""So close to a known key, an unknown one is a slip even where other keys may stand."""
_PERHAPS_MEANT = 0.6
_SHORT = 60
_FAILED: Any = object()
_FREE: Mapping[Any, Any] = {}


@frozen
class Misfit:
    """One value that does not fit the model."""

    path: Path
    message: str
    expected: str = ""
    hint: str = ""


class Shape:
    """Structures plain values.

    Args:
        partial: keys that the model demands may be missing, but for those of list items: the values are to be merged.
        tells_values: misfits show short values; not where they may come from the environment.

    Attributes:
        misfits: what did not fit.
        respelt: paths of keys in another spelling, with the model's name.
        durations: paths of durations that are text, with their seconds.
    """

    def __init__(self, partial: bool = False, tells_values: bool = True) -> None:
        self._partial, self._tells_values = partial, tells_values
        self.misfits: list[Misfit] = []
        self.respelt: list[tuple[Path, str]] = []
        self.durations: list[tuple[Path, float]] = []

    def section(self, kind: type, value: Any, path: Path = ()) -> Any:
        """`value` as an instance of the attrs class `kind`, without what does not fit; None where nothing is left."""
        made = self._class(kind, value, path)
        return None if made is _FAILED else made

    def _fail(self, path: Path, value: Any, expected: str, hint: str = "") -> Any:
        self.misfits.append(Misfit(path, f"found {describe(value, self._tells_values)}", expected, hint))
        return _FAILED

    # -- tables of a known shape ------------------------------------------------------------------------------------

    def _class(self, kind: type, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._fail(path, value, "a table")
        known = fields_of(kind)
        given: dict[str, Any] = {}
        spelt: dict[str, str] = {}
        others: dict[str, Any] = {}
        for key, one in value.items():
            here = (*path, key)
            found = known.spelt.get(key)
            if found is None:
                others[key] = self._unknown(known, key, one, here)
                continue
            if found.name in given:
                first = spelt[found.name]
                self.misfits.append(Misfit(here, f"{key!r} says again what {first!r} says", "one of the two"))
            elif key != found.name:
                self.respelt.append((here, found.name))
            given[found.name] = self._field(found, one, here)
            spelt.setdefault(found.name, key)
        missing = [name for name in known.required if name not in given]
        if missing and not self._partial:
            self.misfits += [Misfit(path, f"{name!r} is missing", expected(known.spelt[name].type)) for name in missing]
        fitting = {name: one for name, one in given.items() if one is not _FAILED}
        if any(name not in fitting for name in known.required):
            return _FAILED
        if known.rest:
            fitting[known.rest.name] = {key: one for key, one in others.items() if one is not _FAILED}
        return kind(**fitting)

    def _unknown(self, known: Fields, key: str, value: Any, path: Path) -> Any:
        cutoff = _SURELY_MEANT if known.rest else _PERHAPS_MEANT
        close = difflib.get_close_matches(key, known.spelt, n=1, cutoff=cutoff)
        if known.rest and not close:
            return self.value(get_args(known.rest.type)[1], value, path)
        hint = f"did you mean {close[0]!r}?" if close else ""
        names = ", ".join(sorted(known.names))
        self.misfits.append(Misfit(path, f"unknown key {key!r}", f"one of {names}" if not hint else "", hint))
        return _FAILED

    def _field(self, found: attrs.Attribute[Any], value: Any, path: Path) -> Any:
        if found.metadata.get("seconds") and value is not None:
            match = DURATION.fullmatch(value.strip()) if type(value) is str else None
            if match:
                value = float(match[1]) * UNITS[match[2]]
                self.durations.append((path, value))
            elif type(value) not in (int, float):
                return self._fail(path, value, DURATION_WORDS)
        return self.value(found.type, value, path, found.metadata)

    # -- values -----------------------------------------------------------------------------------------------------

    def value(self, kind: Any, value: Any, path: Path, rules: Mapping[Any, Any] = _FREE) -> Any:
        """`value` as `kind`: a scalar type, a union, a tuple, a mapping, an attrs class, or Any.

        Args:
            rules: metadata of the model's field.
        """
        origin = get_origin(kind)
        if kind is Any:
            return value
        if origin in (Union, types.UnionType):
            return self._union(get_args(kind), value, path, rules)
        if origin is tuple:
            return self._tuple(get_args(kind)[0], value, path, rules)
        if origin is Mapping:
            return self._mapping(get_args(kind)[1], value, path, rules)
        if attrs.has(kind):
            return self._class(kind, value, path)
        if not could_be(kind, value):
            return self._fail(path, value, expected(kind))
        limits: Limits | None = rules.get("limits")
        if limits and not holds(limits, value):
            return self._fail(path, value, limit_words(limits, value), limits.hint)
        return float(value) if kind is float else value

    def _union(self, kinds: Sequence[Any], value: Any, path: Path, rules: Mapping[Any, Any]) -> Any:
        for kind in kinds:
            if could_be(kind, value):
                return self.value(kind, value, path, rules)
        return self._fail(path, value, " or ".join(dict.fromkeys(map(expected, without_none(kinds)))))

    def _tuple(self, kind: Any, value: Any, path: Path, rules: Mapping[Any, Any]) -> Any:
        if not isinstance(value, list):
            return self._fail(path, value, f"a list of {expected(kind, plural=True)}")
        limits: Limits | None = rules.get("limits")
        if limits and limits.form and not value:
            return self._fail(path, value, limits.words)
        partial, self._partial = self._partial, False  # lists replace, so their items are whole
        of_items = {"limits": rules.get("items")}
        made = [self.value(kind, one, (*path, number), of_items) for number, one in enumerate(value)]
        self._partial = partial
        return _FAILED if any(one is _FAILED for one in made) else tuple(made)

    def _mapping(self, kind: Any, value: Any, path: Path, rules: Mapping[Any, Any]) -> Any:
        if not isinstance(value, Mapping):
            return self._fail(path, value, "a table")
        keys: Limits | None = rules.get("keys")
        for key in value if keys and keys.form else ():
            if not keys.form.fullmatch(key):  # type: ignore[union-attr]  # the line above has seen both
                self.misfits.append(Misfit((*path, key), f"the name {key!r} cannot stand here", keys.words))  # type: ignore[union-attr]
        made = {key: self.value(kind, one, (*path, key), {"limits": rules.get("limits")}) for key, one in value.items()}
        return {key: one for key, one in made.items() if one is not _FAILED}


def holds(limits: Limits, value: Any) -> bool:
    """Whether a scalar is within its limits; text that refers to a value is, until the value is known."""
    if isinstance(value, str):
        if "${" in value:
            return True
        return (not limits.one_of or value in limits.one_of) and (not limits.form or bool(limits.form.fullmatch(value)))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = limits.at_least is None or value >= limits.at_least
        high = limits.at_most is None or value <= limits.at_most
        return low and high and (limits.above is None or value > limits.above)
    return True


def limit_words(limits: Limits, value: Any) -> str:
    """What would have been within the limits."""
    if limits.words:
        return limits.words
    if isinstance(value, str):
        return f"one of {', '.join(limits.one_of)}"
    if limits.above is not None:
        return f"more than {limits.above}"
    return f"{limits.at_least} to {limits.at_most}" if limits.at_most is not None else f"{limits.at_least} or more"


# -- what the model says ----------------------------------------------------------------------------------------------


@frozen
class Fields:
    """The fields of one class of the model."""

    spelt: Mapping[str, attrs.Attribute[Any]]
    """By name and every other spelling."""
    names: tuple[str, ...]
    required: tuple[str, ...]
    rest: attrs.Attribute[Any] | None
    """The one that takes keys of any other name."""


@cache
def fields_of(kind: type) -> Fields:
    """What a class of the model has, its types resolved."""
    attrs.resolve_types(kind)
    found = [one for one in attrs.fields(kind) if not one.metadata.get("rest")]
    return Fields(
        spelt={name: one for one in found for name in (one.name, *one.metadata.get("aliases", ()))},
        names=tuple(one.name for one in found),
        required=tuple(one.name for one in found if one.default is attrs.NOTHING),
        rest=next((one for one in attrs.fields(kind) if one.metadata.get("rest")), None),
    )


def without_none(kinds: Sequence[Any]) -> list[Any]:
    """The members of a union that say something."""
    return [kind for kind in kinds if kind is not types.NoneType]


def describe(value: Any, with_value: bool = True) -> str:
    """What a value is, in words, with the value where it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    word = _WORDS.get(type(value), "a date")
    if not with_value:
        return word
    if isinstance(value, bool):
        return str(value).lower()
    shown = repr(str(value)) if isinstance(value, str) else str(value)
    return f"{word} {shown}" if len(shown) <= _SHORT else word


def expected(kind: Any, plural: bool = False) -> str:
    """A type of the model in words."""
    origin = get_origin(kind)
    if kind in _WORDS:
        return _PLURALS.get(kind, _WORDS[kind]) if plural else _WORDS[kind]
    if origin is tuple:
        return f"a list of {expected(get_args(kind)[0], plural=True)}"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(expected(one) for one in without_none(get_args(kind))))
    return "tables" if plural else "a table"


def could_be(kind: Any, value: Any) -> bool:
    """Whether a value is of a kind as far as its outermost type tells."""
    if get_origin(kind) is tuple:
        return isinstance(value, list)
    if get_origin(kind) is Mapping or attrs.has(kind):
        return isinstance(value, Mapping)
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind
