"""The schema is one, says what the loader says, and has every key."""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from ospec.stages.checks import check
from ospec.stages.example import example_toml
from ospec.stages.load import DocumentFaults, load
from ospec.stages.plain import plain
from ospec.stages.schema import json_schema
from ospec.stages.shape import Misfit
from ospec.stages.yaml_reader import YamlFault, read_yaml

DATA = Path(__file__).parents[1] / "data" / "documents"
NOT_SEEN = {"references.toml", "odd-kinds.yaml"}
"""What no schema can see: references inside text; what YAML can say and JSON cannot."""


def values(path: Path) -> Any:
    """What a file says, before the model."""
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


def inside_text(fault: Misfit) -> bool:
    """Whether a fault is one of a condition's words, or of a metric's name, which are any text to a schema."""
    return fault.message.startswith(("column ", "there is no metric "))


# -- the schema and the loader agree ----------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    *("", "x", "5s", "/x", "${A}", "error", "block", "safe", "25%", "Abc d", "get", "POST", None, True, False),
    *(0, 1, -1, 5, 0.5, 200, [], ["a"], [1], [["a"]], [{}], {}, {"a": 1}, {"x": {"y": 1}}),
)


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield (*path, key)
        yield from nodes(one, (*path, key))


def changed(document: Any, choices: random.Random) -> Any:
    """A copy with one value replaced, left out, or under another name."""
    made = copy.deepcopy(document)
    path = choices.choice(list(nodes(made)))
    inside = functools.reduce(lambda table, key: table[key], path[:-1], made)
    way = choices.random()
    if way < 0.6:
        inside[path[-1]] = copy.deepcopy(choices.choice(VALUES))
    elif way < 0.8 and isinstance(inside, dict):
        inside[f"unheard-of-{len(path)}"] = inside.pop(path[-1])
    else:
        del inside[path[-1]]
    return made


@pytest.mark.parametrize("seed", range(4))
def test_they_agree_on_changed_documents(validator: Any, seed: int) -> None:
    choices = random.Random(seed)
    documents = [*map(values, sorted((DATA / "good").glob("*.toml"))), tomli.loads(example_toml())]
    outcomes = set()
    for _ in range(250):
        document = changed(choices.choice(documents), choices)
        misfits = [one for one in check(document).misfits if not inside_text(one)]
        outcomes.add(not misfits)
        assert validator.is_valid(document) == (not misfits), (document, misfits)
    assert outcomes == {True, False}, "some changes do harm, and some do not"
