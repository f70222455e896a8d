"""`ospec resume`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, measuring, opened, probe_option, project_options, yes_option
from ospec.cli.runs_by_id import choice_of_run


@click.command("resume")
@click.argument("run", required=False)
@project_options
@probe_option
@yes_option
@json_option
def command(
    run: str | None,
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    probe_rate: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Go on with an interrupted run.

    It goes on where it stood; what was done is not done again. --yes also runs a cut script again that is to be
    asked about (rerun = "ask").
    """
    from ospec import flow
    from ospec.cli.finish import execute
    from ospec.planning import Wish

    given, run = choice_of_run(choice(file, environment, variables), run)
    with opened(given, measuring(None, None)) as project:
        wish = Wish(probe_rate=probe_rate, rerun=yes, run=run)
        return execute(as_json, lambda watcher: flow.resume(project, wish, watcher))
