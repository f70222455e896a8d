"""What a slot's programs are: how many, on which ports, started how, with which environment."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import DeployContext, RollbackContext
from ospec.models.target import Command, Process, Target

from ospec_plugin_local import pids
from ospec_plugin_local.place import Place
from ospec_plugin_local.ports import free_ports
from ospec_plugin_local.state import WEB, InstanceState, SlotState, State, url_of

_NOT_INHERITED = ("PORT", "PWD", "OLDPWD", "SHLVL", "_")
_SHELLS_OWN = frozenset(
    {"alias", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "read", "set", "time", "trap", "ulimit"}
    | {"umask", "unset", "until", "wait", "while", "case", "{", ".", "source", "!"}
)


def counts(ctx: DeployContext | RollbackContext, label: str) -> Mapping[str, int]:
    """How many instances of each process the slot should have, by process name."""
    chosen = ctx.target.deployment.environments.get(label)
    wanted = {name: process.instances for name, process in ctx.target.processes.items()}
    if WEB in wanted:
        web = ctx.instances or (chosen.instances if chosen else None)
        wanted[WEB] = web or wanted[WEB]
    return wanted


def new_slot(ctx: DeployContext | RollbackContext, state: State, label: str) -> SlotState:
    """All that a slot should have of the release, its ports chosen."""
    empty = without_instances(ctx, state, label)
    return evolve(empty, instances=more_instances(ctx, state, counts(ctx, label)))


def without_instances(ctx: DeployContext | RollbackContext, state: State, label: str) -> SlotState:
    """A deployment of the release that has no instances yet."""
    check = ctx.target.health_checks[0] if ctx.target.health_checks else None
    return SlotState(
        label=label,
        release=ctx.release.name,
        release_id=ctx.release.id,
        key=f"{label}-{state.serial + 1}",
        files=str(ctx.files.resolve()),
        instances=(),
        check_path=request_path(check.endpoint) if check else "",
        check_seconds=check.timeout_seconds if check else 5.0,
    )


def more_instances(
    ctx: DeployContext | RollbackContext, state: State, wanted: Mapping[str, int], beside: Iterable[SlotState] = ()
) -> tuple[InstanceState, ...]:
    """So many instances of each process, with ports, and with ids that nobody `beside` them has."""
    known = {one.id for held in beside for one in held.instances}
    rows = []
    for name, count in wanted.items():
        free = (f"{name}-{number}" for number in itertools.count() if f"{name}-{number}" not in known)
        rows += [(one, ctx.target.processes[name]) for one in itertools.islice(free, count)]
    taken = {one.port for held in state.held for one in held.instances if one.port}
    taken |= {state.port, *state.slot_ports.values()}
    ports = iter(free_ports(sum(process.port for _, process in rows), taken))
    return tuple(InstanceState(name, process.name, next(ports) if process.port else None) for name, process in rows)


def environment(ctx: DeployContext | RollbackContext, state: State, label: str) -> dict[str, str]:
    """The deployer's environment, the document's secrets by name, and its variables, resolved now.

    For the keeper alone: no value goes into a file.

    Raises:
        OspecError: a secret cannot be had; it is named.
    """
    own = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    own = {name: value for name, value in own.items() if not name.startswith("OSPEC_")}
    for name in (*ctx.target.secrets.required, *ctx.target.secrets.optional):
        own[name] = ctx.secrets.resolve(f"${{{name}}}")
    addresses = {"HEALTH_CHECK_URL": url_of("127.0.0.1", state.slot_ports[label]), "APP_URL": state.address}
    for name, value in ctx.target.variables.items():
        for known, address in addresses.items():
            value = value.replace(f"${{{known}}}", own.get(known, address))
        own[name] = ctx.secrets.resolve(value)
    return own


def write_specs(place: Place, target: Target, slot: SlotState, stop_seconds: float) -> None:
    """Write what the launchers of the slot start. No value of a variable is in there."""
    for one in slot.instances:
        values = {
            "OSPEC_SERVICE": target.service,
            "OSPEC_ENVIRONMENT": target.environment,
            "OSPEC_RELEASE": slot.release,
            "OSPEC_SLOT": slot.label,
            "OSPEC_PROCESS": one.process,
        }
        if one.port:
            values["PORT"] = str(one.port)
        write_spec(
            place,
            slot.program(one),
            command_line(target.processes[one.process].command),
            directory=slot.files,
            environment=values,
            key=slot.key,
            stop_seconds=stop_seconds,
        )


def write_spec(
    place: Place,
    name: str,
    command: list[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    key: str,
    stop_seconds: float,
) -> None:
    """Write what the launcher of program `name` starts; `key` names the values it gets from the keeper."""
    pids.write_record(
        place.programs / f"{name}.json",
        {
            "command": command,
            "directory": directory,
            "environment": dict(environment),
            "key": key,
            "stop_seconds": stop_seconds,
        },
    )


def command_line(command: Command) -> list[str]:
    """What is executed: a string by the shell, a list as it is."""
    return ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)


def check_commands(target: Target, files: Path, values: Mapping[str, str]) -> None:
    """Find each process's program before anything is touched.

    Raises:
        FatalError: nothing takes traffic (``no-process``), or a program is missing (``missing-command``).
    """
    check_takes_traffic(target)
    if not files.is_dir():
        raise FatalError(
            f"the files of the release are gone: {files}",
            code="no-files",
            where="local",
            hints=("deploy the release again",),
        )
    check_on_path(target, values.get("PATH", os.defpath), files)


def check_takes_traffic(target: Target) -> None:
    """Refuse a release that would be given the traffic and has nothing to answer it.

    Raises:
        FatalError: ``no-process``.
    """
    web = target.processes.get(WEB)
    if web is not None and web.port:
        return
    others = ", ".join(name for name in target.processes if name != WEB)
    raise FatalError(
        "nothing says how the application starts that answers the users"
        + (f": process {WEB!r} has no port" if web else f"; there is only {others}" if others else ""),
        code="no-process",
        where=f"processes.{WEB}.port" if web else "scripts.start",
        hints=(f"remove port = false from [processes.{WEB}]",) if web else ('add start = "…" to [scripts]',),
    )


def check_on_path(target: Target, path: str, files: Path | None = None) -> None:
    """Find each process's program on the search path `path`, and in `files` where those are there already.

    Raises:
        FatalError: one is missing (``missing-command``).
    """
    for process in target.processes.values():
        missing = _missing_program(process, files, path)
        if missing:
            raise FatalError(
                f"process {process.name!r} starts {missing!r}, which is neither on the PATH nor in the release",
                code="missing-command",
                where="scripts.start" if process.name == WEB else f"processes.{process.name}.start",
                hints=(f"install {missing}, or correct the command",),
            )


def _missing_program(process: Process, files: Path | None, path: str) -> str:
    """The program that the process starts, where it surely is not there; empty otherwise.

    Of a shell line only a plain first word is judged: what else a shell makes of it, it will tell by itself.
    """
    if isinstance(process.command, str):
        word = process.command.split(maxsplit=1)[0] if process.command.strip() else ""
        if not word or word in _SHELLS_OWN or "=" in word or word != shlex.quote(word):
            return ""
    else:
        word = process.command[0] if process.command else ""
    if "/" in word:
        return "" if files is None or os.access(files / word, os.X_OK) else word
    return "" if shutil.which(word, path=path) else word


def request_path(endpoint: str) -> str:
    """The path of a health check, which may be written as a whole URL."""
    from urllib.parse import urlsplit

    parts = urlsplit(endpoint)
    path = parts.path or "/"
    return (path if path.startswith("/") else f"/{path}") + (f"?{parts.query}" if parts.query else "")
