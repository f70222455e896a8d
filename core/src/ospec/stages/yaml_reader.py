"""OSpec YAML with places: a safe loader (YAML 1.2, no tags that make objects), with limits on depth and aliases."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ospec.stages.toml_positions import Path, Place

_MOST_NODES = 50_000
_DEEPEST = 40


class YamlFault(Exception):
    """What is wrong with a YAML text, and where."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message, self.place = message, place


def read_yaml(text: str) -> tuple[Any, Mapping[Path, Place]]:
    """The value of a YAML text and the place of every key and item.

    Raises:
        YamlFault: no valid YAML, more than one document, a key twice, too deep, or too large once aliases are followed.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what other versions of YAML would read differently
            return _read(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlFault(" ".join(str(error.problem or error.context or error).split()), place) from error
    except YAMLError as error:
        raise YamlFault(str(error).splitlines()[0], (1, 1)) from error


def _read(text: str) -> tuple[Any, Mapping[Path, Place]]:
    loader = _loader()
    node = loader.compose(text)
    walk = _Walk()
    walk.node(node, (), 0)
    if node is None:
        return None, {}
    try:
        return loader.constructor.construct_document(node), walk.positions
    except (ValueError, LookupError):  # a tag such as !!int on what is none; ruamel names no place
        wrong = next((one for one in walk.scalars if not _fits(one)), node)
        raise YamlFault(f"{wrong.value!r} does not fit its tag {wrong.tag}", _place(wrong)) from None


def _loader() -> Any:
    """A safe loader that stops at the first value that stands too deep, before it reads on."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer

    class ShallowComposer(Composer):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > _DEEPEST + 1:
                mark = self.loader.parser.peek_event().start_mark
                raise YamlFault(f"nested deeper than {_DEEPEST} levels", (mark.line + 1, mark.column + 1))
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    made = YAML(typ="safe", pure=True)
    made.Composer = ShallowComposer
    return made


def _fits(scalar: Any) -> bool:
    from ruamel.yaml import YAML

    try:
        YAML(typ="safe", pure=True).constructor.construct_document(scalar)
    except (ValueError, LookupError):
        return False
    return True


def _place(node: Any) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Walk:
    """Walks nodes as they would be expanded, so that aliases of aliases are counted before anything is built."""

    def __init__(self) -> None:
        self.positions: dict[Path, Place] = {}
        self.scalars: list[Any] = []
        self._count = 0

    def node(self, node: Any, path: Path, depth: int) -> None:
        if node is None:
            return
        place = _place(node)
        self._count += 1
        if self._count > _MOST_NODES:
            raise YamlFault(f"more than {_MOST_NODES} values once aliases are followed", place)
        if depth > _DEEPEST:
            raise YamlFault(f"nested deeper than {_DEEPEST} levels", place)
        if not isinstance(node.value, list):
            self.scalars.append(node)
        else:
            for number, one in enumerate(node.value):
                if isinstance(one, tuple):
                    key, value = one
                    if isinstance(key.value, list):  # what nothing could be looked up by
                        raise YamlFault("a list or table stands where a key is expected", _place(key))
                    inner: Path = (*path, str(key.value))
                    self.positions[inner] = _place(key)
                    self.scalars.append(key)
                else:
                    value, inner = one, (*path, number)
                    self.positions[inner] = _place(one)
                self.node(value, inner, depth + 1)
