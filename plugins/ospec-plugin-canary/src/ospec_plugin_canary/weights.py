"""From the document to the stages of a canary: one weight each, growing."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen
from ospec.errors import DocumentError
from ospec.models.document import CanaryStep, Deployment

_HEADERS = {"canary": "true"}
_STEP_WEIGHT, _MAX_WEIGHT, _SECONDS = 10.0, 50.0, 30.0


@frozen
class Stage:
    """One weight, and how it is held."""

    weight: float
    """Per cent."""
    seconds: float
    """How long it is judged at least."""
    headers: Mapping[str, str]
    """Requests that go to the canary whatever the weight."""
    analysis: bool = True
    pause: bool = False
    approval: bool = False


def stages_of(deployment: Deployment) -> list[Stage]:
    """`deployment.steps` where there are any, else `analysis.step_weight` up to `max_weight`.

    Raises:
        DocumentError: a weight is less than the one before, or the first step has none.
    """
    headers = _HEADERS if deployment.match_headers is None else deployment.match_headers
    seconds = deployment.analysis.interval if deployment.analysis.interval is not None else _SECONDS
    stages = [Stage(weight, seconds, headers) for weight in _weights(deployment)] if not deployment.steps else []
    for number, step in enumerate(deployment.steps):
        headers = step.match_headers or headers
        stages.append(_stage(step, number, stages[-1].weight if stages else None, seconds, headers))
    while stages and stages[-1].weight >= 100:
        stages.pop()  # the step to all traffic is every canary's own
    if not any(stage.weight > 0 for stage in stages):
        raise DocumentError(
            "nothing gives the canary a share of the traffic, so that nothing could be judged",
            where="deployment.steps" if deployment.steps else "deployment.analysis.step_weight",
            hints=("add a step such as { weight = 10 }, or use blue_green",),
        )
    return stages


def _stage(step: CanaryStep, number: int, before: float | None, seconds: float, headers: Mapping[str, str]) -> Stage:
    where = f"deployment.steps[{number}]"
    weight = before if step.weight is None else float(step.weight)
    if weight is None:
        raise DocumentError("the first step has no weight", where=where, hints=("add weight = 10, or weight = 0",))
    if before is not None and weight < before:
        raise DocumentError(
            f"its weight of {weight:g} % is less than the {before:g} % before: a canary only grows",
            where=where,
            hints=("leave its weight out to keep the one before",),
        )
    held = seconds if step.hold_seconds is None else step.hold_seconds
    return Stage(weight, held, headers, step.analysis, step.pause, step.approval)


def _weights(deployment: Deployment) -> list[float]:
    each = float(deployment.analysis.step_weight or _STEP_WEIGHT)
    most = float(deployment.analysis.max_weight or max(_MAX_WEIGHT, each))
    weights = [each * number for number in range(1, int(most // each) + 1)]
    return weights if weights and weights[-1] == most else [*weights, most]
