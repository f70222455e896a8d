"""ospec's canary strategy."""

from __future__ import annotations

from collections.abc import Iterable

from ospec.hookspecs import hookimpl
from ospec.models.registration import Strategy

from ospec_plugin_canary.strategy import plan_canary


@hookimpl
def register_strategies() -> Iterable[Strategy]:
    """Name the strategy."""
    needs, wants = ("slots", "weighted_traffic"), ("release_header", "metrics", "header_routing")
    return [Strategy("canary", plan_canary, needs=needs, wants=wants)]
