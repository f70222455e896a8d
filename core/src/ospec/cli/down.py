"""`ospec down`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ospec.cli.options import choice, json_option, opened, project_options, yes_option
from ospec.cli.output import print_json


@click.command("down")
@project_options
@yes_option
@json_option
def command(file: Path | None, environment: str | None, variables: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Take the service away: processes, sockets and ports.

    Releases and journals stay.
    """
    from ospec import upkeep

    with opened(choice(file, environment, variables, starts_nothing=True)) as project:
        target = project.target
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise click.UsageError("nobody can be asked here: add --yes")
            click.confirm(
                f"Take {target.service} in {target.environment} away? Nobody will be served", abort=True, err=True
            )
        closed = upkeep.take_down(project)
        if as_json:
            print_json(
                {
                    "schema": "ospec.down/1",
                    "service": target.service,
                    "environment": target.environment,
                    "closed_run": closed,
                }
            )
            return
        if closed:
            click.echo(f"closed run {closed}, which was open")
        click.echo(f"{target.service} in {target.environment} is down; ospec run deploy brings it back")
