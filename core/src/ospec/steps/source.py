"""What a release is made of: the files of the working tree, their digest, and the name git gives them."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from ospec.errors import DocumentError
from ospec.naming import slug

_ENVIRONMENT_FOLDERS = {"node_modules", "__pycache__", "venv", "env"}
_GIT_SECONDS = 30.0


@frozen
class Source:
    """The files of one service, ready to be copied into a snapshot."""

    root: Path
    paths: tuple[str, ...]
    """Relative, with ``/``, sorted."""
    digest: str
    """SHA-256 over paths, kinds, executable bits and contents."""
    suggested_name: str
    """From git (tag or short commit, with the digest where the tree is dirty), or the digest."""
    untracked: tuple[str, ...] = ()
    """Files that git neither tracks nor ignores: left out of the release."""
    without_git: str = ""
    """Why git was not asked although this is a checkout; every visible file is taken then."""


def read_source(root: Path, include: Sequence[str] = (), leave_out: Iterable[Path] = ()) -> Source:
    """List and digest what a release of `root` is made of.

    With git: the working-tree content of tracked files. Without (or where nothing is tracked): every file but those in
    hidden and environment folders. `include` adds files, folders or glob patterns that git does not track.

    Args:
        leave_out: folders that are never part of a release (the state folder).

    Raises:
        DocumentError: an `include` entry matches nothing or leaves `root`.
    """
    tracked = _tracked(root)
    found = set(tracked or _walk(root))
    untracked = tuple(sorted(_git_list(root, "--others", "--exclude-standard"))) if tracked else ()
    for entry in include:
        found.update(_included(root, entry))
    excluded = [folder.resolve() for folder in leave_out]
    paths = tuple(sorted(path for path in found if not _below(root / path, excluded)))
    total = source_digest(root, paths)
    untracked = tuple(path for path in untracked if path not in found and not _below(root / path, excluded))
    without_git = "" if tracked else _why_without_git(root)
    return Source(root, paths, total, _name(root, bool(tracked), total), untracked, without_git)


def source_digest(root: Path, paths: Iterable[str]) -> str:
    """SHA-256 over the files `paths` of `root`: path, kind, executable bit, content; links by where they point."""
    total = hashlib.sha256()
    for path in paths:
        file = root / path
        if file.is_symlink() and not (leaves(root, file) and file.is_file()):
            kind, content = "link", os.fsencode(file.readlink())
        else:
            kind = "program" if os.access(file, os.X_OK) else "file"
            try:
                with file.open("rb") as stream:
                    content = _digest_stream(stream)
            except PermissionError as error:
                raise DocumentError(
                    f"cannot read {file}: {error.strerror}",
                    code="unreadable-source",
                    hints=("make it readable for you",),
                ) from error
        total.update(b"%s %s %d:" % (kind.encode(), os.fsencode(path), len(content)))
        total.update(content)
    return total.hexdigest()


def leaves(root: Path, link: Path) -> bool:
    """Whether a link points out of `root` (its content is then copied, since what it names may change)."""
    return not link.resolve().is_relative_to(root.resolve())


def _digest_stream(stream: object) -> bytes:
    found = hashlib.sha256()
    while block := stream.read(1 << 20):  # type: ignore[attr-defined]  # a binary file; typing.BinaryIO is not a protocol
        found.update(block)
    return found.digest()


def _tracked(root: Path) -> list[str]:
    return [
        path
        for path in _git_list(root, "--cached", "--recurse-submodules")
        if (root / path).is_file() or (root / path).is_symlink()
    ]


def _git_list(root: Path, *kinds: str) -> list[str]:
    listed = _git(root, "ls-files", "-z", *kinds, "--", ".")
    return [path for path in (listed or "").split("\0") if path]


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None where there is no git, no repository or an error."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            timeout=_GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def _why_without_git(root: Path) -> str:
    if not any((folder / ".git").exists() for folder in (root.resolve(), *root.resolve().parents)):
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "ls-files", "--cached", "--", "."],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip().splitlines()[0] if done.returncode and done.stderr.strip() else ""


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in _ENVIRONMENT_FOLDERS
            and not (here / name / "pyvenv.cfg").exists()
        ]
        for name in files:
            if (here / name).is_file() or (here / name).is_symlink():  # no sockets, no pipes
                yield (here / name).relative_to(root).as_posix()


def _included(root: Path, entry: str) -> set[str]:
    if not entry.strip() or Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise DocumentError(
            f"{entry!r} leaves the folder of the document: expected a path or pattern below it", where="include"
        )
    found = set()
    for match in root.glob(entry):
        for file in match.rglob("*") if match.is_dir() else [match]:
            if file.is_file():
                found.add(file.relative_to(root).as_posix())
    if not found:
        raise DocumentError(
            f"{entry!r} matches no file in {root}", where="include", hints=("correct the entry or remove it",)
        )
    return found


def _below(path: Path, folders: list[Path]) -> bool:
    absolute = path.parent.resolve() / path.name
    return any(absolute.is_relative_to(folder) for folder in folders)


def _name(root: Path, tracked: bool, total: str) -> str:
    if not tracked:
        return total[:12]
    tag = _git(root, "describe", "--tags", "--exact-match")
    commit = tag or _git(root, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return total[:12]
    dirty = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    name = slug(commit.strip())
    return f"{name[:48]}-dirty.{total[:8]}" if dirty else name
