"""The journal of one execution: records as they are appended, and the run folded from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from ospec.errors import RefusedError

Outcome = Literal["promoted", "unchanged", "restored", "failed", "refused", "waiting", "aborted"]
StepStatus = Literal["running", "ok", "warned", "failed", "skipped", "cancelled"]


@frozen
class Record:
    """One journal record. `seq` counts from 1 without gaps; `body` is JSON and holds no secret value.

    Kinds: ``run-started``, ``step-started``, ``step-note``, ``step-finished``, ``order`` (a person's),
    ``path-changed``, ``run-finished``. A reader skips kinds it does not know.
    """

    seq: int
    at: float
    """Unix seconds."""
    kind: str
    body: Mapping[str, Any]


@frozen
class RunHeader:
    """What the store lists of a run without reading its records."""

    run: str
    service: str
    environment: str
    action: str
    release: str
    release_id: str
    started_at: float
    finished_at: float | None = None
    outcome: Outcome | None = None
    """None while the run is open."""
    exit_code: int | None = None


@frozen
class StepReport:
    """How one step went, folded from its records."""

    id: str
    kind: str
    title: str
    status: StepStatus
    started_at: float
    seconds: float = 0.0
    result: Mapping[str, Any] = field(factory=dict)
    error: Mapping[str, Any] | None = None


@frozen
class ControlMessage:
    """A word from another process to the one that executes a run."""

    id: int
    run: str
    kind: Literal["abort", "pause", "promote"]
    body: Mapping[str, Any]
    at: float


def open_run_refused(opened: RunHeader) -> RefusedError:
    """The refusal of a second run of one service and environment, with every way on."""
    return RefusedError(
        f"run {opened.run} of {opened.service} in {opened.environment} is still open",
        code="open-run",
        hints=(
            f"look at it: ospec show {opened.run}",
            f"go on with it: ospec resume {opened.run}",
            f"end it and return to the previous release: ospec abort {opened.run}",
            "end it first, then start this one: add --supersede",
        ),
    )
