"""The places of keys agree with what the parsers read: no key is missed, none is made up, each is where it says."""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st
from ospec.stages.toml_positions import Path as KeyPath
from ospec.stages.toml_positions import Place, toml_positions
from ospec.stages.yaml_reader import read_yaml

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "data" / "documents" / "good"
TOML_FILES = [
    *sorted(CORPUS.glob("*.toml")),
    *sorted(ROOT.glob("examples/*/ospec.toml")),
    *sorted(ROOT.glob("plugins/*/pyproject.toml")),
    ROOT / "core" / "pyproject.toml",
    ROOT / "pyproject.toml",
    ROOT / "ospec.toml.example",
]


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every key and list item."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield (*path, key)
            yield from paths(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield (*path, number)
            yield from paths(one, (*path, number))


def key_at(text: str, place: Place) -> str:
    """The TOML key that stands at a place."""
    rest = text.split("\n")[place[0] - 1][place[1] - 1 :]
    for end in range(1, len(rest) + 1):
        ends_here = end == len(rest) or rest[end] in " \t.=]"
        if ends_here and (rest[0] not in "\"'" or (end > 1 and rest[end - 1] == rest[0])):
            try:
                (key,) = tomli.loads(f"{rest[:end]} = 1")
            except tomli.TOMLDecodeError:
                continue
            return key
    raise AssertionError(f"no key at {place}: {rest!r}")


def check_toml(text: str) -> None:
    value, found = tomli.loads(text), toml_positions(text)
    assert set(found) == set(paths(value))
    for path, place in found.items():
        if isinstance(path[-1], str):
            assert key_at(text, place) == path[-1]


@pytest.mark.parametrize("path", TOML_FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_files(path: Path) -> None:
    check_toml(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "a.b.c = 1\na.b.d = 2",
        "[a]\n[a.b.c]\n[a.b]\nx = 1",
        "[[a]]\n[[a.b]]\n[[a.b]]\nx=1\n[[a]]\n[a.c]\n[[a.b]]",
        '"a.b".\'c d\'."\\u0065" = 1',
        'a = """\n[no]\nb = 1 \\"""\n"""\nc = 2',
        "a = '''x''''\nb = ''''x'''''\nc = \"\"\"\"x\"\"\"\"\"\nd = 4",
        "a = [ # ]\n [1, 2], # [\n {b = '}', c = [']']},\n]\nd = 5",
        "a = 1979-05-27 07:32:00\nb = 2",
        'a = {}\nb = []\nc = ""\nd = {e.f = {g = 1}, e.h = 2}',
        "[ a . 'b' ]\nc\t=\t1 # d = 2",
    ],
)
def test_corners(text: str) -> None:
    check_toml(text)


# -- documents as they come -------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)
KEYS = st.one_of(st.sampled_from(["a", "b", "c-1", "d_2", "3"]), TEXTS)
DATES = st.datetimes(min_value=datetime.datetime(1900, 1, 1)).map(lambda one: one.replace(microsecond=0))  # noqa: DTZ001
SCALARS = st.one_of(TEXTS, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False), DATES)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


class Writer:
    """Writes a value as TOML in one of the many ways there are."""

    def __init__(self, choices: random.Random) -> None:
        self.choices = choices

    def blank(self) -> str:
        return self.choices.choice(["", " ", "\t", "  "])

    def end(self) -> str:
        return self.choices.choice(["\n", " # [x]\n", "\n\n", "\t#'''\n", '\n# """ = {\n'])

    def text(self, value: str, one_line: bool) -> str:
        ways = [self.basic(value)]
        if all(character.isprintable() for character in value):
            ways += [f"'{value}'"] if "'" not in value else []
            ways += [f"'''{value}'''"] if not one_line and "'''" not in value and not value.endswith("'") else []
        if not one_line:
            ways.append(f'"""\n{self.basic(value)[1:-1]}"""')
        return self.choices.choice(ways)

    @staticmethod
    def basic(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    def key(self, key: str) -> str:
        bare = key and all(one.isascii() and (one.isalnum() or one in "-_") for one in key)
        return key if bare and self.choices.random() < 0.7 else self.text(key, one_line=True)

    def value(self, value: Any) -> str:
        if isinstance(value, str):
            return self.text(value, one_line=False)
        if isinstance(value, list):
            items = [self.blank() + self.value(one) + self.blank() for one in value]
            between = "," + self.choices.choice(["", "\n", " # ,]\n"])
            return f"[{between.join(items)}{self.choices.choice(['', ',']) if items else ''}{self.blank()}]"
        if isinstance(value, Mapping):
            pairs = [f"{self.blank()}{self.key(key)}{self.blank()}={self.value(one)}" for key, one in value.items()]
            return f"{{{', '.join(pairs)} }}"
        if isinstance(value, datetime.datetime):
            return value.isoformat(self.choices.choice(["T", " "]))
        return json.dumps(value) if not isinstance(value, float) else repr(value)

    def table(self, path: tuple[str, ...], table: Mapping[str, Any]) -> str:
        """The body of a table: plain pairs, inline and dotted ones, then headers."""
        text, below = "", ""
        for key, value in table.items():
            of_tables = isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value)
            if isinstance(value, Mapping) and self.choices.random() < 0.5:
                below += f"[{self.header((*path, key))}]{self.end()}{self.table((*path, key), value)}"
            elif isinstance(value, Mapping) and value and self.choices.random() < 0.5:
                text += "".join(
                    f"{self.key(key)}.{self.key(k)} = {self.value(v)}{self.end()}" for k, v in value.items()
                )
            elif of_tables and self.choices.random() < 0.7:
                for one in value:
                    below += f"[[{self.header((*path, key))}]]{self.end()}{self.table((*path, key), one)}"
            else:
                text += f"{self.key(key)}{self.blank()}={self.blank()}{self.value(value)}{self.end()}"
        return text + below

    def header(self, path: tuple[str, ...]) -> str:
        return self.blank() + f"{self.blank()}.{self.blank()}".join(self.key(part) for part in path) + self.blank()


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.integers(0, 2**32))
def test_any_document(data: dict[str, Any], seed: int) -> None:
    text = Writer(random.Random(seed)).table((), data)
    assert tomli.loads(text) == data, "the writer wrote something else"
    check_toml(text)


# -- YAML -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.yaml")), ids=lambda path: path.name)
def test_yaml_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    value, found = read_yaml(text)
    assert set(found) == set(paths(value))
    for where, (line, column) in found.items():
        if isinstance(where[-1], str):
            assert text.split("\n")[line - 1][column - 1 :].lstrip("\"'").startswith(where[-1])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(alphabet="abc -:#", min_size=1, max_size=5), VALUES, max_size=4))
def test_any_yaml(data: dict[str, Any]) -> None:
    text = json.dumps(data, default=str)  # every JSON text is a YAML text
    value, found = read_yaml(text)
    assert set(found) == set(paths(value))
