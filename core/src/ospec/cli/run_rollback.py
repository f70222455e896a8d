"""`ospec run rollback`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import (
    choice,
    json_option,
    measuring,
    opened,
    probe_option,
    project_options,
    telemetry_options,
    yes_option,
)


@click.command("rollback")
@project_options
@click.option("--to", metavar="RELEASE", help="The release to go back to. [default: the one that served before]")
@probe_option
@telemetry_options
@yes_option
@json_option
def command(
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    to: str | None,
    probe_rate: float,
    metrics_file: Path | None,
    pushgateway: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Go back to an earlier release.

    An open run is ended first, which returns to the release before it; that is all, unless --to names another one.
    """
    from ospec import flow
    from ospec.cli.agree import agreement
    from ospec.cli.finish import execute
    from ospec.planning import Wish, plan_rollback

    wish = Wish(to=to, probe_rate=probe_rate, asks=not yes, agree=agreement(as_json))
    with opened(choice(file, environment, variables), measuring(metrics_file, pushgateway)) as project:
        return execute(as_json, lambda watcher: flow.roll_back(project, plan_rollback, wish, watcher))
