"""ospec's blue-green strategy."""

from __future__ import annotations

from collections.abc import Iterable

from ospec.hookspecs import hookimpl
from ospec.models.registration import Strategy

from ospec_plugin_blue_green.strategy import plan_blue_green


@hookimpl
def register_strategies() -> Iterable[Strategy]:
    """Name the strategy."""
    return [Strategy("blue-green", plan_blue_green, needs=("slots",), wants=("release_header", "metrics"))]
