"""How what a slot gets is divided between the deployments in it."""

from __future__ import annotations

from ospec_plugin_local.envoy_routes import Part, Parts
from ospec_plugin_local.state import State


def parts_of(state: State) -> Parts:
    """Each slot's deployments with their shares."""
    return {label: [Part(held, 1.0)] for label, held in state.slots.items()}
