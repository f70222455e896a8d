"""What the hooks that change something do: make a slot able to serve, move traffic, take slots away."""

from __future__ import annotations

import time

from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import DeployContext, RetireContext, RollbackContext, SwitchContext
from ospec.models.live import Deployment, Slot, TrafficState
from ospec.models.target import Target

from ospec_plugin_local import envoy_config, pids
from ospec_plugin_local.observation import look
from ospec_plugin_local.place import Place, place_of
from ospec_plugin_local.ports import is_free
from ospec_plugin_local.programs import check_commands, counts, environment, new_slot, write_specs
from ospec_plugin_local.residents import Residents
from ospec_plugin_local.settings import LocalSettings
from ospec_plugin_local.state import SLOTS, SlotState, State, changing, load_state, save_state

_SETTLE_SECONDS = 0.05
"""Requests that were under way to the old route when the new one was acknowledged reach it within this time."""
_DRAIN_POLL_SECONDS = 0.02


def make_able(ctx: DeployContext | RollbackContext) -> Deployment:
    """Have the slot run the release; its instances are started, not yet healthy.

    Raises:
        RefusedError: the front door's port is taken.
        FatalError: the slot serves another release, a program or a value is missing, or what is there cannot be read.
    """
    place = place_of(ctx.home, ctx.target)
    before = load_state(place)
    state = _with_settings(before, ctx.target)
    label = _slot_for(ctx.slot, before)
    held = state.slots.get(label)
    if held and held.release_id != ctx.release.id and state.weights.get(label, 0) > 0:
        raise FatalError(
            f"slot {label} serves {held.release}: another release cannot be put there",
            code="slot-serves",
            where="local",
            hints=("see slots and weights: ospec status",),
        )
    values = environment(ctx)
    check_commands(ctx.target, ctx.files, values)
    residents = Residents(place)
    state = residents.check_ports(state, before)
    place.make()
    with changing(ctx, place):
        if held and _still_fits(residents, ctx, held):
            changed = _keep(residents, ctx, state, held, values)
        else:
            changed, state = True, _replace(residents, ctx, state, label, values)
    return Deployment(_slot(place, label), changed)


def switch(ctx: SwitchContext) -> TrafficState:
    """Give each slot its share, wait until the proxy serves it and, with `drain`, until the others' requests ended."""
    place = place_of(ctx.home, ctx.target)
    state = _existing(place, ctx.target)
    weights = {label: share for label, share in ctx.split.weights.items() if share > 0}
    unknown = sorted(set(weights) - set(state.slots))
    if unknown or abs(sum(weights.values()) - 100) > 0.01:
        raise FatalError(
            f"cannot give traffic like this: {dict(ctx.split.weights)}; there are the slots {sorted(state.slots)}",
            code="bad-split",
            where="local",
            hints=("see slots and weights: ospec status",),
        )
    residents = Residents(place)
    with changing(ctx, place):
        if not residents.envoy.answers():
            residents.bring_up(ctx, state)
        keys = {slot.key: label for label, slot in state.slots.items()}
        served = residents.envoy.weights(keys)
        if served != weights:
            for label in weights:
                residents.envoy.wait_for_healthy(ctx, state.slots[label].key, len(state.slots[label].ports))
            state = evolve(state, generation=state.generation + 1)
            save_state(place, state)  # before it is told: a generation is never used twice
            residents.tell_routes(ctx, state, envoy_config.FRONT, weights)
        applied_at = time.time()
        save_state(place, _weighted(state, weights))
    if ctx.drain:
        _drain(ctx, residents, [slot.key for label, slot in state.slots.items() if label not in weights])
    return TrafficState(
        {label: residents.envoy.weights(keys).get(label, 0.0) for label in {*state.slots, *ctx.split.weights}},
        address=state.address,
        generation=str(state.generation),
        applied_at=applied_at,
    )


def retire(ctx: RetireContext) -> None:
    """Take a slot away, or everything."""
    place = place_of(ctx.home, ctx.target)
    state = load_state(place)
    if state is None:
        return
    residents = Residents(place)
    place.make()
    with changing(ctx, place):
        if ctx.slot is None:
            save_state(place, _emptied(state))
            residents.take_away(state)
            return
        if state.weights.get(ctx.slot, 0) > 0:
            raise FatalError(
                f"slot {ctx.slot} serves {state.weights[ctx.slot]:g} % of the traffic and stays",
                code="slot-serves",
                where="local",
                hints=("switch to another slot first, or take everything down: ospec down",),
            )
        if ctx.slot in state.slots:
            _take_away(residents, ctx, state, ctx.slot)


def _slot_for(wanted: str, state: State | None) -> str:
    if wanted in SLOTS:
        return wanted
    if wanted:
        raise FatalError(f"there is no slot {wanted!r}: expected blue or green", code="unknown-slot", where="local")
    weights = state.weights if state else {}
    return next((label for label in SLOTS if not weights.get(label)), SLOTS[0])


def _with_settings(state: State | None, target: Target) -> State:
    """The state with what the document says now."""
    settings = LocalSettings(**target.plugins.get("local", {}))
    if state is None:
        state = State(host="", port=0, slot_ports=dict.fromkeys(SLOTS, 0), stop_seconds=0, log_bytes=0, log_files=0)
    return evolve(
        state,
        host=settings.host,
        port=settings.port,
        stop_seconds=settings.stop_seconds,
        log_bytes=settings.log_megabytes << 20,
        log_files=settings.log_files,
    )


def _existing(place: Place, target: Target) -> State:
    state = load_state(place)
    if state is None or not state.slots:
        raise FatalError(
            f"{target.service} in {target.environment} is not deployed here",
            code="not-deployed",
            where="local",
            hints=("deploy it first: ospec run deploy",),
        )
    return state


def _still_fits(residents: Residents, ctx: DeployContext | RollbackContext, held: SlotState) -> bool:
    """Whether what the slot holds is the release as it is wanted, on ports that are still its own."""
    counted: dict[str, int] = {}
    for one in held.instances:
        counted[one.process] = counted.get(one.process, 0) + 1
    if held.release_id != ctx.release.id or counted != dict(counts(ctx, held.label)):
        return False
    return all(
        pids.group_lives(residents.record(held.program(one))) or is_free("127.0.0.1", one.port)
        for one in held.instances
        if one.port
    )


def _keep(
    residents: Residents, ctx: DeployContext | RollbackContext, state: State, held: SlotState, values: dict[str, str]
) -> bool:
    """Have everything of a slot run that already holds the release; whether anything was missing."""
    save_state(residents.place, state)
    write_specs(residents.place, ctx.target, held, state.stop_seconds)
    missing = residents.bring_up(ctx, state)
    if held.key not in residents.ask_keeper(ctx, {"op": "keys"})["keys"]:
        residents.ask_keeper(ctx, {"op": "put", "key": held.key, "environment": values})
        missing = True
    missing |= residents.start_programs(state)
    _tell_slot(residents, ctx, state, held.label)
    return missing


def _replace(
    residents: Residents, ctx: DeployContext | RollbackContext, state: State, label: str, values: dict[str, str]
) -> State:
    """Put the release into the slot, in place of what it held."""
    place = residents.place
    if label in state.slots and not state.weights.get(label):
        state = _take_away(residents, ctx, state, label)
    former = state.slots.get(label)
    held = new_slot(ctx, state, label, state.serial + 1)
    for old in [path for path in place.logs.glob(f"{label}-*.log*") if not path.name.startswith(f"{held.key}.")]:
        old.unlink(missing_ok=True)
    state = evolve(
        state,
        serial=state.serial + 1,
        generation=state.generation + 1,
        slots={**state.slots, label: held},
        former="" if state.former == label else state.former,
    )
    save_state(place, state)
    residents.bring_up(ctx, state)
    residents.ask_keeper(ctx, {"op": "put", "key": held.key, "environment": values})
    write_specs(place, ctx.target, held, state.stop_seconds)
    residents.start_programs(state)
    residents.tell_clusters(ctx, state)
    _tell_slot(residents, ctx, state, label)
    if state.weights.get(label):
        residents.tell_routes(ctx, state, envoy_config.FRONT, state.weights)
    if former:
        residents.stop_programs(former.program_names, state)
    return state


def _take_away(
    residents: Residents, ctx: DeployContext | RollbackContext | RetireContext, state: State, label: str
) -> State:
    """End what an idle slot holds: its way in first, then its programs, then its cluster."""
    held = state.slots[label]
    left = evolve(
        state,
        generation=state.generation + 1,
        slots={other: slot for other, slot in state.slots.items() if other != label},
        past={**state.past, label: held},
        former="" if state.former == label else state.former,
    )
    save_state(residents.place, left)
    residents.tell_routes(ctx, left, label, {})
    residents.stop_programs(held.program_names, left)
    residents.tell_clusters(ctx, left)
    if residents.lives("keeper"):
        residents.ask_keeper(ctx, {"op": "drop", "key": held.key})
    return left


def _tell_slot(residents: Residents, ctx: DeployContext | RollbackContext, state: State, label: str) -> None:
    residents.tell_routes(ctx, state, label, {label: 100.0})


def _weighted(state: State, weights: dict[str, float]) -> State:
    whole = next((label for label, share in weights.items() if share > 99.99), "")
    if whole and whole != state.stable:
        state = evolve(state, stable=whole, former=state.stable)
    return evolve(state, weights=weights)


def _emptied(state: State) -> State:
    return evolve(state, stable="", former="", weights={}, slots={}, past={**state.past, **state.slots})


def _drain(ctx: SwitchContext, residents: Residents, clusters: list[str]) -> None:
    """Wait until requests that were under way have ended, at most `drain_seconds`; the rest ends with its slot."""
    ctx.pause(_SETTLE_SECONDS)
    end = time.monotonic() + ctx.target.deployment.drain_seconds
    for cluster in clusters:
        while open_requests := residents.envoy.open_requests(cluster):
            if time.monotonic() > end:
                ctx.log(f"{open_requests} requests to {cluster} are still open after the drain time")
                break
            ctx.pause(_DRAIN_POLL_SECONDS)


def _slot(place: Place, label: str) -> Slot:
    state = load_state(place)
    live = look(place, state) if state else None
    slot = live.slot(label) if live else None
    if slot is None:
        raise FatalError(f"slot {label} vanished while it was deployed", code="slot-vanished", where="local")
    return slot
