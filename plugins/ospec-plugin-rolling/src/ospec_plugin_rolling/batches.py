"""How many instances of the new and of the old release there are after each batch: arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen
from ospec.errors import DocumentError
from ospec.models.document import Deployment

_SHARE = "25%"
"""Of both limits where neither is given, as Kubernetes has it."""


@frozen
class Limits:
    """What holds while instances are replaced; counts of instances."""

    batch: int
    """New instances started at a time, at most."""
    least_ready: int
    most: int
    """Instances of both releases together."""


def limits_of(deployment: Deployment, wanted: int) -> Limits:
    """`batch_size`, `max_unavailable` and `max_surge` as counts; of shares only the unavailable ones are rounded down.

    Raises:
        DocumentError: both limits come to 0, so that nothing could be replaced.
    """
    said = deployment.max_unavailable is not None or deployment.max_surge is not None
    unsaid = None if said else _SHARE
    unavailable = min(wanted, math.floor(_count(deployment.max_unavailable, wanted, unsaid)))
    surge = math.ceil(_count(deployment.max_surge, wanted, unsaid))
    if not unavailable and not surge:
        raise DocumentError(
            f"of {wanted} instances none may be missing and none may be added: nothing could be replaced",
            where="deployment.max_surge",
            hints=("set max_surge = 1, or max_unavailable = 1",),
        )
    batch = math.ceil(_count(deployment.batch_size, wanted, None)) or unavailable + surge
    return Limits(max(1, batch), wanted - unavailable, wanted + surge)


def batches(there: int, wanted: int, limits: Limits) -> list[tuple[int, int]]:
    """(new, old) instances after each batch, from `there` old ones to `wanted` new ones and no old one.

    An old instance goes only as far as `least_ready` allows with the new ones of the batches before, which are known to
    be healthy; new ones come only as far as `batch` and `most` allow.
    """
    made: list[tuple[int, int]] = []
    new, old = 0, there
    while new < wanted or old:
        old = min(old, max(0, limits.least_ready - new))
        new = min(wanted, new + limits.batch, max(new, limits.most - old))
        if made and made[-1] == (new, old):
            raise AssertionError(f"no progress from {there} to {wanted} within {limits}")
        made.append((new, old))
    return made


def way_back(there: int, forward: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(old, new) instances after each batch of the return: the states of the way there, in reverse."""
    states = [(0, there), *forward[:-1]]
    return [(old, new) for new, old in reversed(states)]


def _count(value: int | str | None, of: int, unsaid: str | None) -> float:
    given = value if value is not None else unsaid
    if isinstance(given, str):
        return of * int(given.removesuffix("%")) / 100
    return given or 0
