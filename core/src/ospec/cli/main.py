"""`ospec`: the commands, each loaded when it is called."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from ospec.cli.lazy import LazyGroup
from ospec.errors import DocumentError, ExitCode, OspecError

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
    "pause": "Have the open run go no further.",
    "promote": "Have the open run go on from where it waits.",
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
    code: int | None = 0
    try:
        code = cli.main(args=given, prog_name="ospec", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        code = error.exit_code
        _show_usage(error, as_json="--json" in given)
    except click.Abort:
        click.echo("not done; nothing was touched", err=True)
        code = ExitCode.ABORTED
    except KeyboardInterrupt:
        click.echo("stopped; see what is there: ospec status", err=True)
        code = ExitCode.ABORTED
    except OspecError as error:
        from ospec.cli.output import show_error

        show_error(error, as_json="--json" in given)
        code = error.exit_code
    except BrokenPipeError:  # the reader of our output left; what is still to be written goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("this is a fault of ospec or of a plugin; see what was done: ospec status, ospec show", err=True)
        code = ExitCode.NOT_RESTORED
    gc.freeze()  # nothing is left to be found by walking all objects once more
    sys.exit(int(code or 0))


def _show_usage(error: click.ClickException, *, as_json: bool) -> None:
    """What click says of a call that is wrong; as a report on standard output, too, where JSON is asked for."""
    if as_json:
        from ospec.cli.output import print_json
        from ospec.engine.report import refusal

        print_json(refusal(DocumentError(error.format_message(), code="usage")))
    error.show()


if __name__ == "__main__":
    main()
