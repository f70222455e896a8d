"""The JSON Schema of documents, made from the model: editors complete and check by it.

It says what a schema can say. What needs the whole document (references, values merged from an environment) is left to
`ospec validate`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import attrs

from ospec.models.document import Document
from ospec.models.fields import Limits
from ospec.stages.checks import NOT_BY_ENVIRONMENT
from ospec.stages.meanings import meaning_of, meanings_of
from ospec.stages.shape import DURATION, fields_of

Schema = dict[str, Any]

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
_REFERS = {"type": "string", "pattern": r"\$\{"}
"""Text with a reference may be anything, as long as its value is not known."""


def json_schema() -> Schema:
    """The schema, of the draft 2020-12."""
    writer = _Writer()
    top = writer.section(Document, partial=False)
    environment = writer.section(Document, partial=True)
    for key in NOT_BY_ENVIRONMENT:
        del environment["properties"][key]
    environment["propertyNames"] = {"not": {"enum": list(NOT_BY_ENVIRONMENT)}}
    environment["description"] = "What differs in this environment; merged deeply over the rest, lists replace."
    top["properties"]["environments"]["additionalProperties"] = {"$ref": "#/$defs/Environment"}
    definitions = {**dict(sorted(writer.definitions.items())), "Environment": environment}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ospec document",
        **top,
        "$defs": definitions,
    }


class _Writer:
    """Writes the classes of the model as definitions; `partial` ones demand no keys, since they are merged."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def section(self, kind: type, partial: bool) -> Schema:
        known = fields_of(kind)
        told = meanings_of(kind)
        made: Schema = {
            "type": "object",
            "description": meaning_of(kind),
            "properties": {
                spelling: self._field(one, told.get(one.name, ""), partial) for spelling, one in known.spelt.items()
            },
            "additionalProperties": False,
        }
        if known.rest:
            made["additionalProperties"] = self._type(get_args(known.rest.type)[1], {}, partial)
        twice = [
            {"required": [name, other]}
            for name in known.names
            for other in known.spelt[name].metadata.get("aliases", ())
        ]
        if twice:
            made["not"] = {"anyOf": twice}
        if known.required and not partial:
            made["allOf"] = [_one_of_spellings(known.spelt[name]) for name in known.required]
        return made

    def _reference(self, kind: type, partial: bool) -> Schema:
        name = kind.__name__ + ("Part" if partial else "")
        if name not in self.definitions:
            self.definitions[name] = {}  # the place is taken while the section is written
            self.definitions[name] = self.section(kind, partial)
        return {"$ref": f"#/$defs/{name}"}

    def _field(self, found: attrs.Attribute[Any], told: str, partial: bool) -> Schema:
        made = self._type(found.type, found.metadata, partial)
        if found.metadata.get("seconds"):
            made = {"anyOf": [made, {"type": "string", "pattern": rf"^\s*{DURATION.pattern}\s*$"}]}
        if told:
            made["description"] = told
        if isinstance(found.default, (str, int, float)) and found.default != "":
            made["default"] = found.default
        return made

    def _type(self, kind: Any, rules: Mapping[Any, Any], partial: bool) -> Schema:
        origin = get_origin(kind)
        limits: Limits = rules.get("limits") or Limits()
        if kind is Any:
            return {}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self._type(one, rules, partial) for one in get_args(kind)]}
        if origin is tuple:
            items = self._type(
                get_args(kind)[0], {"limits": rules.get("items")}, partial=False
            )  # lists replace, so their items are whole
            return {"type": "array", "items": items, **({"minItems": 1} if limits.form else {})}
        if origin is Mapping:
            values = self._type(get_args(kind)[1], {"limits": rules.get("limits")}, partial)
            keys: Limits | None = rules.get("keys")
            names = {"propertyNames": {"pattern": _whole(keys)}} if keys else {}
            return {"type": "object", "additionalProperties": values, **names}
        if attrs.has(kind):
            return self._reference(kind, partial)
        return _scalar(kind, limits)


def _scalar(kind: type, limits: Limits) -> Schema:
    made: Schema = {"type": _TYPES[kind]}
    if kind is str and (limits.one_of or limits.form):
        told = {"enum": list(limits.one_of)} if limits.one_of else {"pattern": _whole(limits)}
        return {"anyOf": [{**made, **told}, _REFERS]}
    if kind in (int, float):
        bounds = {"minimum": limits.at_least, "maximum": limits.at_most, "exclusiveMinimum": limits.above}
        made.update({key: bound for key, bound in bounds.items() if bound is not None})
    return made


def _whole(limits: Limits) -> str:
    assert limits.form is not None
    return f"^(?:{limits.form.pattern})$"


def _one_of_spellings(found: attrs.Attribute[Any]) -> Schema:
    return {"anyOf": [{"required": [name]} for name in (found.name, *found.metadata.get("aliases", ()))]}
