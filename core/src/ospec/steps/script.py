"""Step kind `script`: a command of the life cycle, run in the snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ospec.errors import FatalError
from ospec.models.registration import StepRun
from ospec.models.target import Script
from ospec.steps.processes import Identity, Program, end_group
from ospec.steps.snapshot import cannot_write

_SHOWN_LINES = 15


def run_named_script(run: StepRun) -> Mapping[str, Any]:
    """Run the script that the step names, in the candidate's snapshot."""
    unit = run.unit("candidate")
    return run_script(run, unit.target.scripts[run.step.params["name"]], run.environment("candidate"), unit.files)


def run_script(run: StepRun, script: Script, environment: Mapping[str, str], folder: Path) -> Mapping[str, Any]:
    """Run one script to its end, its output shown and kept in the run's log folder.

    Who it is gets journaled before it may begin, so that a resume first ends what an earlier try left running.

    Raises:
        FatalError: it could not start (``script-not-started``) or ended with another code than 0 (``script-failed``).
    """
    for note in run.earlier_notes:
        if note.get("script") == script.name and end_group(Identity(note["group"], note["started"])):
            run.log(f"ended {script.name}, which the interrupted run had left running")
    log = run.home / "logs" / run.run / f"{run.step.id}-{script.name}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        output = log.open("a", encoding="utf-8")
    except OSError as error:
        raise cannot_write(log, error) from error
    with output:

        def keep(line: str) -> None:
            run.output(line)
            output.write(line + "\n")
            output.flush()

        try:
            program = Program(script.command, folder, environment, keep, run.secrets.redact)
        except OSError as error:
            raise FatalError(
                f"script {script.name!r} cannot start in {folder}: {error.strerror or error}", code="script-not-started"
            ) from error
        try:
            run.note(script=script.name, group=program.identity.group, started=program.identity.started)
        except BaseException:
            program.discard()
            raise
        program.go()
        ended = program.wait(run.check)
    if ended.code == 0:
        return {"exit": 0, "log": str(log.relative_to(run.home))}
    raise FatalError(
        "\n".join([_how(script, ended.code), *(f"  | {line}" for line in ended.tail[-_SHOWN_LINES:])]),
        code="script-failed",
        where=f"scripts.{script.name}",
        hints=(_advice(script, ended.code), f"its whole output: {log}"),
    )


def _how(script: Script, code: int | None) -> str:
    if code is not None and code < 0:
        return f"script {script.name!r} was ended by signal {-code}"
    return f"script {script.name!r} ended with exit code {code}"


def _advice(script: Script, code: int | None) -> str:
    if code == 127:
        return "127 means that the command was not found: install it, or correct the command"
    if code == 126:
        return "126 means that the file is not executable: chmod +x it, or name its interpreter"
    return f"try it by itself: ospec run {script.name.replace('_', '-')}"
