"""`ospec run SCRIPT`: a script of the document, run in the document's folder."""

from __future__ import annotations

import difflib
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ospec import touched
from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json
from ospec.cli.streams import tell
from ospec.errors import DocumentError, FatalError

if TYPE_CHECKING:
    from ospec.models.target import Script
    from ospec.project import Project


def script_command(name: str) -> click.Command:
    """The command that runs scripts.NAME."""

    @click.command(name)
    @project_options
    @json_option
    def command(file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> int:
        with opened(choice(file, environment, variables)) as project:
            script, began = _script(project, name), time.monotonic()
            code = run_in_folder(project, script)
            if as_json:
                seconds = round(time.monotonic() - began, 3)
                made = {"schema": "ospec.script/1", "script": script.name, "exit_code": code, "seconds": seconds}
                with suppress(OSError):  # it ran, whether or not somebody reads that
                    print_json(made)
            return code

    command.help = f"Run scripts.{name} in the document's folder, with the environment that a deploy gives it."
    return command


def run_in_folder(project: Project, script: Script) -> int:
    """Run a script in the working folder, its output passed on; its exit code.

    Everything it started ends with it, also on Ctrl-C and at its time limit.

    Raises:
        FatalError: it could not start, or took longer than its time limit (``time-limit``).
    """
    from ospec.engine.step_run import script_environment
    from ospec.steps.processes import Program, end_group

    live = project.observe()
    address = live.address or ""
    release = live.stable.release.name if live.stable and live.stable.release else ""
    environment = script_environment(
        project.target, project.secrets, url=address, front_door=address, OSPEC_RELEASE=release
    )
    try:
        program = Program(
            script.command,
            project.root,
            environment,
            tell,
            project.secrets.redact,
        )
    except OSError as error:
        raise FatalError(f"scripts.{script.name} cannot start: {error.strerror}", code="script-not-started") from error
    until = time.monotonic() + script.timeout_seconds

    def keep_waiting() -> None:
        if time.monotonic() > until:
            raise FatalError(
                f"scripts.{script.name} took longer than its {script.timeout_seconds:g} s and was ended",
                code="time-limit",
            )

    touched.touch(f"scripts.{script.name} was ended in the middle of its work")
    try:
        program.go()
        code = program.wait(keep_waiting).code
    finally:
        end_group(program.identity)  # also where a signal came before `wait` began to watch
    return 1 if code is None or code < 0 else code


def _script(project: Project, name: str) -> Script:
    scripts = project.target.scripts
    found = scripts.get(name) or scripts.get(name.replace("-", "_"))
    if found:
        return found
    close = difflib.get_close_matches(name, ["deploy", "rollback", *scripts], n=1)
    raise DocumentError(
        f"the document has no script {name!r}; there are: {', '.join(sorted(scripts)) or 'none'}",
        code="no-script",
        where="scripts",
        hints=(f"did you mean {close[0]!r}?" if close else f'add {name} = "…" to [scripts]',),
    )
