"""`ospec up`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, measuring, opened, project_options


@click.command("up")
@project_options
@json_option
def command(file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> int:
    """Bring back what served, after a reboot or a crash."""
    from ospec import flow
    from ospec.cli.finish import execute
    from ospec.planning import Wish, plan_up

    with opened(choice(file, environment, variables), measuring(None, None)) as project:
        return execute(as_json, lambda watcher: flow.run(project, plan_up, Wish(probe_rate=0), watcher))
