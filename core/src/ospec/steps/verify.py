"""Step kind `verify`: ask the front door until it answers with the right release, before anything is drained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ospec.errors import FatalError
from ospec.front_door import RELEASE_HEADER, Answer, Asker
from ospec.models.registration import StepRun
from ospec.models.target import Target

_ANSWERS_IN_A_ROW = 5
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 15.0
_BROKEN_SECONDS = 2.0
"""A release that has the traffic and fails is given up sooner: users are on it."""


def verify(run: StepRun) -> Mapping[str, Any]:
    """Done once kept and fresh connections answered with the slot's release several times in a row.

    A platform whose answers do not tell their release is asked by `observe` instead.
    """
    role = run.step.params.get("slot", "candidate")
    if not run.capabilities().release_header:
        return _by_observation(run, role)
    address = run.observe().address
    if not address:
        raise FatalError("the platform gives no address for the front door", code="no-address")
    wanted = run.unit(role).release.name
    asker = Asker(address, probe_path(run.plan.target), timeout_seconds=5.0)
    try:
        return _by_answers(run, asker, wanted, address)
    finally:
        asker.close()


def _by_answers(run: StepRun, asker: Asker, wanted: str, address: str) -> Mapping[str, Any]:
    right, asked = 0, 0
    last_right = last_unbroken = time.monotonic()
    while right < 2 * _ANSWERS_IN_A_ROW:
        answer, asked = asker.ask(fresh=right % 2 == 1), asked + 1
        now = time.monotonic()
        if answer.release != wanted or not answer.failed:
            last_unbroken = now
        if answer.release == wanted and not answer.failed:
            right, last_right = right + 1, now
            continue
        if now - last_right > _PATIENCE_SECONDS or now - last_unbroken > _BROKEN_SECONDS:
            raise FatalError(
                f"{address} does not answer with release {wanted}: {_found(answer)}",
                code="not-verified",
                hints=("see slots and weights: ospec status", "see what it printed: ospec logs"),
            )
        right = 0
        run.pause(_POLL_SECONDS)
    return {"release": wanted, "address": address, "asked": asked}


def _by_observation(run: StepRun, role: str) -> Mapping[str, Any]:
    wanted, waited = run.slot(role), 0.0
    while True:
        live = run.observe()
        slot = live.slot(wanted.id)
        if slot and slot.weight_percent >= 99.5:
            return {"release": run.unit(role).release.name, "address": live.address}
        if waited > _PATIENCE_SECONDS:
            found = f"{slot.weight_percent:g} %" if slot else "nothing"
            raise FatalError(f"slot {wanted.id} has {found} of the traffic, expected all", code="not-verified")
        waited += 0.2
        run.pause(0.2)


def probe_path(target: Target) -> str:
    """The path that tells whether the application serves: its first health check's, or ``/``."""
    return target.health_checks[0].endpoint if target.health_checks else "/"


def _found(answer: Answer) -> str:
    if answer.error:
        return answer.error
    return f"status {answer.status}, {RELEASE_HEADER}: {answer.release or '(none)'}"
