"""`ospec`: the commands, each loaded when it is called."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from ospec import touched
from ospec.cli.interrupts import listen, listen_no_more
from ospec.cli.lazy import LazyGroup
from ospec.cli.streams import is_of_output, let_go, open_closed, tell
from ospec.errors import CancelledError, DocumentError, ExitCode, OspecError

COMMANDS = {
    "init": "Write a document that works.",
    "validate": "Check a document; all faults at once.",
    "plan": "Show what a deploy would do, and touch nothing.",
    "render": "Write or compare the files that plugins render.",
    "run": "Deploy, roll back, check health, or run one of the document's scripts.",
    "status": "Show slots, releases, weights, health, processes and ports.",
    "logs": "Show what the instances print.",
    "history": "List the runs.",
    "show": "Show one run: its steps, evidence and trace.",
    "report": "Write one run as a page of HTML.",
    "judge": "Judge past runs again, or anew with other settings.",
    "resume": "Go on with an interrupted run.",
    "pause": "Have the open run go no further, until ospec promote.",
    "promote": "Have the open run go on from where it waits: a pause, a hold, an analysis.",
    "abort": "End the open run and return to the previous release.",
    "up": "Bring back what served, after a reboot or a crash.",
    "down": "Take the service away: processes, sockets and ports.",
    "prune": "Retire slots kept warm and forget old runs and releases.",
    "plugins": "List the installed plugins.",
    "doctor": "Check this machine, the state folder and what runs.",
    "schema": "Print the JSON Schema of documents.",
}

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A command makes many classes and little garbage: at Python's own 700 a tenth of a start goes into looking for it."""


@click.group(cls=LazyGroup, package="ospec.cli", commands=COMMANDS, context_settings={"max_content_width": 110})
@click.version_option(package_name="ospec", message="ospec %(version)s")
def cli() -> None:
    """Take one application spec to any platform with any rollout strategy, safely.

    Start with: ospec init, then ospec run deploy
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: run a command and exit with its code (see docs/reference/exit-codes.md)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    touched.forget()
    open_closed()
    listen()
    try:
        code = _called(given)
    except KeyboardInterrupt:  # once more, while the first was told
        code = ExitCode.ABORTED
    let_go()
    listen_no_more()
    gc.freeze()  # nothing is left to be found by walking all objects once more
    sys.exit(int(code))


def _called(given: Sequence[str]) -> int:
    """Run a command and tell what it raised; its exit code."""
    as_json = "--json" in given
    try:
        return int(cli.main(args=given, prog_name="ospec", standalone_mode=False) or 0)
    except click.ClickException as error:
        _show_usage(error, as_json=as_json)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):  # a "no", or a signal, which click takes for one
        _show_stopped(as_json=as_json)
        return ExitCode.ABORTED
    except OspecError as error:
        from ospec.cli.output import show_error

        show_error(error, as_json=as_json)
        return error.exit_code
    except (Exception, SystemExit) as error:
        if isinstance(error.__context__, BrokenPipeError):  # a reader who left; click makes an exit of it
            return ExitCode.FAILED
        if is_of_output(error):
            tell(f"error: cannot write the output: {error}")
            return ExitCode.FAILED
        import traceback

        tell(traceback.format_exc().rstrip())
        tell("this is a fault of ospec or of a plugin; see what was done: ospec status, ospec show")
        return ExitCode.NOT_RESTORED


def _show_stopped(*, as_json: bool) -> None:
    """What was stopped, and what that means: nothing, where nothing was touched yet."""
    look_at = touched.look_at()
    message = f"stopped before it was done; {look_at}" if look_at else "not done; nothing was touched"
    if as_json:
        from ospec.cli.output import show_refusal

        show_refusal(CancelledError(message))
    tell(message)


def _show_usage(error: click.ClickException, *, as_json: bool) -> None:
    """What click says of a call that is wrong; as a report on standard output, too, where JSON is asked for."""
    if as_json:
        from ospec.cli.output import show_refusal

        show_refusal(DocumentError(error.format_message(), code="usage"))
    with suppress(OSError):
        error.show()


if __name__ == "__main__":
    main()
