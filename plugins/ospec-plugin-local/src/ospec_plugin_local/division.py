"""How what a slot gets is divided between the releases in it: by their instances that can serve now."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ospec_plugin_local.envoy import Host
from ospec_plugin_local.envoy_routes import Part, Parts
from ospec_plugin_local.state import SlotState, State


def parts_of(state: State, hosts: Collection[Host]) -> Parts:
    """Each slot's deployments with their shares; `hosts` is what the proxy knows now."""
    return {label: list(_parts(state.held_in(label), hosts)) for label in state.slots}


def ready_ports(held: SlotState, hosts: Collection[Host]) -> set[int]:
    """Ports of a deployment's instances that the proxy gives requests to."""
    return {one.port for one in hosts if one.healthy and one.cluster == held.key} & set(held.ports)


def is_mixed(state: State, label: str) -> bool:
    """Whether a slot holds more than one deployment."""
    return len(state.held_in(label)) > 1


def _parts(deployments: Collection[SlotState], hosts: Collection[Host]) -> Iterator[Part]:
    counts = [len(ready_ports(held, hosts)) for held in deployments]
    if not any(counts):  # nobody can serve: whoever comes back first
        counts = [len(held.ports) for held in deployments]
    if not any(counts):
        counts = [1] + [0] * (len(deployments) - 1)
    for held, count in zip(deployments, counts, strict=True):
        yield Part(held, count / sum(counts), mixed=len(deployments) > 1)
