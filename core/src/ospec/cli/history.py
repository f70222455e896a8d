"""`ospec history`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs
import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json, styled
from ospec.cli.runs_by_id import all_option, journal


@click.command("history")
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="The document.")
@click.option("-e", "--env", "environment", metavar="ENV", help="Only this environment.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@all_option
@json_option
def command(file: Path | None, environment: str | None, limit: int, every: bool, as_json: bool) -> None:
    """List the runs.

    Those of the document's service, in all of its environments; the newest comes first.
    """
    from ospec.project import Choice

    named = None if environment == "default" else environment
    with journal(Choice(file=file, environment=named)) as (service, store):
        runs = store.runs(service=None if every else service, environment=environment, limit=limit)
    if as_json:
        print_json({"schema": "ospec.history/1", "runs": [attrs.asdict(run) for run in runs]})
        return
    for run in runs:
        click.echo(_line(run))


def _line(run: Any) -> str:
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started_at))
    took = f"{run.finished_at - run.started_at:7.1f} s" if run.finished_at else "        –"
    outcome = run.outcome or "open"
    colour = {"promoted": "green", "unchanged": "green", "open": "cyan"}.get(outcome, "yellow")
    what = f"{run.action} {run.service} {run.release} in {run.environment}"
    return f"{run.run}  {began}  {took}  {styled(f'{outcome:9}', fg=colour)}  {what}"
