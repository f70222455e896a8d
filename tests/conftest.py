"""A second store, in memory, which holds the store protocol to what it says rather than to what SQLite does."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.errors import FatalError, RefusedError
from ospec.models.run import ControlMessage, Record, RunHeader, open_run_refused


class MemoryLease:
    """A lease that ends when it is released."""

    def __init__(self, token: int, release: Callable[[], None]) -> None:
        self.token, self._release = token, release

    def release(self) -> None:
        self._release()


class MemoryStore:
    """`ospec.models.registration.Store` in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tokens = itertools.count(1)
        self._held: dict[tuple[str, str], MemoryLease] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._headers: dict[str, RunHeader] = {}
        self._records: dict[str, list[Record]] = {}
        self._messages: list[ControlMessage] = []
        self._message_ids = itertools.count(1)
        self._releases: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
        self._timers: dict[tuple[str, str], dict[str, float]] = {}

    def acquire(self, service: str, environment: str) -> MemoryLease | None:
        key = (service, environment)
        with self._lock:
            if key in self._held:
                return None
            self._last[key] = next(self._tokens)
            self._held[key] = MemoryLease(self._last[key], lambda: self._let_go(key))
            return self._held[key]

    def _let_go(self, key: tuple[str, str]) -> None:
        self._held.pop(key, None)

    def owner(self, service: str, environment: str) -> Mapping[str, Any] | None:
        return {"pid": 1, "host": "here"} if (service, environment) in self._held else None

    def open_run(self, header: RunHeader, body: Mapping[str, Any], lease: Any) -> Record:
        with self._lock:
            self._fence((header.service, header.environment), lease)
            opened = self.open_header(header.service, header.environment)
            if opened:
                raise open_run_refused(opened)
            self._headers[header.run] = header
            self._records[header.run] = []
            return self._append(header.run, 0, "run-started", body)

    def append(self, run: str, expected_seq: int, kind: str, body: Mapping[str, Any], lease: Any) -> Record:
        with self._lock:
            header = self.header(run)
            self._fence((header.service, header.environment), lease)
            return self._append(run, expected_seq, kind, body)

    def close_run(
        self, run: str, expected_seq: int, outcome: Any, exit_code: int, body: Mapping[str, Any], lease: Any
    ) -> Record:
        with self._lock:
            record = self.append(run, expected_seq, "run-finished", body, lease)
            ended = evolve(self._headers[run], finished_at=record.at, outcome=outcome, exit_code=exit_code)
            self._headers[run] = ended
            self._messages = [one for one in self._messages if one.run != run]
            return record

    def _append(self, run: str, expected_seq: int, kind: str, body: Mapping[str, Any]) -> Record:
        if len(self._records[run]) != expected_seq or self._headers[run].outcome:
            raise FatalError("written by another", code="wrong-sequence")
        record = Record(expected_seq + 1, time.time(), kind, body)
        self._records[run].append(record)
        return record

    def _fence(self, key: tuple[str, str], lease: Any) -> None:
        if self._last.get(key) != lease.token:
            raise FatalError("taken over", code="stale-writer")

    def records(self, run: str, after: int = 0) -> list[Record]:
        return [record for record in self._records.get(run, []) if record.seq > after]

    def header(self, run: str) -> RunHeader:
        found = [name for name in self._headers if name.startswith(run)]
        if run in found:
            found = [run]
        if len(found) != 1:
            raise RefusedError(f"there is no run {run!r}", code="unknown-run")
        return self._headers[found[0]]

    def runs(self, service: str | None = None, environment: str | None = None, limit: int = 50) -> list[RunHeader]:
        chosen = [
            one
            for one in self._headers.values()
            if service in (None, one.service) and environment in (None, one.environment)
        ]
        return sorted(chosen, key=lambda one: (one.started_at, one.run), reverse=True)[:limit]

    def open_header(self, service: str, environment: str) -> RunHeader | None:
        return next((one for one in self.runs(service, environment) if one.outcome is None), None)

    def forget_runs(self, before: float, keep: int) -> int:
        doomed = [one.run for one in self.runs(limit=10**9)[keep:] if one.outcome and one.started_at < before]
        for run in doomed:
            del self._headers[run], self._records[run]
        return len(doomed)

    def put_release(self, release: Mapping[str, Any]) -> None:
        made = release["release"]
        known = self._releases.setdefault((made["service"], made["environment"]), {})
        if any(one["release"]["name"] == made["name"] for key, one in known.items() if key != made["id"]):
            raise RefusedError("exists with other content", code="release-name-taken")
        known.pop(made["id"], None)
        known[made["id"]] = release

    def releases(self, service: str, environment: str) -> list[Mapping[str, Any]]:
        return list(reversed(self._releases.get((service, environment), {}).values()))

    def drop_release(self, service: str, environment: str, release_id: str) -> None:
        self._releases.get((service, environment), {}).pop(release_id, None)

    def send(self, run: str, kind: Any, body: Mapping[str, Any]) -> ControlMessage:
        message = ControlMessage(next(self._message_ids), run, kind, body, time.time())
        self._messages.append(message)
        return message

    def messages(self, run: str, after: int = 0) -> list[ControlMessage]:
        return [one for one in self._messages if one.run == run and one.id > after]

    def set_timer(self, service: str, environment: str, slot: str, at: float | None) -> None:
        timers = self._timers.setdefault((service, environment), {})
        timers.pop(slot, None)
        if at is not None:
            timers[slot] = at

    def timers(self, service: str, environment: str) -> Mapping[str, float]:
        return dict(self._timers.get((service, environment), {}))

    def close(self) -> None:
        pass


@pytest.fixture
def memory_store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Any:
    from ospec.stores.sqlite import open_sqlite

    store = open_sqlite(tmp_path / "state", {})
    yield store
    store.close()
