"""The tables of the SQLite store, and how the file is opened."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from ospec.errors import OspecError

VERSION = 1
_LEAST_FREE_BYTES = 64 * 1024
"""SQLite needs this much to open the file at all."""

TABLES = """
CREATE TABLE runs (
  run TEXT PRIMARY KEY, service TEXT NOT NULL, environment TEXT NOT NULL, action TEXT NOT NULL,
  release TEXT NOT NULL, release_id TEXT NOT NULL, started_at REAL NOT NULL,
  finished_at REAL, outcome TEXT, exit_code INTEGER, last_seq INTEGER NOT NULL);
CREATE UNIQUE INDEX one_open_run ON runs (service, environment) WHERE outcome IS NULL;
CREATE INDEX runs_by_start ON runs (started_at DESC, run DESC);
CREATE INDEX runs_by_service ON runs (service, environment, started_at DESC, run DESC);
CREATE TABLE records (
  run TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run, seq)) WITHOUT ROWID;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX messages_by_run ON messages (run, id);
CREATE TABLE releases (
  service TEXT NOT NULL, environment TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
  put_at REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY (service, environment, id));
CREATE UNIQUE INDEX one_id_per_name ON releases (service, environment, name);
CREATE TABLE fences (
  service TEXT NOT NULL, environment TEXT NOT NULL, token INTEGER NOT NULL, PRIMARY KEY (service, environment));
CREATE TABLE timers (
  service TEXT NOT NULL, environment TEXT NOT NULL, slot TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (service, environment, slot));
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at `path` with mode 0600, making it where it is missing.

    WAL with synchronous=FULL: a committed record survives a power cut. Raises `OspecError` (``store-broken``) where the
    file cannot be used or comes from another version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # The engine's thread and the step's thread share the connection; `SqliteStore` holds a lock around it.
        connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            _make_tables(connection, path)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise broken(path, error) from error
    return connection


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) == 0:  # nobody was faster
            for statement in TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    found = _version(connection)
    if found != VERSION:
        raise OspecError(
            f"{path} has format {found}, this ospec reads format {VERSION}",
            code="store-broken",
            hints=("use the ospec version that wrote it, or set OSPEC_HOME to another folder",),
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _LEAST_FREE_BYTES
    except OSError:
        return False


def broken(path: Path, error: Exception) -> OspecError:
    """The error of a database that does not answer: a full disk, missing rights, a damaged file."""
    if "full" in str(error).lower() or _is_full(path.parent):  # SQLite calls some full disks an I/O error
        return OspecError(
            f"no space left for the journal {path}",
            code="disk-full",
            hints=("free space on that disk, then run: ospec resume",),
        )
    return OspecError(
        f"cannot use the journal {path}: {error}",
        code="store-broken",
        hints=(f"make {path.parent} readable and writable for you, or set OSPEC_HOME to a folder that is",),
    )
