"""`ospec run deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ospec.cli.options import (
    choice,
    json_option,
    measuring,
    opened,
    probe_option,
    project_options,
    supersede_option,
    telemetry_options,
    yes_option,
)

if TYPE_CHECKING:
    from ospec.models.plan import Plan


@click.command("deploy")
@project_options
@click.option("--release", metavar="NAME", help="What to call the release. [default: from git, or the source digest]")
@click.option("--redeploy", is_flag=True, help="Deploy the same content again, as a new release NAME-r2.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Only if the plan is still this one.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@supersede_option
@probe_option
@telemetry_options
@yes_option
@json_option
def command(
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    release: str | None,
    redeploy: bool,
    plan_file: Path | None,
    dry_run: bool,
    supersede: bool,
    probe_rate: float,
    metrics_file: Path | None,
    pushgateway: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Build, test, package and roll out a release, watched, with the way back ready."""
    from ospec import flow
    from ospec.cli.agree import agreement, same_plan
    from ospec.cli.finish import execute
    from ospec.cli.plan import show
    from ospec.planning import Wish, plan_deploy

    agreed = same_plan(plan_file) if plan_file else None
    wish = Wish(
        release=release or (agreed.release_name if agreed else None),
        redeploy=redeploy or bool(agreed and agreed.redeploy),
        supersede=supersede,
        probe_rate=probe_rate,
        asks=not (yes or dry_run),
        agree=agreement(as_json),
        stale=agreed.check if agreed else _no_question,
    )
    given = choice(file, environment, variables)
    if dry_run:
        with opened(given) as project:
            show(project, plan_deploy(project, wish), as_json)
        return 0
    with opened(given, measuring(metrics_file, pushgateway)) as project:
        return execute(as_json, lambda watcher: flow.run(project, plan_deploy, wish, watcher))


def _no_question(plan: Plan) -> None:
    pass
