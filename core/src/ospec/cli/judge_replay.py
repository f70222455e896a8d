"""`ospec judge replay`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json


@click.command("replay")
@click.argument("run")
@project_options
@json_option
def command(run: str, file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> int:
    """Give the verdicts of a run again, from what its journal holds.

    Exits with 1 where one comes out otherwise than it was.
    """
    from ospec.engine.journal import fold
    from ospec.engine.looks import looks_of, replayed
    from ospec.errors import RefusedError

    with opened(choice(file, environment, variables)) as project:
        header = project.store().header(run)
        looks = looks_of(fold(project.store().records(header.run)))
        if not looks:
            raise RefusedError(f"nothing was judged in run {header.run}", code="nothing-judged")
        found = replayed(looks, project.judge(looks[0]["judge"])[0])
    if as_json:
        told = {"looks": found.looks, "differing": list(found.differing), "outcome": found.outcome}
        print_json({"schema": "ospec.replay/1", "run": header.run, **told, "sentence": found.sentence})
    elif found.differing:
        click.echo(f"{len(found.differing)} of {found.looks} verdicts came out otherwise: looks {found.differing}")
    else:
        click.echo(f"all {found.looks} verdicts came out the same; the last: {found.outcome}: {found.sentence}")
    return 1 if found.differing else 0
