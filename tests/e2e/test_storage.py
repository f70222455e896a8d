"""A full disk and a read-only state folder: a clear error, the release that serves goes on serving, and a way on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ospec.testing.load import Load

FILL = """\
import os, sys
with open(sys.argv[1], "wb", buffering=0) as filler:
    for size in (1 << 16, 1 << 10, 1):
        try:
            while True:
                filler.write(bytes(size))
        except OSError:
            pass
"""


def mount(*arguments: str) -> None:
    """Mount something, or skip the test where that is not permitted."""
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only root on Linux can mount a small or read-only file system")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is not permitted here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def full(small_disk: Path, shops: Callable[..., Any]) -> Iterator[Any]:
    """A service with its state on a small disk and a release that serves; `FILL` lies beside its code."""
    shop = shops()
    shop.variables["OSPEC_HOME"] = str(small_disk / "state")
    (shop.folder / "fill.py").write_text(FILL)
    shop.deploy("v1")
    yield shop
    filler = small_disk / "filler"
    if filler.is_file():
        filler.unlink()


def test_a_disk_that_is_full_before_the_deploy(full: Any, small_disk: Path) -> None:
    filler = small_disk / "filler"
    with Load(full.url + "/", rate=50) as load:
        subprocess.run([sys.executable, str(full.folder / "fill.py"), str(filler)], check=True)
        report = full.deploy("v2", code=1)
        assert report["error"]["code"] == "disk-full", report["error"]
        assert any("space" in hint or "room" in hint for hint in report["error"]["hints"])
        assert full.ask() == (200, "v1")
        filler.unlink()
        full.ospec("resume", "--yes")
        full.deploy("v2")
    assert load.stop().failed == 0
    full.serves("v2")


def test_a_disk_that_fills_during_the_deploy(full: Any, small_disk: Path) -> None:
    filler = small_disk / "filler"
    (full.folder / "more.txt").write_text("another release\n")
    full.write(scripts=f'test = "{sys.executable} fill.py {filler}"')
    with Load(full.url + "/", rate=50) as load:
        report = full.ospec("run", "deploy", "--release", "v2", "--yes", code=3)
        assert report["error"]["code"] == "disk-full"
        assert any("ospec resume" in hint for hint in report["error"]["hints"])
        assert full.ask() == (200, "v1")
        filler.unlink()
        (small_disk / "filler").mkdir()  # the script may run again, and has nothing to fill
        assert full.ospec("abort")["outcome"] == "aborted"
    assert load.stop().failed == 0
    full.serves("v1")


def test_a_state_folder_that_cannot_be_written(shop: Any) -> None:
    shop.deploy("v1")
    home = str(shop.home)
    mount("--bind", home, home)
    try:
        mount("-o", "remount,bind,ro", home)
        with Load(shop.url + "/", rate=50) as load:
            report = shop.deploy("v2", code=1)
        assert report["error"]["code"] in ("store-broken", "state-not-writable")
        assert any("writ" in hint for hint in report["error"]["hints"])
        assert load.stop().failed == 0
    finally:
        subprocess.run(["umount", "-l", home], check=True)
    shop.serves("v1")
    shop.deploy("v2")


def test_a_first_deploy_into_a_read_only_folder(shop: Any) -> None:
    folder = str(shop.folder)
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        report = shop.ospec("run", "deploy", "--release", "v1", "--yes", code=1)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
    assert report["error"]["code"] == "store-broken"
    assert any("OSPEC_HOME" in hint for hint in report["error"]["hints"])
    assert shop.processes() == []
