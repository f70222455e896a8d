"""What the hooks that change something do: make a slot able to serve, move traffic, take slots away."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from attrs import evolve
from ospec.errors import FatalError, OspecError, RefusedError
from ospec.models.context import DeployContext, RetireContext, RollbackContext, SwitchContext
from ospec.models.live import Deployment, TrafficState
from ospec.models.target import Target

from ospec_plugin_local.batches import Rolling
from ospec_plugin_local.binary import envoy_path
from ospec_plugin_local.observation import look
from ospec_plugin_local.place import Place, place_of
from ospec_plugin_local.programs import check_commands, environment
from ospec_plugin_local.residents import Residents
from ospec_plugin_local.settings import settings_of, stop_seconds
from ospec_plugin_local.slots import Slots
from ospec_plugin_local.splits import checked_split
from ospec_plugin_local.state import SLOTS, State, changing, load_state, save_state, url_of


def make_able(ctx: DeployContext | RollbackContext) -> Deployment:
    """Have the slot run the release; its instances are started, not yet healthy.

    Raises:
        RefusedError: the front door's port is taken, or should change under what serves.
        FatalError: the slot serves another release, a program or a value is missing, or what is there cannot be read.
    """
    place = place_of(ctx.home, ctx.target)
    before = load_state(place)
    residents = Residents(place)
    served = residents.weights(before) if before else {}
    label = _slot_for(ctx.slot, served)
    inside = before.held_in(label) if before else ()
    if label in served and inside and not ctx.batch and ctx.release.id not in [one.release_id for one in inside]:
        raise _serves(label, f"{inside[0].release}: another release cannot be put there")
    envoy_path()  # raises where there is none
    if isinstance(ctx, DeployContext):  # a return keeps the address, whatever its release's document says
        check_address(before, ctx.target, served)
    state = residents.check_ports(with_settings(before, ctx.target, served), before)
    values = environment(ctx, state, label)
    check_commands(ctx.target, ctx.files, values)
    place.make()
    with changing(ctx, place):
        slots = Slots(ctx, residents)
        if ctx.batch or (label in served and len(inside) > 1):
            changed, state = _roll(ctx, Rolling(ctx, residents, state, label), values)
        elif len(inside) == 1 and slots.still_fits(ctx, inside[0]):
            changed = slots.keep(ctx, state, inside[0], values)
        else:
            changed, state = True, slots.replace(ctx, state, label, values)
    return Deployment(next(slot for slot in look(place, state).slots if slot.id == label), changed)


def _roll(ctx: DeployContext | RollbackContext, rolling: Rolling, values: dict[str, str]) -> tuple[bool, State]:
    """Replace instances in place: as far as was asked, or what such a rollout left to the end."""
    if ctx.batch:
        rolling.begin(values, ctx.batch)
        rolling.reach(ctx.batch)
    else:
        rolling.finish(values)
    return rolling.changed, rolling.state


def switch(ctx: SwitchContext) -> TrafficState:
    """Give each slot its share, and wait until the proxy serves it."""
    place = place_of(ctx.home, ctx.target)
    state, split = checked_split(ctx, place)
    residents = Residents(place)
    with changing(ctx, place):
        residents.have_ready(ctx, state, {*split.weights, *(rule.slot for rule in split.headers)})
        if not residents.gives(state, split):
            # Kept before the proxy is told: a generation is never used twice. Which slot serves is in what the proxy
            # was told, so that a crash in between leaves nothing wrong.
            state = _whole(evolve(state, generation=state.generation + 1), split.weights)
            save_state(place, state)
            residents.tell_front(ctx, state, split)
        elif _whole(state, split.weights) != state:
            state = _whole(state, split.weights)
            save_state(place, state)
        applied_at = time.time()
    observed = residents.split(state)
    return TrafficState(
        {label: observed.weights.get(label, 0.0) for label in {*state.slots, *ctx.split.weights}},
        address=state.address,
        generation=str(state.generation),
        applied_at=applied_at,
        headers=observed.headers,
        sticky=observed.sticky,
        maintenance=observed.maintenance is not None,
    )


def _whole(state: State, weights: Mapping[str, float]) -> State:
    """The state in which the slot that takes all of the traffic is the stable one."""
    label = next((label for label, share in weights.items() if share > 99.99), state.stable)
    return state if label == state.stable else evolve(state, stable=label, former=state.stable)


def retire(ctx: RetireContext) -> None:
    """Take a slot away, or everything.

    Raises:
        FatalError: the slot serves (``slot-serves``).
    """
    place = place_of(ctx.home, ctx.target)
    if ctx.slot is None:
        _take_down(ctx, place)
        return
    state = load_state(place)
    if state is None:
        return
    residents = Residents(place)
    place.make()
    with changing(ctx, place):
        share = residents.weights(state).get(ctx.slot, 0.0)
        if share:
            raise _serves(ctx.slot, f"{share:g} % of the traffic, and stays")
        if ctx.slot in state.slots:
            Slots(ctx, residents).take_away(state, ctx.slot)


def _take_down(ctx: RetireContext, place: Place) -> None:
    """End everything. Who runs is in the records, so that a state that is damaged or gone is in nobody's way."""
    broken: OspecError | None = None
    try:
        state = load_state(place)
    except FatalError as error:
        if error.code != "state-broken":
            raise
        state, broken = None, error
    if state is None and broken is None and not place.run.is_dir():
        return
    place.make()
    with changing(ctx, place):
        Residents(place).take_away(ctx, state.stop_seconds if state else stop_seconds(ctx.target))
        if state:
            past = {**state.past, **state.slots}
            save_state(place, evolve(state, stable="", former="", slots={}, others=(), past=past))
        if broken:
            aside = place.state.with_name(f"{place.state.name}.broken-{time.time_ns()}")
            place.state.replace(aside)
            ctx.log(f"{broken.message}; what ran was ended by its records, and the file is {aside} now")


def _slot_for(wanted: str, served: Mapping[str, float]) -> str:
    if wanted in SLOTS:
        return wanted
    if wanted:
        raise FatalError(
            f"there is no slot {wanted!r}: this platform has blue and green", code="no-slot", where="local"
        )
    return next((label for label in SLOTS if label not in served), SLOTS[0])


def _serves(label: str, what: str) -> FatalError:
    return FatalError(
        f"slot {label} serves {what}",
        code="slot-serves",
        where="local",
        hints=("see slots and weights: ospec status", "take everything down: ospec down"),
    )


def check_address(state: State | None, target: Target, served: Mapping[str, float]) -> None:
    """Refuse to move the front door under what serves: users would lose it before the new release is known to work.

    Raises:
        RefusedError: ``address-changed``.
    """
    settings = settings_of(target)
    if state is None or not served or (settings.host, settings.port) == (state.host, state.port):
        return
    raise RefusedError(
        f"the front door is {state.address} as long as a release serves there, and cannot become "
        f"{url_of(settings.host, settings.port)}",
        code="address-changed",
        where="plugins.local.port" if settings.port != state.port else "plugins.local.host",
        hints=(
            f'keep host = "{state.host}" and port = {state.port} in [plugins.local]',
            "or move it, while nobody is served: ospec down, then ospec run deploy",
        ),
    )


def with_settings(state: State | None, target: Target, served: Mapping[str, float]) -> State:
    """The state with what the document says now. Where something serves, the front door stays where it is."""
    settings = settings_of(target)
    if state is not None and served:
        settings = evolve(settings, host=state.host, port=state.port)
    if state is None:
        state = State(host="", port=0, slot_ports=dict.fromkeys(SLOTS, 0), stop_seconds=0, log_bytes=0, log_files=0)
    return evolve(
        state,
        mark=state.mark or secrets.token_hex(8),
        host=settings.host,
        port=settings.port,
        stop_seconds=settings.stop_seconds,
        log_bytes=settings.log_megabytes << 20,
        log_files=settings.log_files,
    )
