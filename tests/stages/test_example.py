"""The example document has every key, and is what the repository shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import attrs
from ospec.models.document import Document
from ospec.stages.example import example_toml
from ospec.stages.load import load_text
from ospec.stages.meanings import meanings_of
from ospec.stages.resolve import resolve
from ospec.stages.shape import fields_of

FILE = Path(__file__).parents[2] / "ospec.toml.example"


def test_the_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == example_toml(), "run python tools/document_example.py"


def test_it_loads_and_resolves() -> None:
    loaded = load_text(example_toml(), Path("ospec.toml"))
    assert loaded.warnings == ()
    for environment in (None, *loaded.document.environments):
        assert resolve(loaded, environment, environ={}).service == "shop"


def classes_in(kind: Any) -> Iterator[type]:
    """The classes of the model below a type."""
    if attrs.has(kind):
        yield kind
        for one in attrs.fields(kind):
            fields_of(kind)  # resolves the types
            yield from classes_in(one.type)
    for inner in get_args(kind):
        yield from classes_in(inner)


def keys_of(value: Any) -> Iterator[tuple[type, str]]:
    """Every class and key that a document has a value for, other than the default that means nothing."""
    if attrs.has(type(value)):
        for one in attrs.fields(type(value)):
            there = getattr(value, one.name)
            if there not in (None, "", (), {}):
                yield type(value), one.name
                yield from keys_of(there)
    elif isinstance(value, dict):
        for one in value.values():
            yield from keys_of(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from keys_of(one)


def test_every_key_of_the_model_has_a_value() -> None:
    document = load_text(example_toml(), Path("ospec.toml")).document
    wanted = {(kind, name) for kind in classes_in(Document) for name in fields_of(kind).names}
    assert wanted - set(keys_of(document)) == set()


def test_every_meaning_is_told() -> None:
    comments = example_toml().replace("\n# ", " ")
    untold = [
        f"{kind.__name__}.{name}"
        for kind in classes_in(Document)
        for name, told in meanings_of(kind).items()
        if name in fields_of(kind).names and told not in comments
    ]
    assert untold == []
