"""The model of documents: every field is explained, and nothing of it is lost on the way through a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from ospec.converter import from_json, to_json
from ospec.models.document import Deployment, Document
from ospec.stages.example import example_toml
from ospec.stages.load import load_text
from ospec.stages.meanings import meaning_of
from ospec.stages.shape import fields_of, holds


def classes(kind: Any = Document) -> Iterator[type]:
    if attrs.has(kind):
        yield kind
        fields_of(kind)
        for one in attrs.fields(kind):
            yield from classes(one.type)
    for inner in get_args(kind):
        yield from classes(inner)


CLASSES = sorted(set(classes()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_section_is_explained_and_frozen(kind: Any) -> None:
    assert len(meaning_of(kind)) > 5
    assert kind.__setattr__ is not object.__setattr__


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_defaults_are_within_their_own_limits(kind: Any) -> None:
    for name in fields_of(kind).names:
        one = fields_of(kind).spelt[name]
        limits = one.metadata.get("limits")
        if limits and isinstance(one.default, (str, int, float)) and one.default != "":
            assert holds(limits, one.default), name


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_no_spelling_is_taken_twice(kind: Any) -> None:
    spellings = [name for one in attrs.fields(kind) for name in (one.name, *one.metadata.get("aliases", ()))]
    assert len(spellings) == len(set(spellings))


def test_deployment_settings_survive_a_store() -> None:
    deployment = load_text(example_toml(), Path("ospec.toml")).document.deployment
    assert deployment != Deployment()
    assert from_json(to_json(deployment), Deployment) == deployment
