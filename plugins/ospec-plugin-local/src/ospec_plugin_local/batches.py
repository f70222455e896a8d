"""A slot whose instances are replaced in place, a few at a time; a crash at any point leaves it to be done again.

What is wanted is a state, not a change (`ospec.models.context.Batch`): each round takes away what may go, starts what
is missing, and looks again. An instance that goes is first written down as leaving, so that the next try knows. Who
came gets a share when `health_check` found it healthy, or with the next batch or switch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import Batch, DeployContext, RollbackContext

from ospec_plugin_local.division import ready_ports
from ospec_plugin_local.ports import accepts
from ospec_plugin_local.programs import counts, more_instances, without_instances, write_specs
from ospec_plugin_local.residents import Residents
from ospec_plugin_local.slots import SETTLE_SECONDS, Slots
from ospec_plugin_local.state import WEB, InstanceState, SlotState, State, save_state

_POLL_SECONDS = 0.02


class Rolling:
    """One slot on its way to a batch, during one hook call."""

    def __init__(self, ctx: DeployContext | RollbackContext, residents: Residents, state: State, label: str) -> None:
        self._ctx, self._residents, self._place = ctx, residents, residents.place
        self._slots = Slots(ctx, residents)
        self.state, self._label = state, label
        self.changed = False

    def begin(self, values: dict[str, str], batch: Batch) -> None:
        """Have what is in the slot run, and the release be in it, though with no instance yet."""
        own = self._own()
        if own is None and (batch.instances or not batch.others):
            own = without_instances(self._ctx, self.state, self._label)
            self._slots.forget_logs(self.state, self._label)
            self.state = evolve(self.state, serial=self.state.serial + 1)
            self.changed = True
        if own:
            self.state = self.state.led_by(own)
            write_specs(self._place, self._ctx.target, own, self.state.stop_seconds)
        self._save()
        if own:
            self.changed |= self._slots.forget_ended(own)
        self.changed |= self._residents.bring_up(self._ctx, self.state)
        if own:
            self.changed |= self._slots.give_values(own, values)
        self.changed |= self._residents.start_programs(self.state)
        self._residents.tell_clusters(self._ctx, self.state)
        self._residents.tell_slot(self._ctx, self.state, self._label)

    def reach(self, batch: Batch) -> None:
        """Go to the batch.

        Raises:
            FatalError: until the deadline too few instances can serve for another one to go (``too-few-ready``).
        """
        self._end_leaving()  # where an earlier call was cut
        while True:
            left = self._let_leave(batch)
            started = self._start_missing(batch)
            if self._is_reached(batch):
                break
            if not left and not started:
                self._wait(batch)
        self.state = self._residents.divide(self._ctx, self.state, self._label)

    def finish(self, values: dict[str, str]) -> None:
        """Have the release be all that is in the slot: it grows first, then others go as far as as many serve."""
        wanted, ready = counts(self._ctx, self._label).get(WEB, 0), len(self._ready())
        others = sum(one.counted.get(WEB, 0) for one in self._others())
        self.begin(values, Batch(wanted, others))
        self.reach(Batch(wanted, others))
        self.reach(Batch(wanted, 0, least_ready=min(wanted, ready)))

    # -- what there is -------------------------------------------------------------------------------------------

    def _inside(self) -> tuple[SlotState, ...]:
        return self.state.held_in(self._label)

    def _own(self) -> SlotState | None:
        return next((one for one in self._inside() if one.release_id == self._ctx.release.id), None)

    def _others(self) -> list[SlotState]:
        return [one for one in self._inside() if one.release_id != self._ctx.release.id]

    def _missing(self, batch: Batch) -> dict[str, int]:
        """Instances of the release that are yet to be started, by process; further ones once no others are left."""
        own = self._own()
        have = own.counted if own else {}
        others = sum(one.counted.get(WEB, 0) for one in self._others())
        room = max(0, batch.instances + batch.others - have.get(WEB, 0) - others)
        missing = {WEB: min(room, batch.instances - have.get(WEB, 0))}
        if batch.instances and not batch.others and not self._others():
            wanted = counts(self._ctx, self._label)
            missing |= {name: count - have.get(name, 0) for name, count in wanted.items() if name != WEB}
        return {name: count for name, count in missing.items() if count > 0}

    def _surplus(self, batch: Batch) -> list[tuple[SlotState, InstanceState]]:
        """Instances of others that should go: the ones that cannot serve first, then the oldest."""
        hosts = self._residents.envoy.hosts()
        web = [(held, one) for held in self._others() for one in held.instances if one.process == WEB]
        web.sort(key=lambda pair: pair[1].port in ready_ports(pair[0], hosts))
        return web[: max(0, len(web) - batch.others)]

    def _ready(self) -> set[int]:
        """Ports of instances that can serve now: the proxy hears up to a health check later that one has died."""
        hosts = self._residents.envoy.hosts()
        return {port for held in self._inside() for port in ready_ports(held, hosts) if accepts(port)}

    def _is_reached(self, batch: Batch) -> bool:
        return not self._surplus(batch) and not self._missing(batch) and (batch.others > 0 or not self._others())

    # -- instances that leave --------------------------------------------------------------------------------------

    def _let_leave(self, batch: Batch) -> bool:
        """Take away what may go now; whether there was anything."""
        ready, going = self._ready(), []
        for held, one in self._surplus(batch):
            after = ready - {one.port}
            if len(after) >= batch.least_ready:
                ready = after
                going.append((held, one))
        web_left = sum(one.counted.get(WEB, 0) for one in self._others()) - len(going)
        if batch.others == 0 and web_left == 0:  # and their further processes with the last of them
            going += [(held, one) for held in self._others() for one in held.instances if one.process != WEB]
            empty = [held for held in self._others() if not held.instances]
        else:
            empty = []
        if not going and not empty:
            return False
        for held in {held.key: held for held, _ in going}.values():
            names = {one.id for other, one in going if other.key == held.key}
            instances = tuple(evolve(one, leaving=one.leaving or one.id in names) for one in held.instances)
            self.state = self.state.having(evolve(held, instances=instances))
        self._save()
        self._end_leaving()
        return True

    def _end_leaving(self) -> None:
        """Drain and stop every instance that is written down as leaving, and forget deployments that have none left."""
        leaving = [(held, one) for held in self._inside() for one in held.instances if one.leaving]
        own = self._own()
        gone = [held for held in self._others() if own and all(one.leaving for one in held.instances)]
        if not leaving and not gone:
            return
        self.changed = True
        self._residents.tell_clusters(self._ctx, self.state)  # nothing new comes to them
        self.state = self._residents.divide(self._ctx, self.state, self._label)
        self._drain([one.port for _, one in leaving if one.port])
        left = self.state
        for held in {held.key: held for held, _ in leaving}.values():
            left = left.having(evolve(held, instances=tuple(one for one in held.instances if not one.leaving)))
        for held in gone:
            left = left.without(held)
        self._residents.stop_programs(self._ctx, tuple(held.program(one) for held, one in leaving), left)
        self.state = left
        if gone:
            self.state = self._residents.divide(self._ctx, self.state, self._label)
        self._save()
        self._residents.tell_clusters(self._ctx, self.state)
        for held in gone:
            self._slots.forget_values(held)

    def _drain(self, ports: Sequence[int]) -> None:
        """Wait until nothing is open to these ports, at most `drain_seconds`."""
        end = time.monotonic() + self._ctx.target.deployment.drain_seconds
        self._ctx.pause(SETTLE_SECONDS)
        while open_requests := sum(one.open_requests for one in self._residents.envoy.hosts() if one.port in ports):
            if time.monotonic() > end:
                self._ctx.log(f"{open_requests} requests are still open after the drain time")
                break
            self._ctx.pause(_POLL_SECONDS)

    # -- instances that come ---------------------------------------------------------------------------------------

    def _start_missing(self, batch: Batch) -> bool:
        own, missing = self._own(), self._missing(batch)
        if own is None or not missing:
            return False
        self.changed = True
        more = more_instances(self._ctx, self.state, missing, self._inside())
        own = evolve(own, instances=(*own.instances, *more))
        self.state = self.state.having(own)
        self._save()
        write_specs(self._place, self._ctx.target, own, self.state.stop_seconds)
        self._residents.start_programs(self.state)
        self._residents.tell_clusters(self._ctx, self.state)
        return True

    def _wait(self, batch: Batch) -> None:
        """Wait for more instances to be able to serve."""
        if self._ctx.deadline.passed:
            ready = len(self._ready())
            raise FatalError(
                f"slot {self._label}: {ready} instances are able to serve, and {batch.least_ready} have to be left when"
                " another one goes",
                code="too-few-ready",
                where="local",
                hints=("see what they printed: ospec logs",),
            )
        self._ctx.pause(_POLL_SECONDS)

    def _save(self) -> None:
        """Keep the state under a new generation: what the proxy is told after it is something else."""
        self.state = evolve(self.state, generation=self.state.generation + 1)
        save_state(self._place, self.state)
