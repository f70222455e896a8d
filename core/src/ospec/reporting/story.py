"""What a run did, step by step: the bars of the timeline, the words of its head, what people ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from ospec.engine.journal import RunState
from ospec.errors import ExitCode
from ospec.models.run import Record, StepReport
from ospec.reporting import words
from ospec.reporting.axes import TimeAxis
from ospec.reporting.words import STATUSES, Word, word

MOST_STEPS = 500
MOST_LINES = 40
MOST_RESULTS = 60
MOST_ORDERS = 200


@frozen
class Bar:
    """A place on the time axis, in per cent of its width."""

    x: float
    width: float


@frozen
class StepRow:
    """One step of the timeline."""

    id: str
    kind: str
    title: str
    word: Word
    bar: Bar
    at: float
    seconds: float
    results: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    """What was told while it ran."""
    lines_left_out: int
    error: Mapping[str, Any] | None
    returning: bool
    """A step of the way back."""


@frozen
class Order:
    """A person's word to the running run."""

    at: float
    order: str
    step: str


@frozen
class Head:
    """The run in a few words."""

    word: Word
    sentence: str
    error: Mapping[str, Any] | None
    hints: tuple[str, ...]


def time_axis(records: Sequence[Record], state: RunState) -> TimeAxis:
    """From the first record to the last."""
    begin = records[0].at
    return TimeAxis(begin, max(state.last_at, begin))


def step_rows(state: RunState, axis: TimeAxis) -> list[StepRow]:
    """The steps that began, in order; a step that did not end reaches to the last record."""
    back = {step["id"] for step in state.started["plan"]["failure_steps"]}
    return [_row(state, step, step.id in back, axis) for step in list(state.steps.values())[:MOST_STEPS]]


def _row(state: RunState, step: StepReport, returning: bool, axis: TimeAxis) -> StepRow:
    seconds = step.seconds if step.status != "running" else max(0.0, axis.end - step.started_at)
    lines = [words.value(str(note["line"])) for note in state.notes.get(step.id, ()) if "line" in note]
    half = MOST_LINES // 2
    return StepRow(
        id=step.id,
        kind=step.kind,
        title=step.title,
        word=word(STATUSES, step.status),
        bar=bar(step.started_at, seconds, axis),
        at=step.started_at,
        seconds=seconds,
        results=tuple((name, words.value(value)) for name, value in list(step.result.items())[:MOST_RESULTS]),
        lines=tuple(lines if len(lines) <= MOST_LINES else [*lines[:half], "…", *lines[-half:]]),
        lines_left_out=max(0, len(lines) - MOST_LINES),
        error=step.error,
        returning=returning,
    )


def bar(begin: float, seconds: float, axis: TimeAxis) -> Bar:
    """Where something stands that took so long."""
    x = axis.share(begin)
    return Bar(x, round(axis.share(begin + seconds) - x, 3))


def orders(records: Sequence[Record]) -> list[Order]:
    """What people ordered, and an abort, whoever asked for it."""
    found = []
    now = ""
    for record in records:
        if record.kind == "step-started":
            now = record.body["step"]
        elif record.kind == "order":
            full = " --full" if record.body.get("full") else ""
            found.append(Order(record.at, f"{record.body['order']}{full}", record.body.get("step", now)))
        elif record.kind == "path-changed" and record.body["aborted"]:
            found.append(Order(record.at, "abort", now))
    return found[:MOST_ORDERS]


def head(report: Mapping[str, Any], state: RunState) -> Head:
    """Outcome and reason, and what to do next where there is something."""
    error = report["error"]
    said = words.outcome_word(report["outcome"])
    if error:
        hints = tuple(error.get("hints", ()))
    elif report["outcome"] is None:
        run = report["run"]
        hints = (f"go on with it: ospec resume {run}", f"or return to the previous release: ospec abort {run}")
    else:
        hints = ()
    return Head(said, _sentence(report, state), error, hints)


def _sentence(report: Mapping[str, Any], state: RunState) -> str:
    release, before = report["release"], report["previous_release"]
    outcome, code = report["outcome"], report["exit_code"]
    if outcome is None:
        now = [step.title for step in state.steps.values() if step.status == "running"]
        doing = f"; it was about to: {now[-1]}" if now else ""
        return f"The journal of {release} ends in the middle{doing}."
    if outcome == "promoted":
        return f"{release} serves." if before in (None, release) else f"{release} serves; before, {before} did."
    if outcome == "unchanged":
        return f"{release} served already; there was nothing to do."
    if code == ExitCode.NOT_RESTORED:
        return f"{release} failed and what was before is not restored: a person is needed."
    stays = f"{before} serves." if before else "Nothing served before it."
    why = {"restored": "was sent back", "aborted": "was aborted", "failed": "failed before it reached users"}
    return f"{release} {why.get(outcome, f'ended as {outcome}')}. {stays}"
