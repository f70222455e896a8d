"""ospec's recreate strategy."""

from __future__ import annotations

from collections.abc import Iterable

from ospec.hookspecs import hookimpl
from ospec.models.registration import Strategy

from ospec_plugin_recreate.strategy import plan_recreate


@hookimpl
def register_strategies() -> Iterable[Strategy]:
    """Name the strategy."""
    wants = ("maintenance", "release_header", "metrics")
    return [Strategy("recreate", plan_recreate, needs=("batches",), wants=wants, in_place=True)]
