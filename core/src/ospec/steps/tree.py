"""The entries of a release: files, programs, and links that stay inside; a link that leaves is what it leads to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from attrs import frozen

from ospec.errors import DocumentError

_CACHES = {"node_modules", "__pycache__"}
_NEVER_TOLD = {".git", "__pycache__"}
"""Left out everywhere and always, and made anew by looking at the code: a note about them would tell nothing."""

Kind = Literal["link", "file", "program"]


@frozen
class Entry:
    """One path of a release and where its content comes from."""

    path: str
    """Relative, with ``/``."""
    kind: Kind
    file: Path
    """What is read; for a link, the link."""
    to: str = ""
    """Where a link points, relative to its folder."""


class Tree:
    """Collects the entries of the folder `root`.

    Args:
        leave_out: folders that are never entered.

    Attributes:
        entries: by path.
        left_out: folders that were not entered, for their kind.
        replaced: links that lead out, each with the count and size of the files that stand in its place.
    """

    def __init__(self, root: Path, leave_out: Iterable[Path] = ()) -> None:
        self._root, self._real = root, Path(os.path.realpath(root))
        self._leave_out = [Path(os.path.realpath(folder)) for folder in leave_out]
        self.entries: dict[str, Entry] = {}
        self.left_out: list[str] = []
        self.replaced: dict[str, tuple[int, int]] = {}
        self._leads: dict[str, str] = {}

    def add(self, path: str) -> None:
        """One file or link of the root."""
        file = self._root / path
        if not self._kept_out(file):
            self._any(path, file, self._real, (self._real,))

    def add_folder(self, path: str = "", *, everything: bool = False) -> None:
        """All below a folder of the root; without `everything` not what is hidden, an environment or a cache."""
        self._folder(path, self._root / path, self._real, (self._real,), everything)

    def nowhere(self) -> Iterator[tuple[str, str]]:
        """Links with the place inside that they lead to, where nothing of the release stands there."""
        there = {folder.as_posix() for path in self.entries for folder in (Path(path), *Path(path).parents)}
        yield from ((path, to) for path, to in sorted(self._leads.items()) if to not in there)

    def _kept_out(self, file: Path) -> bool:
        absolute = Path(os.path.realpath(file.parent)) / file.name
        return any(absolute.is_relative_to(folder) for folder in self._leave_out)

    def _any(self, path: str, file: Path, inside: Path, trail: tuple[Path, ...]) -> None:
        """An entry; `inside` is the folder that its links may point into, `trail` the folders that lead here."""
        if file.is_symlink():
            self._link(path, file, inside, trail)
        elif file.is_file():  # no sockets, no pipes
            self.entries[path] = Entry(path, "program" if os.access(file, os.X_OK) else "file", file)

    def _folder(self, path: str, folder: Path, inside: Path, trail: tuple[Path, ...], everything: bool) -> None:
        try:
            found = sorted(folder.iterdir())
        except OSError as error:
            raise _unreadable(folder, error) from error
        for file in found:
            name = f"{path}/{file.name}" if path else file.name
            is_folder = os.path.isdir(file)  # noqa: PTH112 - what may not be looked at is told below, as unreadable
            if self._kept_out(file) or (is_folder and self._passed_by(name, file, everything)):
                continue
            if is_folder and not file.is_symlink():
                self._folder(name, file, inside, trail, everything)
            else:
                self._any(name, file, inside, trail)

    def _passed_by(self, path: str, folder: Path, everything: bool) -> bool:
        known = folder.name in _CACHES or folder.name.startswith(".") or os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110 - as above
        passed = folder.name == ".git" or (known and not everything)
        if passed and folder.name not in _NEVER_TOLD:
            self.left_out.append(path)
        return passed

    def _link(self, path: str, file: Path, inside: Path, trail: tuple[Path, ...]) -> None:
        text, real = os.readlink(file), Path(os.path.realpath(file))  # noqa: PTH115 - the text as it is
        if not (real.is_file() or real.is_dir()):  # leads nowhere, or to a device: there is nothing to copy
            self.entries[path] = Entry(path, "link", file, text)
        elif real.is_relative_to(inside):
            self.entries[path] = Entry(path, "link", file, _relative(text, file, real, inside))
            if inside == self._real:
                self._leads[path] = real.relative_to(inside).as_posix()
        else:
            before = dict(self.entries)
            if real.is_dir():
                if any(folder.is_relative_to(real) for folder in trail):
                    raise DocumentError(
                        f"the link {path} leads out of the release to {real}, which the link itself is a part of",
                        code="link-cycle",
                        where=path,
                        hints=("let it lead to the folder that is needed, or remove it",),
                    )
                self._folder(path, real, real, (*trail, real), everything=False)
            else:
                self._any(path, real, inside, trail)
            new = [one.file for name, one in self.entries.items() if name not in before and one.kind != "link"]
            self.replaced[path] = len(new), sum(one.stat().st_size for one in new)


def digest_of(entries: Iterable[Entry]) -> str:
    """SHA-256 over entries in their order: kind, path, content; links by where they point."""
    total = hashlib.sha256()
    for one in entries:
        content = os.fsencode(one.to) if one.kind == "link" else _content_digest(one.file)
        total.update(b"%s %s %d:" % (one.kind.encode(), os.fsencode(one.path), len(content)))
        total.update(content)
    return total.hexdigest()


def entries_of(root: Path, paths: Iterable[str]) -> Iterator[Entry]:
    """What stands at `paths` of a snapshot, links as they are."""
    for path in paths:
        file = root / path
        if file.is_symlink():
            yield Entry(path, "link", file, os.readlink(file))  # noqa: PTH115 - the text as it is
        else:
            yield Entry(path, "program" if os.access(file, os.X_OK) else "file", file)


def _relative(text: str, file: Path, real: Path, inside: Path) -> str:
    """Where a link inside points: as it says where that holds in every copy of the folder, else the way made anew."""
    here = Path(os.path.realpath(file.parent))
    plain = os.path.normpath(here.relative_to(inside) / text)  # each `..` taken with the name before it
    return os.path.relpath(real, here) if Path(text).is_absolute() or Path(plain).parts[:1] == ("..",) else text


def _content_digest(file: Path) -> bytes:
    found = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
    except PermissionError as error:
        raise _unreadable(file, error) from error
    return found.digest()


def _unreadable(file: Path, error: OSError) -> DocumentError:
    return DocumentError(
        f"cannot read {file}: {error.strerror}", code="unreadable-source", hints=("make it readable for you",)
    )
