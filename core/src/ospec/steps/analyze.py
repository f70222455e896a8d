"""Step kind `analyze`: the guard window, in which a release that serves everybody may still be sent back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ospec.errors import FatalError
from ospec.models.live import Measurement, Slot
from ospec.models.registration import StepRun
from ospec.steps.health import DEFAULT_RETRIES, ask_slot, unhealthy

_POLL_SECONDS = 0.5
ERROR_PERCENT = 5.0
"""More errors than this send the release back…"""
LEAST_REQUESTS = 20
"""…once there were so many requests…"""
WINDOW_SECONDS = 10.0
"""…within this time."""


def guard(run: StepRun) -> Mapping[str, Any]:
    """Judge for `params.seconds`; raise at once when a program ends, health breaks several times, or errors rise.

    A program that ends under its users will do so again, and is back before anybody has asked it several times.
    """
    role, seconds = run.step.params.get("slot", "candidate"), float(run.step.params["seconds"])
    target = run.unit(role).target
    retries = target.health_check_retries or DEFAULT_RETRIES
    interval = min([_POLL_SECONDS, *(check.interval_seconds for check in target.health_checks)])
    slot = run.slot(role)
    started, bad, polls = time.monotonic(), 0, 0
    requests = errors = 0.0
    while True:
        failing = [result for result in ask_slot(run, role, slot.id) if not result.healthy]
        bad, polls = (bad + 1 if failing else 0), polls + 1
        if any(result.gone for result in failing):
            raise unhealthy(role, failing, "it ended after it took the traffic")
        if bad >= retries:
            raise unhealthy(role, failing, f"{bad} times in a row after it took the traffic")
        requests, errors = _traffic(run, role, slot)
        if requests >= LEAST_REQUESTS and errors > requests * ERROR_PERCENT / 100:
            raise FatalError(
                f"{errors:.0f} of {requests:.0f} requests to {run.unit(role).release.name} failed within "
                f"{WINDOW_SECONDS:g} s: more than {ERROR_PERCENT:g} %",
                code="error-rate",
                hints=("see what it printed: ospec logs",),
            )
        left = started + seconds - time.monotonic()
        if left <= 0 and not bad:
            return {"seconds": seconds, "polls": polls, "requests": requests, "errors": errors}
        run.pause(interval if bad else min(interval, max(left, 0.0)))


def _traffic(run: StepRun, role: str, slot: Slot) -> tuple[float, float]:
    """Requests and errors of the slot's release within the window, from the source that saw the most."""
    if not run.capabilities().metrics:
        return 0.0, 0.0
    answers = run.call("collect_metrics", slots=(slot,), since_seconds=WINDOW_SECONDS)
    bins: Sequence[Measurement] = [one for _, answer in answers for one in answer]
    release = run.unit(role).release.name
    sources: dict[str, dict[str, float]] = {}
    for one in bins:
        if one.release == release:
            sums = sources.setdefault(one.source, {})
            sums[one.metric] = sums.get(one.metric, 0.0) + one.value
    best = max(sources.values(), key=lambda sums: sums.get("requests", 0.0), default={})
    return best.get("requests", 0.0), best.get("errors", 0.0)
