"""`ospec judge backtest`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json

if TYPE_CHECKING:
    from ospec.project import Project

_MOST_RUNS = 100_000


@click.command("backtest")
@click.option("--since", default="30d", show_default=True, metavar="AGE", help="Runs that started within this time.")
@project_options
@json_option
def command(since: str, file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> None:
    """Judge past runs with the settings that the document has now.

    What would have been sent back, and after which look; nothing is changed.
    """
    with opened(choice(file, environment, variables)) as project:
        rows = list(_rows(project, time.time() - _seconds(since)))
    if as_json:
        print_json({"schema": "ospec.backtest/1", "runs": rows})
        return
    for row in rows:
        changed = "" if row["now"] == row["was"] else f"  was {row['was']}"
        click.echo(
            f"{row['run']}  {row['release']:24} {row['now']} at look {row['at_look']} of {row['looks']}{changed}"
        )
        click.echo(f"    {row['sentence']}")
    click.echo(f"{len(rows)} runs were judged; {sum(row['now'] != row['was'] for row in rows)} come out otherwise")


def _rows(project: Project, after: float) -> Iterator[dict[str, Any]]:
    from ospec.engine.journal import fold
    from ospec.engine.looks import judged_anew, looks_of
    from ospec.judges import bounds
    from ospec.judges.metrics import judged_metrics

    judge, settings = project.judge(project.chosen_judge() or bounds.NAME)
    metrics = judged_metrics(project.target)
    for header in project.store().runs(project.target.service, project.target.environment, limit=_MOST_RUNS):
        looks = looks_of(fold(project.store().records(header.run))) if header.started_at >= after else []
        if looks:
            found = judged_anew(looks, judge, settings, metrics)
            was, now = looks[-1]["verdict"]["outcome"], found.outcome
            told = {"at_look": found.at_look, "looks": found.looks, "sentence": found.sentence}
            yield {"run": header.run, "release": header.release, "was": was, "now": now, **told}


def _seconds(age: str) -> float:
    """``90s``, ``30m``, ``12h``, ``7d`` in seconds; raises `click.UsageError` for anything else."""
    from ospec.stages.shape import DURATION, DURATION_WORDS, UNITS

    match = DURATION.fullmatch(age.strip())
    if not match:
        raise click.UsageError(f"--since {age}: expected {DURATION_WORDS}")
    return float(match[1]) * UNITS[match[2]]
