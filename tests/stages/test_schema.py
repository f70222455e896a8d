"""The schema is one, says what the loader says, and has every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ospec.stages.load import DocumentFaults, load
from ospec.stages.plain import plain
from ospec.stages.schema import json_schema
from ospec.stages.yaml_reader import YamlFault, read_yaml

DATA = Path(__file__).parents[1] / "data" / "documents"
NOT_SEEN = {"references.toml", "odd-kinds.yaml"}
"""What no schema can see: references inside text; what YAML can say and JSON cannot."""


def values(path: Path) -> Any:
    """What a file says, before the model."""
    import tomli

    text = path.read_text(encoding="utf-8")
    return plain(tomli.loads(text) if path.suffix == ".toml" else read_yaml(text)[0], [])


def readable() -> Iterator[Path]:
    for path in sorted((DATA / "bad").iterdir()):
        if path.suffix in (".toml", ".yaml"):
            try:
                values(path)
            except (ValueError, YamlFault):
                continue
            yield path


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(json_schema())


def test_it_is_a_schema_and_json() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("path", sorted((DATA / "good").iterdir()), ids=lambda path: path.name)
def test_good_documents_are_valid(validator: Any, path: Path) -> None:
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values(path))] == []


@pytest.mark.parametrize("path", list(readable()), ids=lambda path: path.name)
def test_bad_documents_are_not(validator: Any, path: Path) -> None:
    assert validator.is_valid(values(path)) == (path.name in NOT_SEEN)


@pytest.mark.parametrize("name", ["types.toml", "limits.toml", "environments.toml", "spelt-twice.toml"])
def test_every_fault_of_a_value_is_seen(validator: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault that the loader tells lies at or below a place that the schema finds wrong."""
    monkeypatch.chdir(DATA / "bad")
    with pytest.raises(DocumentFaults) as caught:
        load(Path(name))
    wrong = {error.json_path.removeprefix("$.") for error in validator.iter_errors(values(Path(name)))}
    for fault in caught.value.faults:
        if "finite" not in fault.expected and "2.0" not in fault.message:  # to JSON, 2.0 is a whole number
            assert any(fault.path.startswith(place) or place == "$" for place in wrong), str(fault)


@pytest.mark.parametrize("value", ["${NAME}", "/${NAME}", "x${NAME}"])
def test_text_with_a_reference_may_become_anything(validator: Any, value: str) -> None:
    assert validator.is_valid({"monitoring": {"health_checks": [{"endpoint": value}]}})
    assert not validator.is_valid({"monitoring": {"health_checks": [{"endpoint": "x"}]}})


def test_keys_have_their_meaning_and_default(validator: Any) -> None:
    deployment = validator.schema["$defs"]["Deployment"]["properties"]
    assert "stays warm" in deployment["keep_seconds"]["description"]
    assert deployment["keep_seconds"]["default"] == 3600.0
    assert deployment["scale_down_delay"] == deployment["keep_seconds"]
