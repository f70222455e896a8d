"""`ospec.toml.example`: every key of a document with what it means, made from the model."""

from __future__ import annotations

import json
import re
import textwrap
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import frozen

from ospec.models.document import Document
from ospec.stages.example_values import VALUES
from ospec.stages.meanings import meaning_of, meanings_of
from ospec.stages.shape import could_be, fields_of

_HEAD = """\
#:schema ./ospec.schema.json
# Every key of a document; each may be left out. Made from the model. `ospec schema > ospec.schema.json` writes what the
# first line names: editors complete keys by it.

"""
_WIDTH = 118
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def example_toml() -> str:
    """The example as TOML text; `load` accepts it."""
    return _HEAD + "\n".join(_body((), Document, _filled(Document, VALUES))) + "\n"


@frozen
class _Entry:
    """One key of a table, with the type that the model gives its value."""

    key: str
    kind: Any
    value: Any
    told: str = ""


def _entries(kind: Any, table: Mapping[str, Any]) -> Iterator[_Entry]:
    """The keys of a table whose type is a class of the model, a mapping, or anything."""
    if not attrs.has(kind):
        inner = get_args(kind)[1] if get_origin(kind) is Mapping else Any
        yield from (_Entry(key, _member(inner, one), one) for key, one in table.items())
        return
    known, told = fields_of(kind), meanings_of(kind)
    for key, one in table.items():
        found = known.spelt.get(key) or known.rest
        if found is None:
            raise KeyError(f"{kind.__name__} has no key {key!r}")
        inner = found.type if key in known.spelt else get_args(found.type)[1]
        aliases = found.metadata.get("aliases", ())
        also = f" Also spelt {', '.join(f'`{alias}`' for alias in aliases)}." if aliases else ""
        yield _Entry(key, _member(inner, one), one, told.get(found.name, "") + also)


def _filled(kind: Any, value: Any) -> Any:
    """`value` with the model's defaults for the keys that it leaves out, in the model's order."""
    if attrs.has(kind):
        known = fields_of(kind)
        given = {name: value[name] if name in value else _default(kind, known.spelt[name]) for name in known.names}
        value = {**given, **{key: one for key, one in value.items() if key not in given}}
    if isinstance(value, Mapping):
        return {entry.key: _filled(entry.kind, entry.value) for entry in _entries(kind, value)}
    if isinstance(value, (list, tuple)):
        return [_filled(_member(_item(kind), one), one) for one in value]
    return value


def _default(kind: type, found: attrs.Attribute[Any]) -> Any:
    if attrs.has(found.type or object):
        return {}
    if isinstance(found.default, attrs.Factory) or found.default in (None, "", (), attrs.NOTHING):  # type: ignore[arg-type]  # Factory is a class
        raise KeyError(f"{kind.__name__}.{found.name} needs an example value")
    return found.default


def _body(path: tuple[str, ...], kind: Any, table: Mapping[str, Any]) -> Iterator[str]:
    """What stands under a table's header: plain keys first, since TOML ends them with the first table inside."""
    entries = list(_entries(kind, table))
    for entry in entries:
        if not _is_table(entry.value):
            yield from _comment(entry.told)
            yield f"{_key(entry.key)} = {_value(entry.value)}"
    for entry in entries:
        if _is_table(entry.value):
            yield from _table((*path, entry.key), entry)


def _table(path: tuple[str, ...], entry: _Entry) -> Iterator[str]:
    """A table, or an array of tables, with its header; a table of tables alone needs none."""
    many = isinstance(entry.value, list)
    inner = _item(entry.kind) if many else entry.kind
    header = f"[[{_dotted(path)}]]" if many else f"[{_dotted(path)}]"
    comment = list(_comment(entry.told or (meaning_of(inner) if attrs.has(inner) else "")))
    if many or comment or _has_plain_keys(entry.value):
        yield from ("", *comment)
    for one in entry.value if many else [entry.value]:
        if many or _has_plain_keys(one):
            yield header
        yield from _body(path, inner, one)


def _member(kind: Any, value: Any) -> Any:
    """The member of a union that a value is of; any other type as it is."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    return next((one for one in get_args(kind) if could_be(one, value)), Any)  # a duration as text is of none


def _item(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is tuple else Any


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def _has_plain_keys(table: Mapping[str, Any]) -> bool:
    return not table or not all(map(_is_table, table.values()))


def _comment(text: str) -> Iterator[str]:
    yield from (f"# {line}" for line in textwrap.wrap(text.strip(), _WIDTH))


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)  # what JSON says of text, numbers and truth, TOML says alike
