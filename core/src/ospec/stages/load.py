"""From a file to a `Document`: every fault at once, each at file:line:column."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from ospec.errors import DocumentError
from ospec.models.document import Document
from ospec.stages.checks import further_misfits
from ospec.stages.shape import Misfit, Shape
from ospec.stages.toml_positions import Path as KeyPath
from ospec.stages.toml_positions import Place, toml_positions

NAMES = ("ospec.toml", "ospec.yaml", "ospec.yml")
_LARGEST_BYTES = 2 * 1024 * 1024


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
        what = f"{self.file}:{self.line}:{self.column} {self.path}: {self.message}".replace(" : ", ": ")
        expected = f", expected {self.expected}" if self.expected else ""
        return what + expected + (f"; {self.hint}" if self.hint else "")


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
    """``deployment.strategy`` to ``ospec.toml:12:3``; the file alone where the key is not in it."""
    data: Mapping[str, Any] = {}
    """The values as they stand there, before the model gave them defaults."""


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
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise DocumentError(f"{path} does not exist", code="no-document", hints=("write one: ospec init",)) from error
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror}", code="unreadable-document") from error
    if len(content) > _LARGEST_BYTES:
        raise DocumentError(f"{path} is larger than {_LARGEST_BYTES} bytes", code="unreadable-document")
    try:
        return load_text(content.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 text (byte {error.start})", code="unreadable-document") from error


def load_text(text: str, path: Path) -> Loaded:
    """Read a document from its text; `path` tells TOML from YAML by its ending and names the file in errors."""
    name = os.path.relpath(path)
    yaml = path.suffix.lower() in (".yaml", ".yml")
    data, positions = _read_yaml(text, name) if yaml else _read_toml(text, name)
    shape = Shape()
    if data is None:
        data = {}
    document = shape.section(Document, data)
    misfits = [*shape.misfits, *(further_misfits(document, data) if document else ())]
    if misfits or document is None:
        raise DocumentFaults([_fault(name, positions, misfit) for misfit in misfits])
    warnings = tuple(
        f"{name}:{':'.join(map(str, _place(positions, (key,))))} {key}: ospec does not know this section; it is kept"
        for key in document.others
    )
    return Loaded(document, path, warnings, lambda key: _locate(name, positions, key), data)


def _read_toml(text: str, name: str) -> tuple[Any, Mapping[KeyPath, Place]]:
    import tomli

    text = text.replace("\r\n", "\n")
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        message = getattr(error, "msg", str(error))
        raise DocumentFaults([Fault(name, line, column, "", f"no valid TOML: {message}")]) from error
    except RecursionError as error:
        raise DocumentFaults([Fault(name, 1, 1, "", "nested too deeply")]) from error
    return data, toml_positions(text)


def _read_yaml(text: str, name: str) -> tuple[Any, Mapping[KeyPath, Place]]:
    from ospec.stages.yaml_reader import YamlFault, read_yaml

    try:
        return read_yaml(text)
    except YamlFault as error:
        raise DocumentFaults([Fault(name, *error.place, "", f"no valid YAML: {error.message}")]) from error


def _fault(name: str, positions: Mapping[KeyPath, Place], misfit: Misfit) -> Fault:
    line, column = _place(positions, misfit.path)
    return Fault(name, line, column, _dotted(misfit.path), misfit.message, misfit.expected, misfit.hint)


def _place(positions: Mapping[KeyPath, Place], path: KeyPath) -> Place:
    """The place of the key, or of the nearest one around it."""
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, (1, 1))


def _locate(name: str, positions: Mapping[KeyPath, Place], key: str) -> str:
    line, column = _place(positions, tuple(key.split(".")))
    return f"{name}:{line}:{column} {key}"


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
