"""The crash driver dies exactly where it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ospec.stores.sqlite import open_sqlite

WRITER = """
import sys
from pathlib import Path
from ospec.models.run import RunHeader
from ospec.stores.sqlite import SqliteStore
from ospec.testing.crash import kill_at
kill_at(SqliteStore, int(sys.argv[2]), after=sys.argv[3] == "after")
store = SqliteStore(Path(sys.argv[1]))
lease = store.acquire("shop", "production")
store.open_run(RunHeader("run-1", "shop", "production", "deploy", "v1", "1", 1.0), {}, lease)
store.append("run-1", 1, "step-started", {}, lease)
store.append("run-1", 2, "step-finished", {}, lease)
store.close_run("run-1", 3, "promoted", 0, {}, lease)
"""


@pytest.mark.parametrize("record", [1, 2, 3, 4])
@pytest.mark.parametrize("side", ["before", "after"])
def test_dies_at_one_side_of_one_record(tmp_path: Path, record: int, side: str) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), str(record), side], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    store = open_sqlite(tmp_path, {})
    try:
        left = [one.seq for one in store.records("run-1")]
        lease = store.acquire("shop", "production")
        assert lease is not None, "the lock outlived its owner"
        lease.release()
        ended = record == 4 and side == "after"
        assert (store.open_header("shop", "production") is None) == (ended or not left)
    finally:
        store.close()
    assert left == list(range(1, record + (side == "after")))


def test_lives_where_there_are_fewer_records(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "5", "before"], timeout=60, check=False)
    assert done.returncode == 0


def test_the_command_needs_a_side_and_a_record() -> None:
    for arguments in (["--", "history"], ["--after", "0", "--", "history"], ["--after", "1"]):
        command = [sys.executable, "-m", "ospec.testing.crash", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2, arguments
        assert "usage:" in done.stderr
