"""Step kinds `snapshot` and `seal`: a release is the code as it was when it was deployed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ospec.errors import FatalError
from ospec.models.registration import StepRun
from ospec.steps.source import read_source
from ospec.steps.tree import Entry, digest_of, entries_of


def take_snapshot(run: StepRun) -> Mapping[str, Any]:
    """Copy the source into the release's folder; refuse it where it is not the source that was planned."""
    files = run.unit("candidate").files
    source = read_source(run.root, run.plan.target.include, leave_out=[run.home])
    wanted = run.plan.release.artifact.source_digest
    if source.digest != wanted:
        raise _changed()
    remove_tree(files)
    remove_tree(sealed_marker(files))
    try:
        for entry in source.entries:
            run.check()
            _copy(entry, files / entry.path)
        files.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise _changed() from error
    except OSError as error:
        raise cannot_write(files, error) from error
    if digest_of(entries_of(files, source.paths)) != wanted:
        raise _changed()
    if source.without_git:
        run.log(f"git does not answer, so every visible file is a part of the release: {source.without_git}")
    if source.untracked:
        names = [os.fsencode(name).decode("utf-8", "backslashreplace") for name in source.untracked[:5]]
        shown = ", ".join(names) + (", …" if len(source.untracked) > 5 else "")
        run.log(f"left out {len(source.untracked)} files that git does not track: {shown} (add them, or use include)")
    return {"files": len(source.paths)}


def seal(run: StepRun) -> Mapping[str, Any]:
    """Make the snapshot read-only and mark it as built: it is what every instance of this release runs, for good."""
    files = run.unit("candidate").files
    count = 0
    try:
        _own_what_is_shared(files)
        for folder, _, names in os.walk(files, topdown=False):
            for name in names:
                file = Path(folder) / name
                if not file.is_symlink():
                    file.chmod(stat.S_IMODE(file.stat().st_mode) & ~0o222)
                    count += 1
            Path(folder).chmod(stat.S_IMODE(Path(folder).stat().st_mode) & ~0o222)
        sealed_marker(files).write_text(run.plan.release.id + "\n")
    except OSError as error:
        raise cannot_write(files, error) from error
    return {"files": count}


def _own_what_is_shared(files: Path) -> None:
    """Give the snapshot copies of its own of what a build hard-linked into it, out of a package cache, say.

    Else sealing would change the mode of files outside, and a change out there would change the release.
    """
    shared: dict[tuple[int, int], list[Path]] = {}
    for folder, _, names in os.walk(files):
        for name in names:
            about = (Path(folder) / name).lstat()
            if stat.S_ISREG(about.st_mode) and about.st_nlink > 1:
                shared.setdefault((about.st_dev, about.st_ino), []).append(Path(folder) / name)
    for places in shared.values():
        first = places[0]
        if first.stat().st_nlink == len(places):  # all of them are in here
            continue
        for place in places:
            own = place.with_name(f".{place.name}.ospec")  # renamed once it is whole: a crash loses no file
            own.unlink(missing_ok=True)
            if place == first:
                shutil.copy2(first, own)
            else:
                os.link(first, own)
            own.replace(place)


def sealed_marker(files: Path) -> Path:
    """The file beside a snapshot that says it is complete, built and tested."""
    return files.with_name(files.name + ".sealed")


def remove_tree(path: Path) -> None:
    """Remove a snapshot (read-only as it is) or a file; nothing where nothing is."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> FatalError:
    """The error of a file that cannot be written."""
    return FatalError(
        f"cannot write {path}: {error.strerror or error}",
        code="disk-full" if error.errno in (28, 122) else "cannot-write",
        hints=(f"free space on the disk of {path.parent}, or set OSPEC_HOME to a folder with more",),
    )


def _copy(entry: Entry, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if entry.kind == "link":
        to.symlink_to(entry.to)
    else:
        shutil.copy(entry.file, to)


def _changed() -> FatalError:
    return FatalError(
        "the files changed between planning and copying them",
        code="source-changed",
        hints=("run the same command again once nothing writes to the folder",),
    )
