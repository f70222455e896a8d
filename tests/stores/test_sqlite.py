"""What SQLite and flock add: files with the right mode, a lock that dies with its process, clear errors."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ospec.errors import OspecError
from ospec.models.run import RunHeader
from ospec.stores.sqlite import open_sqlite

HOLDER = """
import sys, pathlib
from ospec.stores.sqlite import open_sqlite
lease = open_sqlite(pathlib.Path(sys.argv[1]), {}).acquire("shop", "default")
print("held" if lease else "refused", flush=True)
sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        store = open_sqlite(tmp_path, {})
        assert store.acquire("shop", "default") is None
        owner = store.owner("shop", "default")
        assert owner is not None
        assert owner["pid"] == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        lease = store.acquire("shop", "default")
        assert lease is not None
        lease.release()
        store.close()


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "state", {})
    lease = store.acquire("shop", "default")
    assert lease is not None
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()}
    assert {mode for name, mode in modes.items() if not name.endswith(("-wal", "-shm"))} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    lease.release()
    store.close()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    open_sqlite(tmp_path, {}).close()
    other = sqlite3.connect(tmp_path / "journal.sqlite")
    other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(OspecError) as caught:
        open_sqlite(tmp_path, {})
    assert "format 99" in caught.value.message


def test_a_file_that_is_no_database_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(os.urandom(4096))
    with pytest.raises(OspecError) as caught:
        open_sqlite(tmp_path, {})
    assert caught.value.code == "store-broken"
    assert caught.value.hints


def test_a_record_survives_the_process_that_wrote_it(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path, {})
    lease = store.acquire("shop", "default")
    assert lease is not None
    header = RunHeader("r1", "shop", "default", "deploy", "v1", "1", 1.0)
    store.open_run(header, {"number": 1}, lease)
    again = open_sqlite(tmp_path, {})
    assert again.records("r1")[0].body == {"number": 1}
    again.close()
    lease.release()
    store.close()
