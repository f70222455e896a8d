"""Which releases a rollback may go back to, read from the runs: those before the one that serves, nearest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ospec.models.run import RunHeader


def ways_back(runs: Iterable[RunHeader], serving: str | None, known: Sequence[str]) -> list[str]:
    """Ids of the releases to go back to, the nearest first.

    Releases stand in the order in which they began to serve, as pages do in a browser: a rollback goes back along them,
    a deploy puts its release behind the one that serves and ends what stood there. So no rollback comes to a release
    that was itself left by one.

    Args:
        runs: those of one service and environment, newest first; the oldest may have been forgotten.
        serving: the release that serves now.
        known: releases that are kept, newest first.
    """
    order: list[str] = []
    left: set[str] = set()
    here = -1
    for run in sorted(runs, key=lambda one: (one.started_at, one.run)):
        if run.outcome != "promoted" or run.action not in ("deploy", "rollback"):
            continue
        if run.action == "rollback" and run.release_id in order:
            here = order.index(run.release_id)
            continue
        left.update(order[here + 1 :])
        left.discard(run.release_id)
        order = [*(one for one in order[: here + 1] if one != run.release_id), run.release_id]
        here = len(order) - 1
    if serving not in order:  # its runs were forgotten, so that only the order in which releases were kept is known
        return [one for one in known if one != serving]
    before = order[: order.index(serving)]
    forgotten = [one for one in known if one not in order and one not in left]
    return [one for one in [*reversed(before), *forgotten] if one in known]
