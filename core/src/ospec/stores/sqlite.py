"""The default store: one SQLite file for journals, releases, messages and timers, and one lock file per service.

JSON only; what somebody else wrote into the file cannot run code here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ospec.errors import FatalError, OspecError, RefusedError
from ospec.models.registration import Lease
from ospec.models.run import ControlMessage, Record, RunHeader, open_run_refused
from ospec.naming import canonical_json
from ospec.stores.lease import FileLease, acquire, owner
from ospec.stores.schema import broken, connect

_HEADER = "run, service, environment, action, release, release_id, started_at, finished_at, outcome, exit_code"
_LARGEST_BODY = 8 * 1024 * 1024


def open_sqlite(home: Path, settings: Mapping[str, Any]) -> SqliteStore:
    """Open the store in the state folder `home`. `settings` has no keys of its own."""
    return SqliteStore(home)


class SqliteStore:
    """`ospec.models.registration.Store` over SQLite. Safe to use from several threads and processes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / "journal.sqlite"
        self._connection = connect(self._path)
        self._lock = threading.RLock()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # -- locks ----------------------------------------------------------------------------------------------------

    def acquire(self, service: str, environment: str) -> FileLease | None:
        return acquire(self._lock_path(service, environment), lambda: self._next_token(service, environment))

    def owner(self, service: str, environment: str) -> Mapping[str, Any] | None:
        return owner(self._lock_path(service, environment))

    def _lock_path(self, service: str, environment: str) -> Path:
        # Environment names hold no dot (naming.SERVICE_NAME), so that two pairs never share a file.
        return self._home / f"{service}.{environment}.lock"

    def _next_token(self, service: str, environment: str) -> int:
        with self._transaction() as connection:
            row = connection.execute(
                "INSERT INTO fences VALUES (?, ?, 1) "
                "ON CONFLICT (service, environment) DO UPDATE SET token = token + 1 RETURNING token",
                (service, environment),
            ).fetchone()
            return int(row[0])

    # -- runs -----------------------------------------------------------------------------------------------------

    def open_run(self, header: RunHeader, body: Mapping[str, Any], lease: Lease) -> Record:
        with self._transaction() as connection:
            self._check_fence(connection, header.service, header.environment, lease)
            opened = self._open_header(connection, header.service, header.environment)
            if opened:
                raise open_run_refused(opened)
            connection.execute(
                f"INSERT INTO runs ({_HEADER}, last_seq) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, 0)",  # noqa: S608 - constant
                (
                    header.run,
                    header.service,
                    header.environment,
                    header.action,
                    header.release,
                    header.release_id,
                    header.started_at,
                ),
            )
            return self._append(connection, header.run, 0, "run-started", body)

    def append(self, run: str, expected_seq: int, kind: str, body: Mapping[str, Any], lease: Lease) -> Record:
        with self._transaction() as connection:
            self._check_writer(connection, run, lease)
            return self._append(connection, run, expected_seq, kind, body)

    def close_run(
        self, run: str, expected_seq: int, outcome: str, exit_code: int, body: Mapping[str, Any], lease: Lease
    ) -> Record:
        with self._transaction() as connection:
            self._check_writer(connection, run, lease)
            record = self._append(connection, run, expected_seq, "run-finished", body)
            connection.execute(
                "UPDATE runs SET finished_at = ?, outcome = ?, exit_code = ? WHERE run = ?",
                (record.at, outcome, exit_code, run),
            )
            connection.execute("DELETE FROM messages WHERE run = ?", (run,))
            return record

    def _append(
        self, connection: sqlite3.Connection, run: str, expected_seq: int, kind: str, body: Mapping[str, Any]
    ) -> Record:
        text = canonical_json(body)
        if len(text) > _LARGEST_BODY:
            raise FatalError(f"a {kind} record of {len(text)} bytes is over {_LARGEST_BODY}", code="record-too-large")
        record = Record(expected_seq + 1, time.time(), kind, body)
        changed = connection.execute(
            "UPDATE runs SET last_seq = ? WHERE run = ? AND last_seq = ? AND outcome IS NULL",
            (record.seq, run, expected_seq),
        ).rowcount
        if not changed:
            raise FatalError(
                f"run {run} was written to by another process (expected record {expected_seq} to be its last)",
                code="wrong-sequence",
                hints=(f"look at it: ospec show {run}",),
            )
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", (run, record.seq, record.at, kind, text))
        return record

    def _check_writer(self, connection: sqlite3.Connection, run: str, lease: Lease) -> None:
        row = connection.execute("SELECT service, environment FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None:
            raise _unknown_run(run)
        self._check_fence(connection, row[0], row[1], lease)

    def _check_fence(self, connection: sqlite3.Connection, service: str, environment: str, lease: Lease) -> None:
        row = connection.execute(
            "SELECT token FROM fences WHERE service = ? AND environment = ?", (service, environment)
        ).fetchone()
        if row is None or row[0] != lease.token:
            raise FatalError(
                f"another process took over {service} in {environment}; this one may not write any more",
                code="stale-writer",
                hints=("look at the run that goes on: ospec history",),
            )

    def records(self, run: str, after: int = 0) -> list[Record]:
        rows = self._read(
            "SELECT seq, at, kind, body FROM records WHERE run = ? AND seq > ? ORDER BY seq", (run, after)
        )
        return [Record(seq, at, kind, _body(text)) for seq, at, kind, text in rows]

    def header(self, run: str) -> RunHeader:
        pattern = run.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        rows = self._read(
            f"SELECT {_HEADER} FROM runs WHERE run LIKE ? ESCAPE '\\' ORDER BY run LIMIT 2",  # noqa: S608 - constant
            (pattern,),
        )
        exact = [row for row in rows if row[0] == run]
        if not rows or (len(rows) > 1 and not exact):
            raise _unknown_run(run, ambiguous=bool(rows))
        return _header((exact or rows)[0])

    def runs(self, service: str | None = None, environment: str | None = None, limit: int = 50) -> list[RunHeader]:
        wanted = [(name, value) for name, value in (("service", service), ("environment", environment)) if value]
        where = " AND ".join(f"{name} = ?" for name, _ in wanted) or "1"
        rows = self._read(
            f"SELECT {_HEADER} FROM runs WHERE {where} ORDER BY started_at DESC, run DESC LIMIT ?",  # noqa: S608 - constants
            (*(value for _, value in wanted), limit),
        )
        return [_header(row) for row in rows]

    def open_header(self, service: str, environment: str) -> RunHeader | None:
        with self._lock:
            try:
                return self._open_header(self._connection, service, environment)
            except sqlite3.Error as error:
                raise broken(self._path, error) from error

    def _open_header(self, connection: sqlite3.Connection, service: str, environment: str) -> RunHeader | None:
        row = connection.execute(
            f"SELECT {_HEADER} FROM runs WHERE service = ? AND environment = ? AND outcome IS NULL",  # noqa: S608 - constant
            (service, environment),
        ).fetchone()
        return _header(row) if row else None

    def forget_runs(self, before: float, keep: int) -> int:
        with self._transaction() as connection:
            doomed = [
                row[0]
                for row in connection.execute(
                    "SELECT run FROM runs WHERE outcome IS NOT NULL AND started_at < ? AND run NOT IN "
                    "(SELECT run FROM runs ORDER BY started_at DESC LIMIT ?)",
                    (before, keep),
                )
            ]
            for run in doomed:
                connection.execute("DELETE FROM records WHERE run = ?", (run,))
                connection.execute("DELETE FROM runs WHERE run = ?", (run,))
            return len(doomed)

    # -- releases -------------------------------------------------------------------------------------------------

    def put_release(self, release: Mapping[str, Any]) -> None:
        made = release["release"]
        key = (made["service"], made["environment"])
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT id FROM releases WHERE service = ? AND environment = ? AND name = ?", (*key, made["name"])
            ).fetchone()
            if row and row[0] != made["id"]:
                raise RefusedError(
                    f"release {made['name']} of {key[0]} in {key[1]} exists with other content",
                    code="release-name-taken",
                    hints=("give it another name with --release",),
                )
            connection.execute(
                "INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (service, environment, id) "
                "DO UPDATE SET body = excluded.body, put_at = excluded.put_at",
                (*key, made["id"], made["name"], time.time(), canonical_json(release)),
            )

    def releases(self, service: str, environment: str) -> list[Mapping[str, Any]]:
        rows = self._read(
            "SELECT body FROM releases WHERE service = ? AND environment = ? ORDER BY put_at DESC",
            (service, environment),
        )
        return [_body(row[0]) for row in rows]

    def drop_release(self, service: str, environment: str, release_id: str) -> None:
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM releases WHERE service = ? AND environment = ? AND id = ?",
                (service, environment, release_id),
            )

    # -- messages and timers --------------------------------------------------------------------------------------

    def send(self, run: str, kind: str, body: Mapping[str, Any]) -> ControlMessage:
        with self._transaction() as connection:
            at = time.time()
            cursor = connection.execute(
                "INSERT INTO messages (run, kind, body, at) VALUES (?, ?, ?, ?)", (run, kind, canonical_json(body), at)
            )
            return _message((cursor.lastrowid, run, kind, canonical_json(body), at))

    def messages(self, run: str, after: int = 0) -> list[ControlMessage]:
        rows = self._read(
            "SELECT id, run, kind, body, at FROM messages WHERE run = ? AND id > ? ORDER BY id", (run, after)
        )
        return [_message(row) for row in rows]

    def set_timer(self, service: str, environment: str, slot: str, at: float | None) -> None:
        with self._transaction() as connection:
            if at is None:
                connection.execute(
                    "DELETE FROM timers WHERE service = ? AND environment = ? AND slot = ?",
                    (service, environment, slot),
                )
            else:
                connection.execute(
                    "INSERT INTO timers VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (service, environment, slot) DO UPDATE SET at = excluded.at",
                    (service, environment, slot, at),
                )

    def timers(self, service: str, environment: str) -> Mapping[str, float]:
        rows = self._read("SELECT slot, at FROM timers WHERE service = ? AND environment = ?", (service, environment))
        return dict(rows)

    # -- access ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction; a full disk or lost file becomes an `OspecError` and changes nothing."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise broken(self._path, error) from error

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise broken(self._path, error) from error


def _header(row: tuple[Any, ...]) -> RunHeader:
    return RunHeader(*row)


def _message(row: tuple[Any, ...]) -> ControlMessage:
    return ControlMessage(row[0], row[1], row[2], _body(row[3]), row[4])


def _body(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise OspecError("a record of the journal is not a JSON object: the file was damaged", code="store-broken")
    return body


def _unknown_run(run: str, ambiguous: bool = False) -> OspecError:
    return RefusedError(
        f"more than one run starts with {run!r}" if ambiguous else f"there is no run {run!r}",
        code="unknown-run",
        hints=("list the runs: ospec history",),
    )
