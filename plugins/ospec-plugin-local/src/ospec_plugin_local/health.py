"""Asking every instance of a slot at its own port, past the proxy."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import HealthContext
from ospec.models.live import HealthResult, Instance
from ospec.models.target import HealthCheck

from ospec_plugin_local.division import is_mixed, ready_ports
from ospec_plugin_local.envoy import last_lines
from ospec_plugin_local.falls import STEADY_SECONDS, after_falls, age
from ospec_plugin_local.observation import instance_of
from ospec_plugin_local.place import place_of
from ospec_plugin_local.programs import request_path
from ospec_plugin_local.residents import Residents
from ospec_plugin_local.state import WEB, InstanceState, SlotState, changing, load_state

_CONNECT_SECONDS = 2.0
_SHOWN_LINES = 8
_MOST_AT_ONCE = 32
_ENOUGH_BODY = 200
_PROXY_SECONDS = 0.3
"""The proxy looks at instances it has not found healthy yet every 20 ms."""
_PROXY_POLL_SECONDS = 0.005
Question = Callable[[], HealthResult]


def check(ctx: HealthContext) -> list[HealthResult]:
    """Each check of each instance that has a port, once and all at the same time; a worker is healthy while it runs.

    Only the instances of the release that is asked about. Where another one is in the slot, too, those that are found
    healthy get their share of its traffic.
    """
    place = place_of(ctx.home, ctx.target)
    state = load_state(place)
    asked = [one for one in state.held_in(ctx.slot) if one.release_id == ctx.release.id] if state else []
    if state is None or not asked:
        raise FatalError(
            f"slot {ctx.slot} does not hold release {ctx.release.name}",
            code="no-slot",
            where="local",
            hints=("see slots and releases: ospec status",),
        )
    held, residents = asked[0], Residents(place)
    results = _asked(ctx, residents, held)
    if all(one.healthy for one in results):
        mixed = is_mixed(state, ctx.slot)
        seen = _seen_by_proxy(ctx, residents, held)
        if not seen and (mixed or ctx.slot not in residents.weights(state)):
            detail = "answers well, but the proxy has not found it healthy yet"
            results = [evolve(one, healthy=False, starting=True, detail=detail) for one in results]
        if mixed:
            _give_their_share(ctx, residents)
    return results


def _asked(ctx: HealthContext, residents: Residents, held: SlotState) -> list[HealthResult]:
    """What every instance answers; one that ended since it was well is gone, whatever answers now."""
    lives = {one.id: residents.record(held.program(one)) for one in held.instances}
    questions = [question for one in held.instances for question in _questions(ctx, residents, held, one)]
    with ThreadPoolExecutor(min(_MOST_AT_ONCE, max(1, len(questions)))) as pool:
        results = list(pool.map(lambda question: question(), questions))
    return [
        result
        for one in held.instances
        for result in after_falls(
            residents.place,
            held.program(one),
            lives[one.id],
            [result for result in results if result.instance == one.id],
        )
    ]


def _give_their_share(ctx: HealthContext, residents: Residents) -> None:
    """Divide the slot's traffic by the instances that are healthy now."""
    with changing(ctx, residents.place):
        state = load_state(residents.place)
        if state and is_mixed(state, ctx.slot) and residents.envoy.answers():
            residents.divide(ctx, state, ctx.slot)


def _seen_by_proxy(ctx: HealthContext, residents: Residents, held: SlotState) -> bool:
    """Whether the proxy found so, too: before that the slot's own address answers 503 to whoever checks it next."""
    end = time.monotonic() + _PROXY_SECONDS
    while ready_ports(held, residents.envoy.hosts()) != set(held.ports):
        if time.monotonic() > end:
            return False
        ctx.pause(_PROXY_POLL_SECONDS)
    return True


def _questions(ctx: HealthContext, residents: Residents, held: SlotState, one: InstanceState) -> list[Question]:
    """What one instance is asked."""
    instance = instance_of(residents, held, one)

    def said() -> str:
        log = residents.place.logs / f"{held.program(one)}.log"
        return " / ".join(last_lines(log, _SHOWN_LINES)) or "it printed nothing"

    if one.leaving:
        return []
    if instance.state == "exited" or one.port is None:
        return [partial(_by_life, instance, residents.place.run / f"{held.program(one)}.json", said)]
    if one.process != WEB or not ctx.target.health_checks:
        return [partial(_by_connecting, instance, said)]
    return [partial(_by_asking, instance, item, said) for item in ctx.target.health_checks]


def _by_life(instance: Instance, record: Path, said: Callable[[], str]) -> HealthResult:
    """By whether it runs; `record` was written when it was started last, and `detail` tells that it was before."""
    if instance.state == "running":
        if instance.detail and age(record) < STEADY_SECONDS:
            return HealthResult(
                "running", False, gone=True, detail=f"{instance.detail}: {said()}", instance=instance.id
            )
        return HealthResult("running", True, instance=instance.id)
    if instance.state == "starting":
        return HealthResult("running", False, starting=True, detail="starting", instance=instance.id)
    return HealthResult("running", False, gone=True, detail=f"it ended: {said()}", instance=instance.id)


def _by_connecting(instance: Instance, said: Callable[[], str]) -> HealthResult:
    started = time.perf_counter()
    try:
        socket.create_connection(("127.0.0.1", instance.port or 0), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        return _unreachable("connect", instance, error, said)
    return HealthResult("connect", True, instance=instance.id, latency_ms=_since(started))


def _by_asking(instance: Instance, check: HealthCheck, said: Callable[[], str]) -> HealthResult:
    path = request_path(check.endpoint)
    name, started = f"GET {path}", time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=check.timeout_seconds)
    try:
        connection.request("GET", path, headers={"Host": "localhost", "User-Agent": "ospec", "Connection": "close"})
        answer = connection.getresponse()
        status, body = answer.status, answer.read(_ENOUGH_BODY)
    except TimeoutError:
        detail = f"no answer within {check.timeout_seconds:g} s"
        return HealthResult(name, False, detail=detail, instance=instance.id, latency_ms=_since(started))
    except (OSError, http.client.HTTPException) as error:
        return _unreachable(name, instance, error, said)
    finally:
        connection.close()
    healthy = 200 <= status < 400
    detail = f"status {status}" if healthy else f"status {status}: {body.decode('utf-8', 'replace')}"
    return HealthResult(name, healthy, detail=detail, instance=instance.id, latency_ms=_since(started))


def _unreachable(name: str, instance: Instance, error: Exception, said: Callable[[], str]) -> HealthResult:
    """Nothing answers: it starts, or it ended before and is on its next try."""
    again = bool(instance.detail)
    refused = isinstance(error, ConnectionRefusedError)
    detail = f"{type(error).__name__}: {error}"
    if again:
        detail = f"{instance.detail}; {said()}"
    return HealthResult(name, False, starting=refused and not again, gone=again, detail=detail, instance=instance.id)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
