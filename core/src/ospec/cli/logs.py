"""`ospec logs`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict

from ospec.cli.options import choice, opened

if TYPE_CHECKING:
    from ospec.models.live import LiveState

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
        told = False
        try:
            for _, line in project.host.stream("logs", ctx, project.plugins):
                told = True
                if as_json:
                    click.echo(json.dumps({"schema": "ospec.log/1", **asdict(line)}, ensure_ascii=False))
                else:
                    click.echo(f"{line.slot} {line.instance} {line.release} | {line.text}")
        except KeyboardInterrupt:
            ctx.cancelled.set()
        if not (told or follow):  # slots that were taken away have logs, too, so that only silence is a question
            _refuse_unknown(project.observe(), slot, instance)


def _refuse_unknown(live: LiveState, slot: str | None, instance: str | None) -> None:
    """Raise `click.UsageError` where nothing can have been printed: there is no such slot, or instance in it."""
    slots = [one for one in live.slots if slot in (None, one.label, one.id)]
    if slot and not slots:
        raise click.UsageError(f"there is no slot {slot!r}; there are: {_names(one.label for one in live.slots)}")
    instances = {one.id for found in slots for one in found.instances}
    if instance and instance not in instances:
        raise click.UsageError(f"there is no instance {instance!r}; there are: {_names(instances)}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
