"""Lines for the person who watches, each told once in a run; and servers that are left alone for a while."""

from __future__ import annotations

import time

from ospec.models.context import HookContext

_MOST_RUNS = 50
_told: dict[str, set[str]] = {}
_until: dict[str, float] = {}


def tell(ctx: HookContext, line: str) -> None:
    """Log a line, unless this run was told of it; never with a secret in it."""
    run = ctx.operation_id.partition("/")[0]
    if run not in _told and len(_told) >= _MOST_RUNS:
        _told.clear()
    lines = _told.setdefault(run, set())
    if line not in lines:
        lines.add(line)
        ctx.log(ctx.secrets.redact(f"prometheus: {line}"))


def leave_alone(url: str, seconds: float) -> None:
    """Ask this server nothing for a while: each look that waits for it in vain delays the health checks."""
    _until[url] = time.monotonic() + seconds


def left_alone(url: str) -> bool:
    """Whether it should not be asked now."""
    return time.monotonic() < _until.get(url, 0.0)


def forget() -> None:
    """What was told and left alone, forgotten: for tests, which are many runs in one process."""
    _told.clear()
    _until.clear()
