"""The journal of one run: what is appended, and the state that is folded from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import Factory, define

from ospec.errors import OspecError
from ospec.models.registration import Lease, Store
from ospec.models.run import Outcome, Record, RunHeader, StepReport

_LONGEST_MESSAGE = 20_000


class Journal:
    """Appends the records of one run durably, in order, and tells each to `tell`. Safe to use from several threads."""

    def __init__(self, store: Store, lease: Lease, run: str, seq: int, tell: Callable[[Record], None]) -> None:
        self.run = run
        self._store, self._lease, self._seq, self._tell = store, lease, seq, tell
        self._lock = threading.Lock()

    @classmethod
    def start(
        cls, store: Store, lease: Lease, header: RunHeader, body: Mapping[str, Any], tell: Callable[[Record], None]
    ) -> Journal:
        """Open the run; raises `RefusedError` (``open-run``) where another one is open."""
        record = store.open_run(header, body, lease)
        tell(record)
        return cls(store, lease, header.run, record.seq, tell)

    def append(self, record_kind: str, **body: Any) -> None:
        """Append one record; it is durable when this returns."""
        with self._lock:
            record = self._store.append(self.run, self._seq, record_kind, body, self._lease)
            self._seq = record.seq
        self._tell(record)

    def close(self, outcome: Outcome, exit_code: int, **body: Any) -> None:
        """Append ``run-finished`` and close the run."""
        body = {"outcome": outcome, "exit_code": exit_code, **body}
        with self._lock:
            record = self._store.close_run(self.run, self._seq, outcome, exit_code, body, self._lease)
            self._seq = record.seq
        self._tell(record)


@define
class RunState:
    """A run as its records tell it."""

    started: Mapping[str, Any] = Factory(dict)
    """Body of ``run-started``: plan, action and whatever the flow put there."""
    steps: dict[str, StepReport] = Factory(dict)
    """By step id, in the order they began."""
    notes: dict[str, list[Mapping[str, Any]]] = Factory(dict)
    """By step id; notes of all tries."""
    failing: bool = False
    """On the failure path."""
    aborted: bool = False
    paused: bool = False
    """A person ordered to go no further."""
    passed: set[str] = Factory(set)
    """Steps that a person ordered to go on from (`ospec promote`)."""
    passed_all: bool = False
    """A person ordered to go on to all traffic without waiting (`ospec promote --full`)."""
    last_order: int = 0
    error: Mapping[str, Any] | None = None
    """What sent the run to its failure path."""
    evidence: dict[str, Mapping[str, Any]] = Factory(dict)
    """The last evidence of each process that executed the run, by its fencing token."""
    spans: list[Mapping[str, Any]] = Factory(list)
    finished: Mapping[str, Any] | None = None
    last_seq: int = 0
    last_at: float = 0.0

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self.started["run"])

    @property
    def promoted(self) -> bool:
        """Whether it ended with its release serving."""
        return self.finished is not None and self.finished["outcome"] in ("promoted", "unchanged")

    def done(self, step_id: str) -> bool:
        """Whether a step needs no further try."""
        report = self.steps.get(step_id)
        return report is not None and report.status in ("ok", "warned", "skipped")

    def take(self, record: Record) -> None:
        """Fold one more record in; kinds that are not known are skipped."""
        body = record.body
        self.last_seq, self.last_at = record.seq, record.at
        if record.kind == "run-started":
            self.started = body
        elif record.kind == "step-started":
            self.steps[body["step"]] = StepReport(body["step"], body["kind"], body["title"], "running", record.at)
        elif record.kind == "step-note":
            self.notes.setdefault(body["step"], []).append(body["note"])
        elif record.kind == "step-finished":
            self._finish(record)
        elif record.kind == "order":
            self._obey(body)
        elif record.kind == "path-changed":
            self.failing, self.aborted, self.error = True, body["aborted"], body["error"]
        elif record.kind == "run-finished":
            self.finished = body
            self._keep(body)

    def _obey(self, body: Mapping[str, Any]) -> None:
        self.last_order = body["id"]
        self.paused = body["order"] == "pause"
        if body["order"] == "promote":
            self.passed.add(body["step"])
            self.passed_all = self.passed_all or body["full"]

    def _finish(self, record: Record) -> None:
        body = record.body
        begun = self.steps.get(body["step"])
        started_at = begun.started_at if begun else record.at
        self.steps[body["step"]] = StepReport(
            body["step"],
            body["kind"],
            body["title"],
            body["status"],
            started_at,
            max(0.0, record.at - started_at),
            body.get("result") or {},
            body.get("error"),
        )
        self._keep(body)

    def _keep(self, body: Mapping[str, Any]) -> None:
        if body.get("evidence"):
            self.evidence[str(body["evidence"]["owner"])] = body["evidence"]
        self.spans.extend(body.get("spans", ()))


def fold(records: Iterable[Record]) -> RunState:
    """The state that the records lead to."""
    state = RunState()
    for record in records:
        state.take(record)
    return state


def error_json(error: OspecError) -> Mapping[str, Any]:
    """An error as the journal and `--json` show it."""
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}… ({len(error.message)} characters)"
    return {"code": error.code, "message": message, "where": error.where, "hints": list(error.hints)}


def new_run_id(at: float, random: bytes) -> str:
    """An id that sorts by time: ``20260131-235959-7f3a21`` (UTC, then random bytes)."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(at)) + random.hex()
