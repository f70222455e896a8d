"""Remembering which life of an instance was found well, so that one that ended after it is seen though it is back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from ospec.models.live import HealthResult

from ospec_plugin_local import pids
from ospec_plugin_local.place import Place

STEADY_SECONDS = 2.0
"""An instance that was started again is well once it has lived for so long."""


def after_falls(
    place: Place, program: str, life: dict[str, Any] | None, results: Sequence[HealthResult]
) -> Sequence[HealthResult]:
    """The results of one instance: gone where it answers well, but a life of it before this one did, too, and ended.

    Before an instance was well once, it may end and begin as it needs to: others that it waits for may start slower.

    Args:
        life: the record of the process from before it was asked.
    """
    kept = place.well(program)
    known = pids.read_record(kept)
    again = known is not None and known != _who(life)
    if not results or not all(one.healthy for one in results):
        if known is not None and not again and pids.same(life):  # a bad answer of one that lives, not an end
            return [evolve(one, gone=False) for one in results]
        return results
    if again and age(place.run / f"{program}.json") < STEADY_SECONDS:
        starts = (life or {}).get("starts", 0)
        detail = f"answers, but it ended after it had been well; started {starts} times"
        return [evolve(one, healthy=False, starting=True, gone=True, detail=detail) for one in results]
    if life is not None and (known is None or again):
        with contextlib.suppress(OSError):  # the folder went meanwhile, or the disk is full: the next look tells it
            pids.write_record(kept, _who(life))
    return results


def _who(life: dict[str, Any] | None) -> dict[str, Any]:
    return {name: (life or {}).get(name) for name in ("pid", "started", "boot")}


def age(path: Path) -> float:
    """Seconds since a file was written; 0 where it went."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # taken away meanwhile
        return 0.0
