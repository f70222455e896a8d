"""What a release is made of: the files of the working tree, their digest, and the name git gives them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from ospec.errors import DocumentError
from ospec.naming import slug
from ospec.steps.tree import Entry, Tree, digest_of

_GIT_SECONDS = 30.0
_MOST_NAMED = 5


@frozen
class Source:
    """The files of one service, ready to be copied into a snapshot."""

    root: Path
    entries: tuple[Entry, ...]
    """Sorted by path."""
    digest: str
    """SHA-256 over paths, kinds, executable bits and contents."""
    suggested_name: str
    """From git (tag or short commit, with the digest where the tree is dirty), or the digest."""
    untracked: tuple[str, ...] = ()
    """Files that git neither tracks nor ignores: left out of the release."""
    without_git: str = ""
    """Why git was not asked although this is a checkout; every visible file is taken then."""
    notes: tuple[str, ...] = ()
    """What a person would not expect of the release's content."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the entries: relative, with ``/``, sorted."""
        return tuple(one.path for one in self.entries)


def read_source(root: Path, include: Sequence[str] = (), leave_out: Iterable[Path] = ()) -> Source:
    """List and digest what a release of `root` is made of.

    With git: the working-tree content of tracked files. Without (or where nothing is tracked): every file but those in
    hidden folders, virtual environments and caches. `include` adds files, folders or glob patterns that git does not
    track. A link that stays inside is kept; one that leads out is replaced by what it leads to.

    Args:
        leave_out: folders that are never part of a release (the state folder).

    Raises:
        DocumentError: an `include` entry matches nothing or leaves `root`; a link leads to a folder that it is a part
            of (``link-cycle``); something cannot be read.
    """
    excluded = list(leave_out)
    tree, tracked = _listed(root, include, excluded)
    entries = tuple(tree.entries[path] for path in sorted(tree.entries))
    total = digest_of(entries)
    untracked = _untracked(root, tree, excluded) if tracked else ()
    without_git = "" if tracked else _why_without_git(root)
    return Source(root, entries, total, _name(root, tracked, total), untracked, without_git, tuple(_notes(tree)))


def source_paths(root: Path, include: Sequence[str] = (), leave_out: Iterable[Path] = ()) -> frozenset[str]:
    """The paths of `read_source`, without a look into the files."""
    return frozenset(_listed(root, include, list(leave_out))[0].entries)


def _listed(root: Path, include: Sequence[str], leave_out: list[Path]) -> tuple[Tree, bool]:
    tree, tracked = Tree(root, leave_out), _tracked(root)
    if tracked:
        for path in tracked:
            tree.add(path)
    else:
        tree.add_folder()
    for entry in include:
        _include(root, entry, tree)
    return tree, bool(tracked)


def _notes(tree: Tree) -> Iterator[str]:
    if tree.left_out:
        shown = ", ".join(_shown(path) for path in tree.left_out[:_MOST_NAMED])
        more = ", …" if len(tree.left_out) > _MOST_NAMED else ""
        yield f"left out of the release: {shown}{more} (hidden folders, environments and caches; include adds them)"
    for path, to in tree.nowhere():
        yield f"the link {_shown(path)} leads to {_shown(to)}, which is not in the release (a build may make it)"
    for path, (files, size) in tree.replaced.items():
        yield f"the link {_shown(path)} leads out: its content is in the release ({files} files, {size / 1e6:.1f} MB)"


def _shown(path: str) -> str:
    """A name as text that can be printed and stored, whatever bytes it is of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _untracked(root: Path, tree: Tree, leave_out: list[Path]) -> tuple[str, ...]:
    folders = [folder.resolve() for folder in leave_out]
    found = sorted(_git_list(root, "--others", "--exclude-standard"))
    return tuple(path for path in found if path not in tree.entries and not _below(root / path, folders))


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


def _include(root: Path, entry: str, tree: Tree) -> None:
    """Add what an `include` entry matches; raises `DocumentError` where that is nothing."""
    if not entry.strip() or Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise DocumentError(
            f"{entry!r} leaves the folder of the document: expected a path or pattern below it", where="include"
        )
    found = False
    folders: list[Path] = []
    for match in [root] if Path(entry) == Path() else sorted(root.glob(entry)):
        if ".git" in match.relative_to(root).parts or any(match.is_relative_to(folder) for folder in folders):
            continue
        for path in _without_links(root, match):
            name = path.relative_to(root).as_posix()
            if path.is_dir() and not path.is_symlink():
                folders.append(path)
                tree.add_folder("" if path == root else name, everything=True)
                found = found or any(path == root or one.startswith(f"{name}/") for one in tree.entries)
            else:
                tree.add(name)
                found = True
    if not found:
        raise DocumentError(
            f"{entry!r} matches no file in {root}", where="include", hints=("correct the entry or remove it",)
        )


def _without_links(root: Path, match: Path) -> Iterator[Path]:
    """A match, or the link on its way, with the place inside that it leads to: nothing can stand below a link."""
    way = [*reversed([one for one in match.parents if one.is_relative_to(root) and one != root]), match]
    link = next((one for one in way if one.is_symlink()), None)
    yield link or match
    real = Path(os.path.realpath(match))
    if link is not None and real != Path(os.path.realpath(root)) and real.is_relative_to(os.path.realpath(root)):
        yield root / real.relative_to(os.path.realpath(root))


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
