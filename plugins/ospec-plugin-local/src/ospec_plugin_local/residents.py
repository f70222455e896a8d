"""The programs that serve a place beside its instances, Envoy and the keeper: brought up, asked, taken away."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

from attrs import evolve
from ospec.errors import FatalError, RefusedError
from ospec.models.context import HookContext

from ospec_plugin_local import envoy_config, pids, wire
from ospec_plugin_local.binary import envoy_path
from ospec_plugin_local.envoy import Envoy, last_lines, write_json
from ospec_plugin_local.place import Place
from ospec_plugin_local.ports import free_ports, is_free
from ospec_plugin_local.programs import write_spec
from ospec_plugin_local.state import SLOTS, State
from ospec_plugin_local.supervisor import Supervisor

ENVOY, KEEPER = "envoy", "keeper"
RESIDENTS = (ENVOY, KEEPER)
_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.005


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
        if self.lives(ENVOY):
            return state
        taken = {state.port, *(one.port for slot in state.slots.values() for one in slot.instances if one.port)}
        return evolve(state, slot_ports=dict(zip(SLOTS, free_ports(len(SLOTS), taken), strict=True)))

    def bring_up(self, ctx: HookContext, state: State) -> bool:
        """Have supervisor, Envoy and keeper run, and what else the state names; whether anything was missing."""
        self.place.make()
        moved = self._write(ctx, state)
        missing = False
        if not self.supervisor.answers():
            missing = True
            for name, answers in ((ENVOY, self.envoy.answers), (KEEPER, self._keeper_answers)):
                if self.lives(name) and not answers():
                    pids.kill_leader(self.record(name))  # its socket went: nobody could tell it anything any more
            self.supervisor.start()
        else:
            self.supervisor.apply()
            if moved:
                self.supervisor.restart(ENVOY)
        for name, answers in ((KEEPER, self._keeper_answers), (ENVOY, self.envoy.answers)):
            missing |= self._wait_for(ctx, name, answers)
        return missing

    def start_programs(self, state: State) -> bool:
        """Have every program of the state run; whether one did not."""
        self.supervisor.configure([*RESIDENTS, *state.program_names], state.stop_seconds)
        self.supervisor.apply()
        known = self.supervisor.programs()
        idle = [name for name in state.program_names if known[name]["statename"] in ("STOPPED", "EXITED", "FATAL")]
        for name in idle:
            self.supervisor.begin(name)
        return bool(idle)

    def stop_programs(self, names: tuple[str, ...], left: State) -> None:
        """End programs and forget them; `left` is the state without them."""
        self.supervisor.configure([*RESIDENTS, *left.program_names], left.stop_seconds)
        if self.supervisor.answers():
            self.supervisor.stop(names)
            self.supervisor.apply()
        else:
            pids.kill_leader(self.supervisor.record)  # one that nobody can ask would start them again
        for name in names:
            pids.end_group(self.record(name), left.stop_seconds)
            (self.place.programs / f"{name}.json").unlink(missing_ok=True)
            (self.place.run / f"{name}.json").unlink(missing_ok=True)

    def take_away(self, state: State) -> None:
        """End everything: instances, Envoy, keeper, supervisor; no process, socket or port is left."""
        if self.supervisor.answers():
            self.supervisor.stop(state.program_names)
            self.supervisor.shut_down()
        else:
            pids.kill_leader(self.supervisor.record)
        records = [pids.read_record(path) for path in self.place.run.glob("*.json")]
        for record in records:
            pids.kill_group(record, 15)
        for record in records:
            pids.end_group(record, state.stop_seconds)
        for folder in (self.place.programs, self.place.run, self.place.envoy, self.place.runtime):
            shutil.rmtree(folder, ignore_errors=True)

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

    def tell_clusters(self, ctx: HookContext, state: State) -> None:
        """Tell Envoy the clusters and wait until it serves them; an Envoy that is down reads them later."""
        self.envoy.write("clusters", envoy_config.clusters(state.slots, state.generation))
        if self.lives(ENVOY):
            self.envoy.wait_for_clusters(ctx, state.generation)

    def tell_routes(self, ctx: HookContext, state: State, name: str, weights: Mapping[str, float]) -> None:
        """Tell Envoy the routes of one listener and wait until it serves them."""
        self.envoy.write(name, envoy_config.routes(name, state.slots, weights, state.generation))
        if self.lives(ENVOY):
            self.envoy.wait_for_routes(ctx, name, state.generation)

    def _keeper_answers(self) -> bool:
        try:
            return "keys" in wire.ask(str(self.place.keeper_socket), {"op": "keys"})
        except wire.KeeperUnreachableError:
            return False

    def _wait_for(self, ctx: HookContext, name: str, answers: Any) -> bool:
        """Wait until a resident answers; whether it did not at once."""
        if answers():
            return False
        end = time.monotonic() + min(_PATIENCE_SECONDS, ctx.deadline.left)
        known = self.supervisor.programs().get(name)
        if known and known["statename"] in ("STOPPED", "EXITED", "FATAL"):
            self.supervisor.begin(name)
        while not answers():
            if time.monotonic() > end:
                log = self.place.logs / f"{name}.log"
                raise FatalError(
                    f"{name} does not start: {' / '.join(last_lines(log, 3)) or 'it says nothing'}",
                    code="proxy-down" if name == ENVOY else "keeper-down",
                    where="local",
                    hints=(f"read all that it says in {log}",),
                )
            ctx.pause(_POLL_SECONDS)
        return True

    def _write(self, ctx: HookContext, state: State) -> bool:
        """Write what the residents read at their start; whether a running Envoy has to start again for it."""
        place = self.place
        wanted = envoy_config.bootstrap(place, state)
        path = place.envoy / "bootstrap.json"
        moved = self.lives(ENVOY) and pids.read_record(path) != wanted
        write_json(place.envoy / "stage" / "bootstrap.json", path, wanted)
        if not self.lives(ENVOY):
            self.tell_clusters(ctx, state)
            for label in SLOTS:
                self.tell_routes(ctx, state, label, {label: 100.0} if label in state.slots else {})
            self.tell_routes(ctx, state, envoy_config.FRONT, state.weights)
        command = [str(envoy_path()), "-c", str(path), "--concurrency", "2", "--disable-hot-restart"]
        command += ["-l", "warning", "--reject-unknown-dynamic-fields"]
        keeper = [sys.executable, "-S", "-m", "ospec_plugin_local.keeper", str(state.log_bytes), str(state.log_files)]
        for name, line in ((ENVOY, command), (KEEPER, keeper)):
            write_spec(place, name, line, directory=str(place.root), environment={}, key="", stop_seconds=5.0)
        running = [name for name in state.program_names if (place.programs / f"{name}.json").exists()]
        self.supervisor.configure([*RESIDENTS, *running], state.stop_seconds)
        return moved
