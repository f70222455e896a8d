"""`ospec prune`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json


@click.command("prune")
@project_options
@click.option("--warm", is_flag=True, help="Retire every slot that is kept warm, also before its time.")
@click.option(
    "--runs-older-than",
    "days",
    type=click.FloatRange(0),
    default=90.0,
    show_default=True,
    metavar="DAYS",
    help="Forget finished runs older than this; the newest 20 stay.",
)
@json_option
def command(
    file: Path | None, environment: str | None, variables: tuple[str, ...], warm: bool, days: float, as_json: bool
) -> None:
    """Retire slots kept warm and forget old runs and releases.

    A slot is retired once its warm time is over.
    """
    from ospec import upkeep

    with opened(choice(file, environment, variables, starts_nothing=True)) as project:
        slots, folders, runs = upkeep.tidy(project, everything_warm=warm, older_than_days=days)
        if as_json:
            print_json(
                {"schema": "ospec.prune/1", "retired_slots": slots, "removed_folders": folders, "forgotten_runs": runs}
            )
        else:
            click.echo(f"retired slots: {', '.join(slots) or 'none'}; removed {folders} snapshots; forgot {runs} runs")
