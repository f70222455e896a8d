"""`ospec pause`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json
from ospec.cli.runs_by_id import choice_of_run


@click.command("pause")
@click.argument("run", required=False)
@project_options
@json_option
def command(
    run: str | None, file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool
) -> None:
    """Have the open run go no further, until ospec promote.

    It stays where it is and goes on judging: a release that is found to be worse is sent back as ever.
    """
    from ospec.runs import order

    given, run = choice_of_run(choice(file, environment, variables, starts_nothing=True), run)
    with opened(given) as project:
        header = order(project, "pause", run)
    if as_json:
        print_json({"schema": "ospec.order/1", "run": header.run, "order": "pause"})
    else:
        click.echo(f"run {header.run} goes no further until: ospec promote {header.run}")
