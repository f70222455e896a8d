"""What is there now: asked of the proxy and the kernel, changed by nothing here."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attrs import evolve
from ospec.models.live import Instance, LiveState, Role, Slot
from ospec.models.release import ReleaseRef
from ospec.naming import digest

from ospec_plugin_local import pids
from ospec_plugin_local.division import ready_ports
from ospec_plugin_local.envoy import Host
from ospec_plugin_local.envoy_words import OWN_HEADER
from ospec_plugin_local.place import Place
from ospec_plugin_local.residents import KEEPER, Residents
from ospec_plugin_local.state import WEB, InstanceState, SlotState, State, load_state, url_of


def observe(place: Place) -> LiveState:
    """The live state of a place; empty where nothing is deployed."""
    state = load_state(place)
    if state is None or not state.slots:
        return LiveState()
    return look(place, state)


def look(place: Place, state: State) -> LiveState:
    """The live state of a place whose own state is known."""
    residents = Residents(place)
    problems = []
    weights = residents.weights(state)
    hosts = residents.envoy.hosts()
    if not hosts and not residents.envoy.answers():
        problems.append("the proxy does not run: nobody is served; ospec up brings it back")
    if not pids.same(residents.supervisor.record):
        problems.append("the supervisor does not run: nothing that ends is started again; ospec up brings it back")
    if not residents.lives(KEEPER):
        problems.append("the keeper of the variables does not run")
    stable = next((label for label, share in weights.items() if share > 99.99), state.stable)
    former = state.stable if stable != state.stable else state.former
    slots = []
    for label in sorted(state.slots):
        role: Role = "stable" if label == stable else "idle" if label == former else "candidate"
        slot = _slot(residents, state, label, role, weights.get(label, 0.0), hosts)
        slots.append(slot)
        if slot.ready < slot.wanted and slot.weight_percent > 0:
            problems.append(f"slot {label}: {slot.ready} of {slot.wanted} instances are ready")
    return LiveState(
        slots=tuple(slots),
        address=state.address,
        probe_headers={OWN_HEADER: state.mark} if state.mark else {},
        configuration_digest=digest({"host": state.host, "port": state.port}),
        problems=tuple(problems),
    )


def instance_of(residents: Residents, held: SlotState, one: InstanceState, ready: bool | None = None) -> Instance:
    """One instance as the kernel knows it; `ready` is what the proxy says, for one that takes traffic."""
    record = residents.record(held.program(one))
    lives = pids.same(record)
    starts = int(record["starts"]) if record else 0
    waits = record is not None and lives and record.get("waits")  # for its variables, and is not the program yet
    state = "starting" if record is None or waits else "running" if lives else "exited"
    if state == "running" and one.leaving:
        state = "leaving"
    return Instance(
        id=one.id,
        process=one.process,
        state=state,
        ready=state == "running" and ready is not False,
        pid=int(record["pid"]) if record and lives else None,
        port=one.port,
        detail=f"started {starts} times" if starts > 1 else "",
    )


def _slot(residents: Residents, state: State, label: str, role: Role, weight: float, hosts: Collection[Host]) -> Slot:
    inside = [held for held in state.held_in(label) if held.instances] or [state.slots[label]]
    instances = tuple(
        evolve(one, release=held.release if len(inside) > 1 else "")
        for held in inside
        for one in _instances(residents, held, ready_ports(held, hosts))
    )
    return Slot(
        id=label,
        label=label,
        role=role,
        releases=tuple(ReleaseRef(held.release, held.release_id) for held in inside),
        weight_percent=weight,
        wanted=sum(not one.leaving for held in inside for one in held.instances),
        ready=sum(one.ready for one in instances),
        address=url_of("127.0.0.1", state.slot_ports[label]),
        instances=instances,
    )


def _instances(residents: Residents, held: SlotState, ready: set[int]) -> Iterator[Instance]:
    for one in held.instances:
        takes_traffic = one.process == WEB and one.port is not None
        yield instance_of(residents, held, one, one.port in ready if takes_traffic else None)
