"""OSpec YAML with places: a safe loader (YAML 1.2, no tags that make objects), with limits on depth and aliases."""

from __future__ import annotations

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
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    loader = YAML(typ="safe", pure=True)
    try:
        node = loader.compose(text)
        positions: dict[Path, Place] = {}
        _Walk(positions).node(node, (), 0)
        return YAML(typ="safe", pure=True).load(text), positions
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlFault(" ".join(str(error.problem or error.context or error).split()), place) from error
    except YAMLError as error:
        raise YamlFault(str(error).splitlines()[0], (1, 1)) from error
    except RecursionError as error:
        raise YamlFault(f"nested deeper than {_DEEPEST} levels", (1, 1)) from error


class _Walk:
    """Walks nodes as they would be expanded, so that aliases of aliases are counted before anything is built."""

    def __init__(self, positions: dict[Path, Place]) -> None:
        self._positions = positions
        self._count = 0

    def node(self, node: Any, path: Path, depth: int) -> None:
        if node is None:
            return
        place = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._count += 1
        if self._count > _MOST_NODES:
            raise YamlFault(f"more than {_MOST_NODES} values once aliases are followed", place)
        if depth > _DEEPEST:
            raise YamlFault(f"nested deeper than {_DEEPEST} levels", place)
        if isinstance(node.value, list):
            for number, one in enumerate(node.value):
                if isinstance(one, tuple):
                    key, value = one
                    inner: Path = (*path, str(key.value))
                    self._positions[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
                else:
                    value, inner = one, (*path, number)
                    self._positions[inner] = (one.start_mark.line + 1, one.start_mark.column + 1)
                self.node(value, inner, depth + 1)
