"""`ospec history`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs
import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json, styled
from ospec.cli.runs_by_id import journal


@click.command("history")
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="The document.")
@click.option("-e", "--env", "environment", metavar="ENV", help="Only this environment.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@json_option
def command(file: Path | None, environment: str | None, limit: int, as_json: bool) -> None:
    """List the runs.

    The newest comes first.
    """
    from ospec.project import Choice

    store = journal(Choice(file=file))
    try:
        runs = store.runs(environment=environment, limit=limit)
    finally:
        store.close()
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
