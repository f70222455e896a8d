"""`ospec logs`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from attrs import asdict

from ospec.cli.options import choice, opened

_FOLLOW = "\0"
"""What ``-f`` without a file stands for: no file has this name."""


@click.command("logs")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    is_flag=False,
    flag_value=_FOLLOW,
    metavar="[FILE]",
    help="With FILE: the document, as everywhere. Alone: the same as --follow.",
)
@click.option("-e", "--env", "environment", metavar="ENV", help="One of the document's environments.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set a ${NAME} of the document.")
@click.option("-s", "--slot", help="Only this slot.")
@click.option("-i", "--instance", help="Only this instance, as ospec status names it.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, show_default=True, help="The last lines of each.")
@click.option("-F", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(
    files: tuple[str, ...],
    environment: str | None,
    variables: tuple[str, ...],
    slot: str | None,
    instance: str | None,
    lines: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Show what the instances print."""
    from ospec.models.context import Deadline, LogsContext

    named = [Path(one) for one in files if one != _FOLLOW]
    follow = follow or _FOLLOW in files
    given = choice(named[-1] if named else None, environment, variables, starts_nothing=True)
    with opened(given) as project:
        ctx = LogsContext(
            target=project.target,
            home=project.home,
            secrets=project.secrets,
            deadline=Deadline.after(365 * 86400.0 if follow else 30.0),
            slot=slot,
            instance=instance,
            lines=lines,
            follow=follow,
        )
        try:
            for _, line in project.host.stream("logs", ctx, project.plugins):
                if as_json:
                    click.echo(json.dumps({"schema": "ospec.log/1", **asdict(line)}, ensure_ascii=False))
                else:
                    click.echo(f"{line.slot} {line.instance} {line.release} | {line.text}")
        except KeyboardInterrupt:
            ctx.cancelled.set()
