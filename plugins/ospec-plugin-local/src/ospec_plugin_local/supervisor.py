"""The supervisor of one place: its configuration, its start, and what it is asked over its socket."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ospec.errors import FatalError

from ospec_plugin_local import pids
from ospec_plugin_local.launcher import one_at_a_time
from ospec_plugin_local.place import Place

if TYPE_CHECKING:
    from xmlrpc.client import ServerProxy

_OWN_RECORD = "supervisord.json"
_STARTS_WITHIN_SECONDS = 15.0
_POLL_SECONDS = 0.005
_MAIN = """\
[supervisord]
logfile = %(here)s/logs/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 1
pidfile = %(here)s/supervisord.pid
minfds = 256
minprocs = 64

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
# Paths come from the environment: whatever characters they have, no configuration syntax sees them.
_PROGRAM = """
[program:{name}]
command = /bin/sh -c 'exec "$OSPEC_LOCAL_PYTHON" -S -m ospec_plugin_local.launcher {name}'
autorestart = true
startsecs = 1
startretries = 1000
stopwaitsecs = {stop_seconds}
stopasgroup = true
killasgroup = true
redirect_stderr = true
stdout_logfile = NONE
"""


class Supervisor:
    """supervisord of one place. It is started detached and outlives the command that started it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._server: ServerProxy | None = None

    @property
    def record(self) -> dict[str, Any] | None:
        """Who the last one that was started is."""
        return pids.read_record(self._place.run / _OWN_RECORD)

    def answers(self) -> bool:
        """Whether it runs and can be asked."""
        try:
            return bool(self._ask("getState")["statecode"] == 1)
        except OSError:
            return False

    def configure(self, programs: Iterable[str], stop_seconds: float) -> None:
        """Write its configuration: these programs and no others."""
        text = _MAIN + f"\n[unix_http_server]\nfile = {self._place.supervisor_socket}\nchmod = 0600\n"
        for name in sorted(programs):
            text += _PROGRAM.format(name=name, stop_seconds=max(1, math.ceil(stop_seconds)))
        draft = self._place.root / ".supervisord.conf"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self._place.supervisor_conf)

    def start(self) -> None:
        """Start it with what `configure` wrote. One that lives but cannot be asked goes first; its programs stay.

        Raises:
            FatalError: it did not start, with what it printed.
        """
        self.kill()
        self._place.supervisor_socket.unlink(missing_ok=True)
        started = subprocess.run(
            [sys.executable, "-m", "ospec_plugin_local.supervise", "-c", str(self._place.supervisor_conf)],
            cwd=self._place.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            text=True,
        )
        if started.returncode != 0:
            raise FatalError(
                f"supervisord did not start: {started.stdout.strip()[-2000:]}", code="supervisor-failed", where="local"
            )
        deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise FatalError(
                    "supervisord does not answer",
                    code="supervisor-failed",
                    where="local",
                    hints=(f"read what it says in {self._place.logs / 'supervisord.log'}",),
                )
            time.sleep(_POLL_SECONDS)
        pids.write_record(self._place.run / _OWN_RECORD, pids.identity(int(self._ask("getPID"))))

    def apply(self) -> None:
        """Have it start what is new in its configuration, and forget what is not there any more (see `stop`).

        What runs keeps the lines it was added with, also where they read otherwise now: taking over the new ones would
        end it, whatever it serves.
        """
        added, _, removed = self._ask("reloadConfig")[0]
        self.stop(removed)
        for name in removed:
            self._ask("removeProcessGroup", name)
        for name in added:
            self._ask("addProcessGroup", name)
        for name in added:
            self.begin(name)

    def begin(self, name: str) -> None:
        """Start a program now rather than at its next look, which may be a second away."""
        from xmlrpc.client import Fault

        try:
            self._ask("startProcess", name, False)
        except Fault as fault:
            if fault.faultCode != 60:  # ALREADY_STARTED
                raise

    def stop(self, names: Iterable[str], within: float = math.inf) -> None:
        """Stop programs and wait until they ended: SIGTERM to their groups, then SIGKILL after their time.

        Args:
            within: seconds after which they are killed although they have time left: whoever asks has no more.
        """
        from xmlrpc.client import Fault

        waiting, kill_at = set(names), time.monotonic() + within
        for name in waiting:
            try:
                self._ask("stopProcess", name, False)
            except Fault as fault:
                if fault.faultCode not in (10, 70):  # BAD_NAME, NOT_RUNNING
                    raise
        while waiting:
            living = {one["name"]: one["pid"] for one in self._ask("getAllProcessInfo") if one["pid"]}
            waiting &= set(living)
            if waiting and time.monotonic() >= kill_at:
                for name in waiting:
                    with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended meanwhile
                        os.killpg(living[name], signal.SIGKILL)
            if waiting:
                time.sleep(_POLL_SECONDS)  # each question also has it look for ended children

    def restart(self, name: str) -> None:
        """Stop a program and start it again."""
        self.stop([name])
        self.begin(name)

    def programs(self) -> dict[str, dict[str, Any]]:
        """What it tells of each program, by name."""
        return {one["name"]: one for one in self._ask("getAllProcessInfo")}

    def kill(self) -> None:
        """Kill it, where it cannot be asked; every program of it that goes on has its record.

        SIGKILL leaves the programs alone, which SIGTERM would stop; the launchers of the next one find them again.
        """
        pids.kill_leader(self.record)
        with one_at_a_time(self._place.root):
            pass

    def shut_down(self) -> None:
        """Stop everything and end it; returns when it is gone."""
        record = self.record
        try:
            self._ask("shutdown")
        except OSError:
            self.kill()
        while pids.same(record):
            self.answers()  # each question wakes it from its wait of a second
            time.sleep(_POLL_SECONDS)

    def _environment(self) -> dict[str, str]:
        """Only what its programs need: nothing of the deployer's shell, whose secrets stay where they are."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
        packages = str(Path(__file__).resolve().parent.parent)
        known = os.environ.get("PYTHONPATH", "")
        return {
            **kept,
            "PYTHONPATH": f"{packages}{os.pathsep}{known}" if known else packages,
            "OSPEC_LOCAL_PYTHON": sys.executable,
            "OSPEC_LOCAL_ROOT": str(self._place.root.resolve()),
            "OSPEC_LOCAL_KEEPER": str(self._place.keeper_socket),
            "OSPEC_LOCAL_ADMIN": str(self._place.admin_socket),
        }

    def _ask(self, method: str, *arguments: Any) -> Any:
        from ospec_plugin_local.unix_rpc import call, server

        if self._server is None:
            self._server = server(self._place.supervisor_socket)
        return call(self._server, f"supervisor.{method}", *arguments)
