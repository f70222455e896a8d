"""`ospec promote`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json
from ospec.cli.runs_by_id import choice_of_run


@click.command("promote")
@click.argument("run", required=False)
@click.option("--full", is_flag=True, help="Do not wait at any later step either; the guard window still judges.")
@project_options
@json_option
def command(
    run: str | None,
    full: bool,
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    as_json: bool,
) -> None:
    """Have the open run go on from where it waits: a pause, a hold, an analysis.

    A release that was found to be worse is not promoted by this.
    """
    from ospec.runs import order

    given, run = choice_of_run(choice(file, environment, variables, starts_nothing=True), run)
    with opened(given) as project:
        header = order(project, "promote", run, full=full)
    if as_json:
        print_json({"schema": "ospec.order/1", "run": header.run, "order": "promote", "full": full})
    else:
        click.echo(f"run {header.run} goes on{' to all traffic' if full else ''}: ospec show {header.run}")
