"""`ospec judge`."""

from __future__ import annotations

import click

from ospec.cli.lazy import LazyGroup

ACTIONS = {
    "replay": "Give the verdicts of a run again, from what its journal holds.",
    "backtest": "Judge past runs with the settings that the document has now.",
}


@click.group(cls=LazyGroup, package="ospec.cli", prefix="judge_", commands=ACTIONS)
def command() -> None:
    """Judge past runs again, or anew with other settings."""
