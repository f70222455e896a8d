"""`[plugins.local]`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from attrs import fields_dict, frozen
from ospec.errors import DocumentError
from ospec.models.target import Target

_KINDS: dict[type, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,)}
_BOUNDS = {"port": (1, 65535), "stop_seconds": (0, 3600), "log_megabytes": (1, 4096), "log_files": (0, 100)}


@frozen
class LocalSettings:
    """How this machine serves one service in one environment."""

    port: int = 8080
    """Where users reach the service (the front door). Two services, or two environments, need two ports."""
    host: str = "127.0.0.1"
    """The address the front door listens on; ``0.0.0.0`` opens it to the network. All else stays on 127.0.0.1."""
    stop_seconds: float = 10.0
    """How long an instance may take to end after SIGTERM; then its whole process group is killed.
    One that runs keeps the time that it was started with."""
    log_megabytes: int = 10
    """When an instance's log starts anew."""
    log_files: int = 3
    """How many older logs of each instance are kept."""


def settings_of(target: Target) -> LocalSettings:
    """The settings of a target.

    Raises:
        DocumentError: one is unknown, of another kind, or out of its bounds.
    """
    given: Mapping[str, Any] = target.plugins.get("local", {})
    known = fields_dict(LocalSettings)
    for name, value in given.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise _invalid(name, "there is no such setting", hint)
        kind = type(known[name].default)
        if type(value) not in _KINDS[kind]:
            raise _invalid(
                name, f"expected {kind.__name__}, found {value!r}", f"its default is {known[name].default!r}"
            )
        low, high = _BOUNDS.get(name, (0, 0))
        if name in _BOUNDS and not low <= value <= high:
            raise _invalid(
                name, f"expected {low} to {high}, found {value!r}", f"its default is {known[name].default!r}"
            )
    return LocalSettings(**given)


def stop_seconds(target: Target) -> float:
    """How long an instance of the target may take to end; also of a target of long ago, whose settings may be wrong."""
    given = target.plugins.get("local", {}).get("stop_seconds")
    return float(given) if isinstance(given, int | float) else LocalSettings().stop_seconds


def _invalid(name: str, what: str, hint: str) -> DocumentError:
    return DocumentError(what, where=f"plugins.local.{name}", hints=(hint,))
