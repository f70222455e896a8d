"""The end of every command that runs something: follow it, report it, answer its exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ospec.cli.output import print_json, show_failure, show_summary
from ospec.cli.progress import watcher
from ospec.cli.streams import tell
from ospec.errors import ExitCode

if TYPE_CHECKING:
    from ospec.engine.journal import RunState
    from ospec.runs import Watcher


def execute(
    as_json: bool,
    run: Callable[[Watcher], RunState | None],
    nothing: str = "there is no open run",
    means: Mapping[int, int] | None = None,
) -> int:
    """Run something that is watched, print its report, and give its exit code.

    Args:
        nothing: what to say where `run` gives None: there was nothing to do.
        means: exit codes of the run that mean another one to whoever called the command.
    """
    from ospec.engine.report import report
    from ospec.runs import exit_code

    follower = watcher()
    try:
        state = run(follower)
    finally:
        follower.close()
    if state is None:
        if as_json:
            print_json({"schema": "ospec.run/1", "run": None, "outcome": None, "exit_code": 0, "note": nothing})
        else:
            click.echo(nothing)
        return 0
    code = int(exit_code(state))
    code = (means or {}).get(code, code)
    _tell({**report(state), "exit_code": code}, as_json, code)
    return code


def _tell(made: Mapping[str, Any], as_json: bool, code: int) -> None:
    try:
        if as_json:
            print_json(made)
        else:
            show_summary(made)
    except OSError as error:  # whoever reads may have left: what was done does not change by that
        tell(f"cannot write the report ({error.strerror}): ospec show {made['run']}")
    if made["error"]:
        show_failure(made["error"])
    if code == ExitCode.NOT_RESTORED:
        tell("it was NOT restored: look at ospec status and ospec logs, then ospec run rollback")
