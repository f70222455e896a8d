"""`ospec run`."""

from __future__ import annotations

import click

from ospec.cli.lazy import LazyGroup

ACTIONS = {
    "deploy": "Build, test, package and roll out a release, watched, with the way back ready.",
    "rollback": "Go back to an earlier release.",
    "health-check": "Ask the release that serves whether it is healthy.",
    "monitor": "Watch the release that serves, and tell people of alerts.",
}


class RunGroup(LazyGroup):
    """The actions, and every script of the document by its name."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None:
            from ospec.cli.run_script import script_command

            return script_command(cmd_name)
        return found


@click.group(cls=RunGroup, package="ospec.cli", prefix="run_", commands=ACTIONS)
def command() -> None:
    """Deploy, roll back, check health, or run one of the document's scripts.

    Every script of the document runs by its name: ospec run build, ospec run test, ospec run migrate…
    """
