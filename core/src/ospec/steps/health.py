"""Step kind `health`: ask a slot until every instance answers well, or until it has had its chances."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ospec.errors import FatalError
from ospec.models.live import HealthResult
from ospec.models.registration import StepRun

DEFAULT_RETRIES = 3
_FIRST_WAIT_SECONDS = 0.01
_EAGER_SECONDS = 3.0
"""How long a start is waited for with short breaks, so that a fast application does not wait for us."""


def wait_until_healthy(run: StepRun) -> Mapping[str, Any]:
    """Ask until all instances are healthy; with `params.least` so many of them are enough.

    A slot that nothing answers from yet is starting, and has `startup_seconds`. Bad answers in a row are counted
    against `health_check_retries`; where the document does not set it, a slot may answer badly while it starts, too,
    and only programs that ended are counted.
    """
    role = run.step.params.get("slot", "candidate")
    target = run.unit(role).target
    retries = target.health_check_retries
    interval = target.health_checks[0].interval_seconds if target.health_checks else 1.0
    slot_id = run.slot(role).id
    started, bad, asked = time.monotonic(), 0, 0
    while True:
        results, asked = ask_slot(run, role, slot_id), asked + 1
        failing = [result for result in results if not result.healthy]
        enough = _well(results) >= int(run.step.params.get("least", 0)) > 0
        if not failing or enough:
            return {"checks": len(results), "asked": asked, "seconds": round(time.monotonic() - started, 3)}
        counted = [one for one in failing if not one.starting and (one.gone or retries is not None)]
        bad = bad + 1 if counted else 0
        if bad >= (retries or DEFAULT_RETRIES):
            raise unhealthy(role, failing, f"{bad} bad answers in a row")
        waited = time.monotonic() - started
        if waited > target.startup_seconds:
            raise unhealthy(role, failing, f"not healthy within {target.startup_seconds:g} s")
        run.pause(_FIRST_WAIT_SECONDS if waited < _EAGER_SECONDS and not counted else interval)


def _well(results: Sequence[HealthResult]) -> int:
    """How many instances passed all of their checks."""
    return len({one.instance for one in results} - {one.instance for one in results if not one.healthy})


def ask_slot(run: StepRun, role: str, slot_id: str) -> Sequence[HealthResult]:
    """Every plugin's health checks of one slot, asked once; none at all is a failure."""
    unit = run.unit(role)
    answers = run.call("health_check", target=unit.target, release=unit.release, files=unit.files, slot=slot_id)
    results = [result for _, answer in answers for result in answer]
    if not results:
        raise FatalError(
            "nothing checks the health of this release",
            code="no-health-check",
            hints=('add [monitoring] health_checks = [{ endpoint = "/health" }] to the document',),
        )
    return results


def unhealthy(role: str, failing: Sequence[HealthResult], why: str) -> FatalError:
    """The error of a slot that is not healthy: each failing check with what it answered."""
    lines = [f"  {one.instance or 'slot'}: {one.name}: {one.detail or 'no answer'}" for one in failing]
    return FatalError(
        "\n".join([f"the {role} slot is not healthy ({why}):", *lines[:10]]),
        code="not-healthy",
        hints=("see what it printed: ospec logs",),
    )
