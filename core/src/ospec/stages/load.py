"""From a file to a `Document`: every fault at once, each at file:line:column."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ospec.errors import DocumentError
from ospec.models.document import Document
from ospec.stages.checks import Checked, check
from ospec.stages.plain import plain
from ospec.stages.shape import Misfit
from ospec.stages.toml_positions import Path as KeyPath
from ospec.stages.toml_positions import Place, toml_positions

NAMES = ("ospec.toml", "ospec.yaml", "ospec.yml")
LARGEST_BYTES = 512 * 1024


@frozen
class Fault:
    """One fault of a document."""

    file: str
    line: int
    column: int
    path: str
    message: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" + (f" {self.path}" if self.path else "")
        expected = f", expected {self.expected}" if self.expected else ""
        return f"{where}: {self.message}{expected}" + (f"; {self.hint}" if self.hint else "")


class DocumentFaults(DocumentError):
    """A document with faults; `faults` are all of them, in the order of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "\n  ".join(str(fault) for fault in self.faults)
        super().__init__(
            f"the document has {count}:\n  {lines}", hints=("see every key: ospec.toml.example, ospec schema",)
        )


@frozen
class Loaded:
    """A document as it was read."""

    document: Document
    path: Path
    warnings: tuple[str, ...]
    locate: Callable[[str], str]
    """``deployment.strategy`` to ``ospec.toml:12:3 deployment.strategy``; the place around a key that is not there."""
    data: Mapping[str, Any] = field(factory=dict)
    """The values as plain tables and lists, keys by the model's names, durations in seconds, without defaults."""
    positions: Mapping[KeyPath, Place] = field(factory=dict)
    """Line and column of every key and list item."""

    def faults(self, misfits: Sequence[Misfit]) -> DocumentFaults:
        """The error of what does not fit, each at its place."""
        name = os.path.relpath(self.path)
        return DocumentFaults([_fault(name, self.positions, misfit) for misfit in misfits])


def find_document(given: Path | None, start: Path) -> Path:
    """The document to use: as given, or one of `NAMES` in the folder `start`."""
    if given is not None:
        return given.absolute()
    for name in NAMES:
        if (start / name).is_file():
            return (start / name).absolute()
    raise DocumentError(
        f"there is no {', '.join(NAMES[:-1])} or {NAMES[-1]} in {start}",
        code="no-document",
        hints=("write one: ospec init", "or name it: -f FILE"),
    )


def load(path: Path) -> Loaded:
    """Read a document; raises `DocumentFaults` with all its faults, `DocumentError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise DocumentError(f"{path} does not exist", code="no-document", hints=("write one: ospec init",)) from error
    except OSError as error:
        raise _unreadable(path, str(error.strerror).lower()) from error
    if len(content) > LARGEST_BYTES:
        raise _unreadable(path, f"it is larger than {LARGEST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8 text (byte {error.start})") from error
    return load_text(text, path)


def load_text(text: str, path: Path) -> Loaded:
    """Read a document from its text; `path` tells TOML from YAML by its ending and names the file in errors."""
    name = os.path.relpath(path)
    yaml = path.suffix.lower() in (".yaml", ".yml")
    values, positions = _read_yaml(text, name) if yaml else _read_toml(text, name)
    misfits: list[Misfit] = []
    data = plain({} if values is None else values, misfits)
    told = {misfit.path for misfit in misfits}
    checked = check(data)
    misfits += [misfit for misfit in checked.misfits if misfit.path not in told]
    if misfits:
        raise DocumentFaults([_fault(name, positions, misfit) for misfit in misfits])
    positions = {**positions, **{(*key[:-1], ours): _place(positions, key) for key, ours in checked.respelt}}
    return Loaded(
        checked.document,
        path,
        tuple(
            f"{_locate(name, positions, key)}: ospec does not know this section; it is kept" for key in checked.unknown
        ),
        lambda key: _locate(name, positions, _path(key)),
        _in_the_models_words(data, checked),
        positions,
    )


def _unreadable(path: Path, why: str) -> DocumentError:
    return DocumentError(
        f"cannot read {path}: {why}", code="unreadable-document", hints=("name the document: -f FILE",)
    )


def _in_the_models_words(data: Any, checked: Checked) -> Any:
    """`data` with durations in seconds and keys as the model names them."""

    def around(path: KeyPath) -> Any:
        return reduce(lambda table, part: table[part], path[:-1], data)

    for path, seconds in checked.durations:
        around(path)[path[-1]] = seconds
    for path, name in sorted(checked.respelt, key=lambda one: -len(one[0])):  # the outer ones keep their names longest
        table = around(path)
        table[name] = table.pop(path[-1])
    return data


def _read_toml(text: str, name: str) -> tuple[Any, Mapping[KeyPath, Place]]:
    import tomli

    text = text.replace("\r\n", "\n")  # as tomli does, so that both count alike
    try:
        return tomli.loads(text), toml_positions(text)
    except tomli.TOMLDecodeError as error:
        raise DocumentFaults([Fault(name, error.lineno, error.colno, "", f"no valid TOML: {error.msg}")]) from error
    except RecursionError as error:
        raise DocumentFaults([Fault(name, 1, 1, "", "the values stand too deep")]) from error


def _read_yaml(text: str, name: str) -> tuple[Any, Mapping[KeyPath, Place]]:
    from ospec.stages.yaml_reader import YamlFault, read_yaml

    try:
        return read_yaml(text)
    except YamlFault as error:
        raise DocumentFaults([Fault(name, *error.place, "", f"no valid YAML: {error.message}")]) from error


def _fault(name: str, positions: Mapping[KeyPath, Place], misfit: Misfit) -> Fault:
    line, column = _place(positions, misfit.path)
    return Fault(name, line, column, dotted(misfit.path), misfit.message, misfit.expected, misfit.hint)


def _place(positions: Mapping[KeyPath, Place], path: KeyPath) -> Place:
    """The place of the key, or of the nearest one around it."""
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, (1, 1))


def _locate(name: str, positions: Mapping[KeyPath, Place], path: KeyPath) -> str:
    line, column = _place(positions, path)
    return f"{name}:{line}:{column} {dotted(path)}".rstrip()  # the document as a whole has no path


def _path(text: str) -> KeyPath:
    return tuple(int(number) if number else key for key, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", text))


def dotted(path: KeyPath) -> str:
    """A path as it is told: ``monitoring.health_checks[0].endpoint``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
