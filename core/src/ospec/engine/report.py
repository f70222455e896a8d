"""A run as `ospec.run/1` JSON: what `--json` prints, `ospec show` reads, and the summary is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ospec.engine.evidence import summary
from ospec.engine.journal import RunState
from ospec.errors import OspecError

SCHEMA = "ospec.run/1"


def report(state: RunState) -> dict[str, Any]:
    """The report of a run, finished or not (`outcome` and `exit_code` are then null)."""
    plan = state.started["plan"]
    finished = state.finished or {}
    return {
        "schema": SCHEMA,
        "run": state.run,
        "action": plan["action"],
        "outcome": finished.get("outcome"),
        "exit_code": finished.get("exit_code"),
        "service": plan["target"]["service"],
        "environment": plan["target"]["environment"],
        "release": plan["release"]["name"],
        "previous_release": plan["previous"]["name"] if plan["previous"] else None,
        "address": _address(state),
        "seconds": _seconds(state),
        "steps": [_step(state, step_id) for step_id in state.steps],
        "evidence": {
            **summary(state.evidence.values()),
            "seconds_to_verified": _seconds_to_verified(state),
            "exposure": _exposure(state),
            "downtime_seconds": _downtime_seconds(state),
        },
        "notes": list(plan["notes"]),
        "error": dict(state.error) if state.error else None,
    }


def refusal(error: OspecError) -> dict[str, Any]:
    """The report of a run that never began."""
    return {
        "schema": SCHEMA,
        "run": None,
        "action": None,
        "outcome": {1: "failed", 3: "failed", 4: "waiting", 130: "aborted"}.get(int(error.exit_code), "refused"),
        "exit_code": int(error.exit_code),
        "service": None,
        "environment": None,
        "release": None,
        "previous_release": None,
        "address": None,
        "seconds": 0.0,
        "steps": [],
        "evidence": {**summary(()), "seconds_to_verified": None, "exposure": [], "downtime_seconds": 0.0},
        "notes": [],
        "error": {"code": error.code, "message": error.message, "where": error.where, "hints": list(error.hints)},
    }


def _step(state: RunState, step_id: str) -> dict[str, Any]:
    one = state.steps[step_id]
    return {
        "id": one.id,
        "kind": one.kind,
        "title": one.title,
        "status": one.status,
        "seconds": round(one.seconds, 3),
        "result": dict(one.result),
        "error": dict(one.error) if one.error else None,
    }


def _address(state: RunState) -> str | None:
    """The front door, as the last step that knew it told; a run without steps noted it at its start."""
    for step in reversed(state.steps.values()):
        if step.kind in ("verify", "switch") and step.result.get("address"):
            return str(step.result["address"])
    found = state.started.get("address")
    return str(found) if found else None


def _seconds(state: RunState) -> float:
    begun = min((step.started_at for step in state.steps.values()), default=state.last_at)
    return round(max(0.0, state.last_at - begun), 3)


def _seconds_to_verified(state: RunState) -> float | None:
    """From the start of the last switch to the end of the verify step after it."""
    switched = None
    for step in state.steps.values():
        if step.kind == "switch" and step.status == "ok":
            switched = step.started_at
        elif step.kind == "verify" and step.status == "ok" and switched is not None:
            return round(step.started_at + step.seconds - switched, 3)
    return None


def _exposure(state: RunState) -> list[Mapping[str, float]]:
    """Percent of the traffic on the candidate, with the seconds it had it, until it was left or judged good."""
    candidate = state.started["plan"]["candidate_slot"]
    levels = [
        (float(step.result["weights"].get(candidate, 0.0)), float(step.result["applied_at"] or step.started_at))
        for step in state.steps.values()
        if step.kind == "switch" and step.status == "ok" and "weights" in step.result
    ]
    if not levels:
        return []
    ends = [at for _, at in levels[1:]] + [_judged_at(state)]
    return [
        {"percent": percent, "seconds": round(max(0.0, end - at), 3)}
        for (percent, at), end in zip(levels, ends, strict=True)
        if percent > 0
    ]


def _downtime_seconds(state: RunState) -> float:
    """How long nobody served, from the switch to maintenance until the next switch, or the last record."""
    down, since = 0.0, None
    for step in state.steps.values():
        if step.kind != "switch" or step.status != "ok":
            continue
        at = float(step.result.get("applied_at") or step.started_at)
        down += at - since if since is not None else 0.0
        since = at if step.result.get("maintenance") else None
    return round(down + (state.last_at - since if since is not None else 0.0), 3)


def _judged_at(state: RunState) -> float:
    judging = [step for step in state.steps.values() if step.kind in ("verify", "analyze")]
    return max((step.started_at + step.seconds for step in judging), default=state.last_at)
