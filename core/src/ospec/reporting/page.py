"""The page of a run: one HTML text without any script, image or address that would be loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ospec.engine.journal import RunState, fold
from ospec.engine.looks import looks_of
from ospec.engine.report import report
from ospec.errors import RefusedError
from ospec.models.run import Record
from ospec.reporting import axes, story, words
from ospec.reporting.axes import TimeAxis
from ospec.reporting.intervals import CONFIDENCE
from ospec.reporting.measured import traffic
from ospec.reporting.traffic_charts import Roles, measured_charts, weights_chart
from ospec.reporting.verdicts import verdicts
from ospec.reporting.weights import levels
from ospec.telemetry.waterfall import Trace, traces

MOST_SPANS = 400
MOST_NOTES = 100
MOST_SWITCHES = 40


def page(records: Sequence[Record]) -> str:
    """The whole page of the run that `records` tell, finished or not. The same records give the same page.

    Raises:
        RefusedError: the records do not begin with the run's start (``run-not-started``).
    """
    state = fold(records)
    if not state.started:
        raise RefusedError("the journal of this run has no beginning", code="run-not-started")
    environment = _environment()
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("page.html").render(_told(records, state), style_digest=digest)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("ospec.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("clock", "count", "date", "duration", "milliseconds", "percent"):
        environment.filters[name] = getattr(words, name)
    environment.filters["elapsed"] = axes.elapsed
    return environment


def _told(records: Sequence[Record], state: RunState) -> dict[str, Any]:
    """Everything that the templates write."""
    made = report(state)
    axis = story.time_axis(records, state)
    roles = _roles(state)
    measured = traffic(looks_of(state), list(roles), axis)
    plan = state.started["plan"]
    return {
        "run": made,
        "head": story.head(made, state),
        "axis": axis,
        "ticks": axis.ticks(),
        "roles": roles,
        "steps": story.step_rows(state, axis),
        "steps_in_all": len(state.steps),
        "switches": _switches(state, axis),
        "weights": weights_chart(levels(state, axis), roles, axis) if _moves_traffic(state) else None,
        "in_place": bool(plan["stable_slot"]) and plan["stable_slot"] == plan["candidate_slot"],
        "measured": measured,
        "measured_charts": measured_charts(measured, roles, axis),
        "confidence": CONFIDENCE,
        "verdicts": verdicts(state, axis),
        "exposed": sum(one["percent"] * one["seconds"] for one in made["evidence"]["exposure"]),
        "bounds": plan["bounds"],
        "orders": story.orders(records),
        "traces": [_cut(trace) for trace in traces(state.spans)],
        "notes": list(plan["notes"])[:MOST_NOTES],
        "executed_by": _executed_by(state.started.get("executed_by")),
        "platform": plan["target"]["platform"],
        "strategy": plan["target"]["strategy"],
        "records": len(records),
        "verdict_words": list(words.VERDICTS.values()),
    }


def _roles(state: RunState) -> Roles:
    """The names of the releases; where both have one name it is the candidate's."""
    plan = state.started["plan"]
    stable = {plan["previous"]["name"]: "stable"} if plan["previous"] else {}
    return {**stable, plan["release"]["name"]: "candidate"}


def _moves_traffic(state: RunState) -> bool:
    return any(step.kind == "switch" for step in state.steps.values())


def _switches(state: RunState, axis: TimeAxis) -> list[float]:
    """Where switches stand, in per cent; none where they are so many that their lines would cover the charts."""
    found = [axis.share(step.started_at) for step in state.steps.values() if step.kind == "switch"]
    return found if len(found) <= MOST_SWITCHES else []


def _cut(trace: Trace) -> tuple[Trace, int]:
    """A trace with at most so many rows, the shallow ones first, and how many were left out."""
    if len(trace.rows) <= MOST_SPANS:
        return trace, 0
    depths = sorted(row.depth for row in trace.rows)
    deepest = depths[MOST_SPANS - 1]
    kept = [row for row in trace.rows if row.depth <= deepest][:MOST_SPANS]
    return Trace(trace.id, trace.begin, trace.seconds, tuple(kept)), len(trace.rows) - len(kept)


def _executed_by(told: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Versions and kind of machine; empty for runs of before these were journaled."""
    if not told:
        return []
    kinds = {"ci": "continuous integration", "container": "a container", "machine": "a machine of its own"}
    rows = [("ospec", told["ospec"] or "not installed as a package")]
    rows += [(name, version) for name, version in told["plugins"].items()]
    rows += [("Python", told["python"]), ("system", f"{told['system']}, {told['machine']}")]
    return [*rows, ("host", kinds.get(told["host_kind"], told["host_kind"]))]
