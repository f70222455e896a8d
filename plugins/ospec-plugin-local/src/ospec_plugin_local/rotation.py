"""Keeping logs short: copied away and emptied in place, since whoever writes keeps them open. Standard library only."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def rotate(folder: Path, most_bytes: int, files: int) -> None:
    """Start every log of `folder` anew that is longer than `most_bytes`; keep `files` older ones (``.log.1``…)."""
    for path in folder.glob("*.log"):
        with contextlib.suppress(OSError):  # the disk is full, or the log went meanwhile: the next tick tries again
            if path.stat().st_size > most_bytes:
                _start_anew(path, files)


def _start_anew(path: Path, files: int) -> None:
    for number in range(files - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    if files > 0:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
