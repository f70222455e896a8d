"""Filling and emptying one slot, in an order that a crash at any point leaves to be done again."""

from __future__ import annotations

import time

from attrs import evolve
from ospec.models.context import DeployContext, HookContext, RollbackContext

from ospec_plugin_local import pids
from ospec_plugin_local.ports import is_free
from ospec_plugin_local.programs import counts, new_slot, write_specs
from ospec_plugin_local.residents import KEEPER, Residents
from ospec_plugin_local.splits import without
from ospec_plugin_local.state import SlotState, State, save_state

SETTLE_SECONDS = 0.05
"""Requests that were under way to the old route when the new one was acknowledged reach it within this time."""
_DRAIN_POLL_SECONDS = 0.02


class Slots:
    """What is done to the slots of one place during one hook call."""

    def __init__(self, ctx: HookContext, residents: Residents) -> None:
        self._ctx, self._residents, self._place = ctx, residents, residents.place

    def still_fits(self, ctx: DeployContext | RollbackContext, held: SlotState) -> bool:
        """Whether what the slot holds is the release as it is wanted, on ports that are still its own."""
        if held.release_id != ctx.release.id or held.counted != dict(counts(ctx, held.label)):
            return False
        return all(
            pids.group_lives(self._residents.record(held.program(one))) or is_free("127.0.0.1", one.port)
            for one in held.instances
            if one.port
        )

    def keep(self, ctx: DeployContext | RollbackContext, state: State, held: SlotState, values: dict[str, str]) -> bool:
        """Have everything of a slot run that already holds the release; whether anything was missing."""
        save_state(self._place, state)
        write_specs(self._place, ctx.target, held, state.stop_seconds)
        missing = self.forget_ended(held)
        missing |= self._residents.bring_up(ctx, state)
        missing |= self.give_values(held, values)
        missing |= self._residents.start_programs(state)
        self._residents.tell_clusters(ctx, state)
        self._residents.tell_slot(ctx, state, held.label)
        return missing

    def replace(self, ctx: DeployContext | RollbackContext, state: State, label: str, values: dict[str, str]) -> State:
        """Put the release into the slot, in place of what it held; where it serves, users follow once it is healthy."""
        split = self._residents.split(state)
        if label in state.slots and label not in split.weights:
            state = self.take_away(state, label)
        former = state.slots.get(label)
        held = new_slot(ctx, state, label)
        state = evolve(
            state,
            serial=state.serial + 1,
            generation=state.generation + 1,
            slots={**state.slots, label: held},
            former="" if state.former == label else state.former,
        )
        self.forget_logs(state, label)
        if former is None:
            save_state(self._place, state)
            self._start(ctx, state, held, values)
            return state
        both = evolve(state, others=(*state.others, former))
        self._start(ctx, both, held, values)
        self._residents.wait_for(ctx, [held], ctx.target.startup_seconds)
        leaving = evolve(former, instances=tuple(evolve(one, leaving=True) for one in former.instances))
        self._residents.tell_front(ctx, evolve(state, others=(*state.others, leaving)), split)
        state = evolve(state, generation=state.generation + 1)
        save_state(self._place, state)
        self._drain(former)
        self._residents.stop_programs(self._ctx, former.program_names, state)
        state = self._residents.divide(ctx, state, label)
        self._residents.tell_clusters(ctx, state)
        return state

    def take_away(self, state: State, label: str) -> State:
        """End what an idle slot holds: its way in first, then its programs, then its clusters."""
        inside = state.held_in(label)
        self._residents.heal(self._ctx, state)  # nothing can be told to what does not answer
        state = evolve(state, generation=state.generation + 1)
        save_state(self._place, state)  # before it is told: a generation is never used twice
        left = evolve(
            state,
            slots={other: slot for other, slot in state.slots.items() if other != label},
            others=tuple(other for other in state.others if other.label != label),
            past={**state.past, label: inside[0]},
            former="" if state.former == label else state.former,
        )
        split = self._residents.split(state)
        if without(split, label) != split:
            self._residents.tell_front(self._ctx, state, without(split, label))
        self._residents.tell_slot(self._ctx, left, label)
        for held in inside:
            self._drain(held)
        names = tuple(name for held in inside for name in held.program_names)
        self._residents.stop_programs(self._ctx, names, left)
        self._residents.tell_clusters(self._ctx, left)
        for held in inside:
            self.forget_values(held)
        save_state(self._place, left)
        return left

    def give_values(self, held: SlotState, values: dict[str, str]) -> bool:
        """Have the keeper know a deployment's environment; whether it did not."""
        if held.key in self._residents.ask_keeper(self._ctx, {"op": "keys"})["keys"]:
            return False
        self._residents.ask_keeper(self._ctx, {"op": "put", "key": held.key, "environment": values})
        return True

    def forget_values(self, held: SlotState) -> None:
        """Have the keeper forget a deployment's environment."""
        if self._residents.lives(KEEPER):
            self._residents.ask_keeper(self._ctx, {"op": "drop", "key": held.key})

    def _drain(self, held: SlotState) -> None:
        """Wait for requests under way, at most `drain_seconds` since traffic moved; the rest ends with the slot."""
        envoy, moved_at = self._residents.envoy, self._residents.envoy.told_at()
        settled = moved_at + SETTLE_SECONDS
        self._ctx.pause(min(max(settled - time.time(), 0.0), SETTLE_SECONDS))
        end = min(moved_at, time.time()) + self._ctx.target.deployment.drain_seconds
        while open_requests := envoy.open_requests(held.key):
            if time.time() > end:
                self._ctx.log(f"{open_requests} requests to {held.key} are still open after the drain time")
                break
            self._ctx.pause(_DRAIN_POLL_SECONDS)

    def _start(
        self, ctx: DeployContext | RollbackContext, state: State, held: SlotState, values: dict[str, str]
    ) -> None:
        self._residents.bring_up(ctx, state)
        self._residents.ask_keeper(ctx, {"op": "put", "key": held.key, "environment": values})
        write_specs(self._place, ctx.target, held, state.stop_seconds)
        self._residents.start_programs(state)
        self._residents.tell_clusters(ctx, state)
        self._residents.tell_slot(ctx, state, held.label)

    def forget_ended(self, held: SlotState) -> bool:
        """Let instances that ended before begin their count anew; whether there were any."""
        ended = False
        for name in held.program_names:
            record = self._residents.record(name)
            if not pids.same(record):
                pids.kill_group(record)
                self._residents.forget(name)
                ended = True
        return ended

    def forget_logs(self, state: State, label: str) -> None:
        """Remove the logs of what a slot does not hold any more."""
        for path in self._place.logs.glob(f"{label}-*.log*"):
            if path.name.partition(".")[0] not in state.keys:
                path.unlink(missing_ok=True)
