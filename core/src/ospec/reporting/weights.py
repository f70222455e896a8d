"""Who had which share of the traffic, and when: as the switches of a run observed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from ospec.engine.journal import RunState
from ospec.models.run import StepReport
from ospec.reporting.axes import TimeAxis

_CLOCKS_DIFFER = 2.0
"""A platform's clock may be so many seconds off ours; what it says beyond that is not when it was."""


@frozen
class Level:
    """Shares between two switches."""

    begin: float
    end: float
    candidate: float | None
    """Per cent of the traffic; None where nobody knows: a switch was cut or failed."""
    stable: float | None


def levels(state: RunState, axis: TimeAxis) -> list[Level]:
    """From the run's begin to its end, without gaps."""
    plan = state.started["plan"]
    before = (0.0, 100.0) if plan["previous"] and plan["stable_slot"] else (0.0, 0.0)
    points: list[tuple[float, tuple[float, float] | None]] = [(axis.begin, before), *_points(state, plan)]
    ends = [at for at, _ in points[1:]] + [axis.end]
    return [Level(at, max(end, at), *(shares or (None, None))) for (at, shares), end in zip(points, ends, strict=True)]


def _points(state: RunState, plan: Mapping[str, Any]) -> Iterator[tuple[float, tuple[float, float] | None]]:
    for step in state.steps.values():
        if step.kind != "switch" or step.status == "skipped":
            continue
        weights = step.result.get("weights")
        if step.status != "ok" or weights is None:
            yield step.started_at, None
            continue
        shares = {"candidate": 0.0, "stable": 0.0, "": 0.0}
        for slot, share in weights.items():
            shares[_role(slot, step.result.get("releases") or {}, plan)] += float(share)
        yield _applied(step), (shares["candidate"], shares["stable"])


def _role(slot: str, releases: Mapping[str, str], plan: Mapping[str, Any]) -> str:
    """Whose slot it was then. Where releases replace one another in one slot, only its release tells."""
    names = {plan["release"]["name"]: "candidate"}
    if plan["previous"]:
        names.setdefault(plan["previous"]["name"], "stable")
    if len(names) == 2 and releases.get(slot) in names:
        return names[releases[slot]]
    return {plan["stable_slot"]: "stable", plan["candidate_slot"]: "candidate"}.get(slot, "")


def _applied(step: StepReport) -> float:
    applied = float(step.result.get("applied_at") or 0.0)
    begin, end = step.started_at, step.started_at + step.seconds
    return applied if begin - _CLOCKS_DIFFER <= applied <= end + _CLOCKS_DIFFER else begin
