"""The programs that serve a place beside its instances, Envoy and the keeper: brought up, asked, taken away."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Collection, Mapping
from typing import Any

from attrs import evolve
from ospec.errors import FatalError, RefusedError
from ospec.models.context import HookContext

from ospec_plugin_local import envoy_config, pids, wire
from ospec_plugin_local.binary import envoy_path
from ospec_plugin_local.division import ready_ports
from ospec_plugin_local.envoy import last_lines
from ospec_plugin_local.place import Place
from ospec_plugin_local.ports import free_ports, is_free
from ospec_plugin_local.programs import write_spec
from ospec_plugin_local.proxy import ENVOY, Proxy
from ospec_plugin_local.state import SLOTS, State
from ospec_plugin_local.supervisor import Supervisor

KEEPER = "keeper"
RESIDENTS = (ENVOY, KEEPER)
_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.005
_FORGET_SECONDS = 4.0
"""What is left of a call's time for what follows on the end of programs."""
_SILENT_SECONDS = 3.0
"""A resident that lives and does not answer for so long has lost its socket, and is started again."""


class Residents(Proxy):
    """Supervisor, Envoy and keeper of one place."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.supervisor = Supervisor(place)

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
        taken = {state.port, *(one.port for held in state.held for one in held.instances if one.port)}
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
        """Have every program of the state run that is written down; whether one did not."""
        names = self._written(state)
        self.supervisor.configure([*RESIDENTS, *names], state.stop_seconds)
        self.supervisor.apply()
        known = self.supervisor.programs()
        idle = [name for name in names if known[name]["statename"] in ("STOPPED", "EXITED", "FATAL")]
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

    def have_ready(self, ctx: HookContext, state: State, labels: Collection[str]) -> None:
        """Have Envoy run and hold these slots to be healthy; raises as `wait_for`."""
        hosts = self.envoy.hosts()
        slots = [state.held_in(label) for label in labels]
        if all(ready_ports(held, hosts) == set(held.ports) != set() for slot in slots for held in slot):
            return
        if not self.envoy.answers():
            self.bring_up(ctx, state)
        for slot in slots:
            self.wait_for(ctx, slot)

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
            split = self.split(state)
            self.tell_clusters(ctx, state)
            for label in SLOTS:
                self.tell_slot(ctx, state, label)
            self.tell_front(ctx, state, split)
        command = [str(envoy_path()), "-c", str(path), "--concurrency", "2", "--disable-hot-restart"]
        command += ["-l", "warning", "--reject-unknown-dynamic-fields"]
        keeper = [sys.executable, "-S", "-m", "ospec_plugin_local.keeper", str(state.log_bytes), str(state.log_files)]
        for name, line in ((ENVOY, command), (KEEPER, keeper)):
            write_spec(place, name, line, directory=str(place.root), environment={}, key="", stop_seconds=5.0)
        self.supervisor.configure([*RESIDENTS, *self._written(state)], state.stop_seconds)
        return moved

    def _written(self, state: State) -> list[str]:
        """Programs that a launcher can start; of those that leave, some may have gone."""
        return [name for name in state.program_names if (self.place.programs / f"{name}.json").exists()]
