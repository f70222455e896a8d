"""Step kind `verify`: ask the front door until it answers with the right release, before anything is drained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ospec.errors import FatalError
from ospec.front_door import RELEASE_HEADER, Answer, Asker
from ospec.models.registration import StepRun
from ospec.models.target import Target
from ospec.steps import shares

_ANSWERS_IN_A_ROW = 5
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 15.0
_BROKEN_SECONDS = 2.0
"""A release that has the traffic and fails is given up sooner: users are on it."""


def verify(run: StepRun) -> Mapping[str, Any]:
    """Done once kept and fresh connections answered with the slot's release several times in a row.

    With `params.share` both releases have to answer in their shares, and what `headers` says with the candidate's; with
    `params.maintenance` nobody may. A platform whose answers do not tell their release is asked by `observe` instead.
    """
    params = run.step.params
    role = params.get("slot", "candidate")
    if params.get("maintenance"):
        return _closed(run)
    if not run.capabilities().release_header:
        return _by_observation(run, role)
    if "share" in params:
        return _shares(run)
    asker = _asker(run)
    try:
        return _by_answers(run, asker, run.unit(role).release.name, asker.address)
    finally:
        asker.close()


def _asker(run: StepRun) -> Asker:
    """Who asks the front door, as nobody that counts."""
    live = run.observe()
    if not live.address:
        raise FatalError("the platform gives no address for the front door", code="no-address")
    return Asker(live.address, probe_path(run.plan.target), timeout_seconds=5.0, headers=live.probe_headers)


def _shares(run: StepRun) -> Mapping[str, Any]:
    share, asker = run.step.params["share"], _asker(run)
    address = asker.address
    percent = float(share["weights"]["candidate"])
    candidate, stable = run.unit("candidate").release.name, run.unit("stable").release.name
    asked = shares.check_headers(asker, share["headers"], candidate)
    for attempt in (1, 2):
        run.check()
        seen = shares.sample(asker, shares.requests_needed(percent))
        asked += seen.asked
        off = shares.deviation(seen, candidate, percent)
        ours = set(seen.answers) <= {candidate, stable}
        if off <= shares.STANDARD_ERRORS and ours and seen.answers:
            found = {"answers": dict(seen.answers), "unanswered": seen.unanswered, "standard_errors": round(off, 2)}
            return {"address": address, "asked": asked, "percent": percent, **found}
        run.log(f"try {attempt}: {dict(seen.answers)} of {seen.asked} for {percent:g} % on {candidate}")
    raise FatalError(
        f"{address} does not split as it should: {candidate} gave {seen.answers.get(candidate, 0)} of {seen.asked} "
        f"answers ({seen.unanswered} requests got none), expected {percent:g} %",
        code="not-verified",
        hints=("see slots and weights: ospec status",),
    )


def _closed(run: StepRun) -> Mapping[str, Any]:
    """Every answer says that nobody serves."""
    asker = _asker(run)
    right, asked, started = 0, 0, time.monotonic()
    try:
        while right < 2 * _ANSWERS_IN_A_ROW:
            answer, asked = asker.ask(fresh=right % 2 == 1), asked + 1
            right = right + 1 if answer.status == 503 and not answer.release else 0
            if not right and time.monotonic() - started > _PATIENCE_SECONDS:
                raise FatalError(
                    f"{asker.address} does not answer for maintenance: {_found(answer)}", code="not-verified"
                )
            run.pause(0.0 if right else _POLL_SECONDS)
    finally:
        asker.close()
    return {"address": asker.address, "asked": asked, "maintenance": True}


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
    percent = float(run.step.params.get("share", {"weights": {role: 100}})["weights"][role])
    while True:
        live = run.observe()
        slot = live.slot(wanted.id)
        if slot and abs(slot.weight_percent - percent) <= 0.5:
            return {"release": run.unit(role).release.name, "address": live.address, "percent": percent}
        if waited > _PATIENCE_SECONDS:
            found = f"{slot.weight_percent:g} %" if slot else "nothing"
            raise FatalError(
                f"slot {wanted.id} has {found} of the traffic, expected {percent:g} %", code="not-verified"
            )
        waited += 0.2
        run.pause(0.2)


def probe_path(target: Target) -> str:
    """The path that tells whether the application serves: its first health check's, or ``/``."""
    return target.health_checks[0].endpoint if target.health_checks else "/"


def _found(answer: Answer) -> str:
    if answer.error:
        return answer.error
    return f"status {answer.status}, {RELEASE_HEADER}: {answer.release or '(none)'}"
