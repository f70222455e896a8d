"""What Envoy of one place is told, in the platform's own words, and what it does of that."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import HookContext
from ospec.models.live import TrafficSplit

from ospec_plugin_local import pids
from ospec_plugin_local.admin import AdminError
from ospec_plugin_local.division import is_mixed, parts_of, ready_ports
from ospec_plugin_local.envoy import Envoy
from ospec_plugin_local.envoy_clusters import clusters, endpoints
from ospec_plugin_local.envoy_reading import split_of
from ospec_plugin_local.envoy_routes import routes
from ospec_plugin_local.envoy_words import CLUSTERS, FRONT
from ospec_plugin_local.place import Place
from ospec_plugin_local.state import SlotState, State, save_state

ENVOY = "envoy"
_ALL_READY_SECONDS = 3.0
_POLL_SECONDS = 0.005


class Proxy:
    """Envoy of one place, whether it runs or not."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.envoy = Envoy(place)

    def lives(self, name: str) -> bool:
        """Whether a program runs, under whatever supervisor or none."""
        return pids.same(self.record(name))

    def record(self, name: str) -> dict[str, Any] | None:
        """Who a program is, as its launcher wrote down."""
        return pids.read_record(self.place.run / f"{name}.json")

    def split(self, state: State) -> TrafficSplit:
        """What the front door does, slots by label; what it was told last where Envoy does not answer."""
        try:
            _, configuration = self.envoy.served()
        except AdminError:
            _, configuration = self.envoy.told()
        return split_of(configuration, state.keys)

    def weights(self, state: State) -> Mapping[str, float]:
        """The percents that the front door gives, by slot label."""
        return self.split(state).weights

    def gives(self, state: State, split: TrafficSplit) -> bool:
        """Whether the front door was told this and serves it."""
        return self._does(FRONT, state, split)

    def divide(self, ctx: HookContext, state: State, label: str) -> State:
        """Divide what a slot gets anew between the releases in it, where it is not as their instances are now."""
        split, alone = self.split(state), _alone(state, label)
        if self._does(FRONT, state, split) and self._does(label, state, alone):
            return state
        state = evolve(state, generation=state.generation + 1)
        save_state(self.place, state)
        self.tell_front(ctx, state, split)
        self.tell_slot(ctx, state, label)
        return state

    def tell_clusters(self, ctx: HookContext, state: State) -> None:
        """Tell Envoy the clusters and who is in them; an Envoy that is down reads it later."""
        lives = self.lives(ENVOY)
        known = self.envoy.clusters() if lives else frozenset()
        for held in state.held:
            others = [other for other in state.held_in(held.label) if other.key != held.key]
            content = endpoints(held, others, state.generation)
            if self.envoy.told(held.key)[1] != content["resources"][0] or not lives:
                self.envoy.tell(ctx, held.key, content, held.key in known)
        self.envoy.tell(ctx, CLUSTERS, clusters(self.place, state.held, state.generation), lives)
        for path in self.place.routes.glob("*-*.json"):
            if path.stem not in state.keys:
                path.unlink(missing_ok=True)

    def tell_slot(self, ctx: HookContext, state: State, label: str) -> None:
        """Tell Envoy the routes of a slot's own address, which reach what it holds and nothing else."""
        self.envoy.tell(ctx, label, self._routes(label, state, _alone(state, label)), self.lives(ENVOY))

    def tell_front(self, ctx: HookContext, state: State, split: TrafficSplit) -> None:
        """Tell Envoy the routes of the front door."""
        self.envoy.tell(ctx, FRONT, self._routes(FRONT, state, split), self.lives(ENVOY))

    def wait_for(self, ctx: HookContext, slot: Sequence[SlotState], seconds: float = _ALL_READY_SECONDS) -> None:
        """Wait until Envoy holds every instance to be healthy; after `seconds`, one is enough.

        Raises:
            FatalError: not one is (``not-ready``).
        """
        end = time.monotonic() + min(seconds, ctx.deadline.left)
        label, wanted = slot[0].label, sum(len(held.ports) for held in slot)
        while True:
            hosts = self.envoy.hosts()
            healthy = sum(len(ready_ports(held, hosts)) for held in slot)
            if healthy == wanted and any(held.instances for held in slot):
                return
            if time.monotonic() > end:
                break
            ctx.pause(_POLL_SECONDS)
        if not healthy:
            raise FatalError(
                f"the proxy finds no healthy instance in slot {label}",
                code="not-ready",
                where="local",
                hints=("see what they printed: ospec logs",),
            )
        ctx.log(f"only {healthy} of {wanted} instances in slot {label} are healthy")

    def _does(self, name: str, state: State, split: TrafficSplit) -> bool:
        version, told = self.envoy.told(name)
        try:
            return told == self._routes(name, state, split)["resources"][0] and self.envoy.served(name)[0] == version
        except AdminError:
            return False

    def _routes(self, name: str, state: State, split: TrafficSplit) -> dict[str, Any]:
        mixed = any(is_mixed(state, label) for label in state.slots)
        parts = parts_of(state, self.envoy.hosts() if mixed else ())
        return routes(name, split, parts, state.generation, state.mark if name == FRONT else "")


def _alone(state: State, label: str) -> TrafficSplit:
    return TrafficSplit({label: 100.0} if label in state.slots else {})
