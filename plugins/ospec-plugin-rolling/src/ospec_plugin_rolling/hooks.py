"""ospec's rolling strategy."""

from __future__ import annotations

from collections.abc import Iterable

from ospec.hookspecs import hookimpl
from ospec.models.registration import Strategy

from ospec_plugin_rolling.strategy import plan_rolling


@hookimpl
def register_strategies() -> Iterable[Strategy]:
    """Name the strategy."""
    needs, wants = ("batches",), ("release_header", "metrics")
    return [Strategy("rolling", plan_rolling, needs=needs, wants=wants, in_place=True)]
