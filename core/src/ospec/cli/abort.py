"""`ospec abort`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, measuring, opened, project_options
from ospec.cli.runs_by_id import choice_of_run
from ospec.errors import ExitCode


@click.command("abort")
@click.argument("run", required=False)
@project_options
@json_option
def command(
    run: str | None, file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool
) -> int:
    """End the open run and return to the previous release.

    Exits with 0 once that is done, as `exit_code` of --json has it. The process that executes the run is asked to do
    it; where it is dead, this one does it in its place.
    """
    from ospec import flow
    from ospec.cli.finish import execute
    from ospec.planning import Wish

    given, run = choice_of_run(choice(file, environment, variables, starts_nothing=True), run)
    with opened(given, measuring(None, None)) as project:
        asked_for = {int(ExitCode.ABORTED): int(ExitCode.OK)}
        return execute(as_json, lambda watcher: flow.abort(project, Wish(run=run), watcher), means=asked_for)
