"""The programs that serve a place beside its instances, Envoy and the keeper: brought up, asked, taken away."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve
from ospec.errors import FatalError, RefusedError
from ospec.models.context import HookContext

from ospec_plugin_local import envoy_config, pids, wire
from ospec_plugin_local.admin import AdminError
from ospec_plugin_local.binary import envoy_path
from ospec_plugin_local.envoy import Envoy, last_lines
from ospec_plugin_local.place import Place
from ospec_plugin_local.ports import free_ports, is_free
from ospec_plugin_local.programs import write_spec
from ospec_plugin_local.state import SLOTS, SlotState, State
from ospec_plugin_local.supervisor import Supervisor

ENVOY, KEEPER = "envoy", "keeper"
RESIDENTS = (ENVOY, KEEPER)
_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.005
_FORGET_SECONDS = 4.0
"""What is left of a call's time for what follows on the end of programs."""
_ALL_READY_SECONDS = 3.0
_SILENT_SECONDS = 3.0
"""A resident that lives and does not answer for so long has lost its socket, and is started again."""


class Residents:
    """Supervisor, Envoy and keeper of one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.supervisor = Supervisor(place)
        self.envoy = Envoy(place)

    def lives(self, name: str) -> bool:
        """Whether a program runs, under whatever supervisor or none."""
        return pids.same(self.record(name))

    def record(self, name: str) -> dict[str, Any] | None:
        """Who a program is, as its launcher wrote down."""
        return pids.read_record(self.place.run / f"{name}.json")

    def forget(self, name: str) -> None:
        """Forget who a program was that ended."""
        (self.place.run / f"{name}.json").unlink(missing_ok=True)
        self.place.well(name).unlink(missing_ok=True)

    def check_ports(self, state: State, before: State | None) -> State:
        """`state` with ports that can be had, before anything is touched.

        Raises:
            RefusedError: the front door's port is taken (``port-busy``), or cannot be had (``port-denied``).
        """
        if self.lives(ENVOY) and before and (before.host, before.port) == (state.host, state.port):
            return state
        try:
            free = is_free(state.host, state.port)
        except OSError as error:
            raise RefusedError(
                f"port {state.port} of {state.host} cannot be listened on: {error.strerror}",
                code="port-denied",
                where="plugins.local.port",
                hints=("choose another port or host in [plugins.local]",),
            ) from error
        if not free:
            raise RefusedError(
                f"port {state.port} of {state.host} is taken by another program",
                code="port-busy",
                where="plugins.local.port",
                hints=(
                    "end that program, or set another port in [plugins.local]",
                    f"see who listens there: ss -ltnp 'sport = :{state.port}'",
                ),
            )
        if self.lives(ENVOY) or all(port and is_free("127.0.0.1", port) for port in state.slot_ports.values()):
            return state
        taken = {state.port, *(one.port for slot in state.slots.values() for one in slot.instances if one.port)}
        return evolve(state, slot_ports=dict(zip(SLOTS, free_ports(len(SLOTS), taken), strict=True)))

    def bring_up(self, ctx: HookContext, state: State) -> bool:
        """Have supervisor, Envoy and keeper run, and what else the state names; whether anything was missing."""
        self.place.make()
        moved = self._write(ctx, state)
        missing = not self.supervisor.answers()
        if missing:
            for name in RESIDENTS:
                if self.lives(name) and not self.answers(name):
                    pids.kill_leader(self.record(name))  # its socket went: nobody could tell it anything any more
            self.supervisor.start()
        else:
            self.supervisor.apply()
            if moved:
                self.supervisor.restart(ENVOY)
        for name in RESIDENTS:
            if not self.answers(name):
                missing = True
                self._wait_for(ctx, name)
        # What it was started with may be out of date, and to start it again would lose the variables.
        self.ask_keeper(ctx, {"op": "logs", "bytes": state.log_bytes, "files": state.log_files})
        return missing

    def heal(self, ctx: HookContext, state: State) -> None:
        """Bring up what does not answer, where anything does not."""
        if not (self.supervisor.answers() and all(self.answers(name) for name in RESIDENTS)):
            self.bring_up(ctx, state)

    def answers(self, name: str) -> bool:
        """Whether a resident can be asked."""
        return self.envoy.answers() if name == ENVOY else self._keeper_answers()

    def start_programs(self, state: State) -> bool:
        """Have every program of the state run; whether one did not."""
        self.supervisor.configure([*RESIDENTS, *state.program_names], state.stop_seconds)
        self.supervisor.apply()
        known = self.supervisor.programs()
        idle = [name for name in state.program_names if known[name]["statename"] in ("STOPPED", "EXITED", "FATAL")]
        for name in idle:
            self.supervisor.begin(name)
        return bool(idle)

    def stop_programs(self, ctx: HookContext, names: tuple[str, ...], left: State) -> None:
        """End programs and forget them, within the time of the call; `left` is the state without them."""
        within = max(0.0, ctx.deadline.left - _FORGET_SECONDS)
        self.supervisor.configure([*RESIDENTS, *left.program_names], left.stop_seconds)
        if self.supervisor.answers():
            self.supervisor.stop(names, within)
            self.supervisor.apply()
        else:
            self.supervisor.kill()  # one that nobody can ask would start them again
        pids.end_groups([self.record(name) for name in names], min(left.stop_seconds, within))
        for name in names:
            (self.place.programs / f"{name}.json").unlink(missing_ok=True)
            self.forget(name)

    def take_away(self, ctx: HookContext, stop_seconds: float) -> None:
        """End everything: instances, Envoy, keeper, supervisor; no process, socket or port is left."""
        within = max(0.0, ctx.deadline.left - _FORGET_SECONDS)
        if self.supervisor.answers():
            # All that it knows, whatever the state says; the proxy last, for the answers that are under way.
            self.supervisor.stop([name for name in self.supervisor.programs() if name not in RESIDENTS], within)
            self.supervisor.shut_down()
        else:
            self.supervisor.kill()
        records = [pids.read_record(path) for path in self.place.run.glob("*.json")]
        pids.end_groups(records, min(stop_seconds, within))
        for folder in (self.place.programs, self.place.run, self.place.envoy, self.place.runtime):
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # the runtime folder of all services goes with the last of them
            self.place.runtime.parent.rmdir()

    def ask_keeper(self, ctx: HookContext, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the keeper, waiting for one that restarts."""
        end = time.monotonic() + min(_PATIENCE_SECONDS, ctx.deadline.left)
        while True:
            try:
                return wire.ask(str(self.place.keeper_socket), dict(question))
            except wire.KeeperUnreachableError as error:
                if time.monotonic() > end:
                    raise FatalError(
                        "the keeper of the variables does not answer",
                        code="keeper-down",
                        where="local",
                        hints=(f"read what it says in {self.place.logs / 'keeper.log'}",),
                    ) from error
            ctx.pause(_POLL_SECONDS)

    def weights(self, state: State) -> dict[str, float]:
        """The percents that the front door gives, by slot label; as it was told last where Envoy does not answer."""
        keys = {slot.key: label for label, slot in state.slots.items()}
        try:
            return self.envoy.weights(keys)
        except AdminError:
            return self.envoy.told(keys)

    def gives(self, state: State, weights: Mapping[str, float]) -> bool:
        """Whether the front door was told these percents and gives them."""
        keys = {slot.key: label for label, slot in state.slots.items()}
        return self.envoy.told(keys) == weights and self.weights(state) == weights

    def have_ready(self, ctx: HookContext, state: State, labels: Iterable[str]) -> None:
        """Have Envoy run and hold these slots to be healthy; raises as `wait_for_slot`."""
        slots = [state.slots[label] for label in labels]
        if all(self.envoy.healthy(held.key) == len(held.ports) for held in slots):
            return
        if not self.envoy.answers():
            self.bring_up(ctx, state)
        for held in slots:
            self.wait_for_slot(ctx, held)

    def wait_for_slot(self, ctx: HookContext, held: SlotState, seconds: float = _ALL_READY_SECONDS) -> None:
        """Wait until Envoy holds every instance of the slot to be healthy; after `seconds`, one is enough.

        Raises:
            FatalError: not one is (``not-ready``).
        """
        end = time.monotonic() + min(seconds, ctx.deadline.left)
        while (healthy := self.envoy.healthy(held.key)) < len(held.ports):
            if time.monotonic() > end:
                if healthy:
                    ctx.log(f"only {healthy} of {len(held.ports)} instances in slot {held.label} are healthy")
                    return
                raise FatalError(
                    f"the proxy finds no healthy instance in slot {held.label}",
                    code="not-ready",
                    where="local",
                    hints=("see what they printed: ospec logs",),
                )
            ctx.pause(_POLL_SECONDS)

    def tell_clusters(self, ctx: HookContext, state: State) -> None:
        """Tell Envoy the clusters and wait until it serves them; an Envoy that is down reads them later."""
        content = envoy_config.clusters(state.slots, state.generation)
        self.envoy.tell(ctx, envoy_config.CLUSTERS, content, self.lives(ENVOY))

    def tell_slot(self, ctx: HookContext, state: State, label: str) -> None:
        """Tell Envoy the routes of a slot's own address, which reach what it holds and nothing else."""
        content = envoy_config.routes(
            label, state.slots, {label: 100.0} if label in state.slots else {}, state.generation
        )
        self.envoy.tell(ctx, label, content, self.lives(ENVOY))

    def tell_front(self, ctx: HookContext, state: State, weights: Mapping[str, float]) -> None:
        """Tell Envoy the routes of the front door: percents by slot label."""
        content = envoy_config.routes(envoy_config.FRONT, state.slots, weights, state.generation)
        self.envoy.tell(ctx, envoy_config.FRONT, content, self.lives(ENVOY))

    def _keeper_answers(self) -> bool:
        try:
            return "keys" in wire.ask(str(self.place.keeper_socket), {"op": "keys"})
        except wire.KeeperUnreachableError:
            return False

    def _wait_for(self, ctx: HookContext, name: str) -> None:
        """Wait until a resident answers; one that is silent although it lives is started again."""
        began = time.monotonic()
        restarted = False
        while not self.answers(name):
            told = self.supervisor.programs()[name]
            if told["statename"] in ("STOPPED", "EXITED", "FATAL"):
                self.supervisor.begin(name)
            if not restarted and self.lives(name) and time.monotonic() - began > _SILENT_SECONDS:
                restarted = True
                self.supervisor.restart(name)
            if told["statename"] == "BACKOFF" or time.monotonic() - began > min(_PATIENCE_SECONDS, ctx.deadline.left):
                raise self._does_not_start(name)
            ctx.pause(_POLL_SECONDS)

    def _does_not_start(self, name: str) -> FatalError:
        log = self.place.logs / f"{name}.log"
        said = last_lines(log, 50)
        worst = [line for line in said if "[critical]" in line or "[error]" in line] or said or ["it says nothing"]
        return FatalError(
            f"{name} does not start: {worst[-1]}",
            code="proxy-down" if name == ENVOY else "keeper-down",
            where="local",
            hints=(f"read all that it says in {log}",),
        )

    def _write(self, ctx: HookContext, state: State) -> bool:
        """Write what the residents read at their start; whether a running Envoy has to start again for it."""
        place = self.place
        wanted = envoy_config.bootstrap(place, state)
        path = place.envoy / "bootstrap.json"
        moved = self.lives(ENVOY) and pids.read_record(path) != wanted
        pids.write_record(path, wanted)
        if not self.lives(ENVOY):
            weights = self.weights(state)
            self.tell_clusters(ctx, state)
            for label in SLOTS:
                self.tell_slot(ctx, state, label)
            self.tell_front(ctx, state, weights)
        command = [str(envoy_path()), "-c", str(path), "--concurrency", "2", "--disable-hot-restart"]
        command += ["-l", "warning", "--reject-unknown-dynamic-fields"]
        keeper = [sys.executable, "-S", "-m", "ospec_plugin_local.keeper", str(state.log_bytes), str(state.log_files)]
        for name, line in ((ENVOY, command), (KEEPER, keeper)):
            write_spec(place, name, line, directory=str(place.root), environment={}, key="", stop_seconds=5.0)
        running = [name for name in state.program_names if (place.programs / f"{name}.json").exists()]
        self.supervisor.configure([*RESIDENTS, *running], state.stop_seconds)
        return moved
