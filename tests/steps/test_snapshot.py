"""Sealing: a release is read-only, and nothing outside of it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ospec.steps.snapshot import remove_tree, seal, sealed_marker


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def sealed(tmp_path: Path) -> Any:
    """Seals a folder as the step does."""

    def run(files: Path) -> None:
        unit = SimpleNamespace(files=files)
        release = SimpleNamespace(id="1")
        seal(SimpleNamespace(unit=lambda role: unit, plan=SimpleNamespace(release=release)))

    yield run
    remove_tree(tmp_path / "files")


def test_what_a_build_hard_linked_is_copied_and_left_as_it_was(tmp_path: Path, sealed: Any) -> None:
    files, cache = tmp_path / "files", tmp_path / "cache"
    (files / "deep").mkdir(parents=True)
    cache.write_text("cached")
    cache.chmod(0o755)
    for name in ("one", "deep/two"):
        os.link(cache, files / name)
    (files / "own").write_text("own")
    os.link(files / "own", files / "deep" / "same")
    sealed(files)
    assert mode(cache) == 0o755
    assert (mode(files / "one"), mode(files / "own"), mode(files)) == (0o555, 0o444, mode(files) & ~0o222)
    cache.write_text("changed")
    assert (files / "one").read_text() == (files / "deep" / "two").read_text() == "cached"
    assert sorted(str(path.relative_to(files)) for path in files.rglob("*")) == [
        "deep", "deep/same", "deep/two", "one", "own",
    ]  # fmt: skip
    assert (files / "own").samefile(files / "deep" / "same"), "what is linked in here alone stays so"
    assert (files / "one").samefile(files / "deep" / "two")
    assert sealed_marker(files).read_text() == "1\n"
