"""Load for quiet services: stated requests at a stated rate to both releases, measured where they are sent.

They go to each slot's own address, so that no user's release is decided by them and no platform counts them as users'.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from itertools import cycle

from attrs import define, field

from ospec.front_door import Answer, Asker
from ospec.models.document import AnalysisLoad, LoadRequest
from ospec.models.live import Measurement, Slot

SOURCE = "load"
_BOUNDS_MS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650)
_BOUNDS_SLOW_MS = (800, 1000, 1500, 2000, 3000, 5000, 10000, 30000)
BOUNDS_MS = (*_BOUNDS_MS, *_BOUNDS_SLOW_MS)
"""Upper bounds of the histogram's buckets."""
_TIMEOUT_SECONDS = 10.0
_AT_ONCE = 8
"""Requests under way to each release at a time: a slow one does not silence the rest."""


@define
class _Bin:
    """One release's answers within one second."""

    requests: int = 0
    errors: int = 0
    counts: list[int] = field(factory=lambda: [0] * (len(BOUNDS_MS) + 1))


class Load:
    """Sends from `start` to `stop`; `measurements` gives what came back, by release and second."""

    def __init__(self, settings: AnalysisLoad, slots: Sequence[Slot], default_path: str) -> None:
        self._requests = settings.requests or (LoadRequest(default_path),)
        self._gap = _AT_ONCE / settings.requests_per_second
        self._slots = [slot for slot in slots if slot.address and slot.release]
        self._bins: dict[tuple[str, int], _Bin] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(slot, number + turn / len(self._slots)), name="load", daemon=True)
            for turn, slot in enumerate(self._slots)  # in turn, so that neither waits for the other at every request
            for number in range(_AT_ONCE)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=1.0)

    def measurements(self, since: float) -> list[Measurement]:
        """Whole seconds that began at `since` (Unix seconds) or later and are over."""
        with self._lock:
            over = {key: one for key, one in self._bins.items() if math.floor(since) <= key[1] < int(time.time())}
            return [made for (release, at), one in sorted(over.items()) for made in _measured(release, at, one)]

    def _send(self, slot: Slot, place: float) -> None:
        assert slot.address is not None
        assert slot.release is not None
        asker = Asker(slot.address, timeout_seconds=_TIMEOUT_SECONDS)
        due = time.monotonic() + place * self._gap / _AT_ONCE
        for request in cycle(self._requests):
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            answer = asker.ask(request.method, headers=request.headers, path=request.path, content=request.body)
            self._count(slot.release.name, answer)
            due = max(due + self._gap, time.monotonic())
        asker.close()

    def _count(self, release: str, answer: Answer) -> None:
        with self._lock:
            one = self._bins.setdefault((release, int(time.time())), _Bin())
            one.requests += 1
            one.errors += answer.failed
            one.counts[bisect_left(BOUNDS_MS, answer.latency_ms)] += 1


def _measured(release: str, at: int, one: _Bin) -> list[Measurement]:
    reached, buckets = 0, []
    for bound, count in zip(BOUNDS_MS, one.counts, strict=False):
        reached += count
        buckets.append((float(bound), reached))
    return [
        Measurement("requests", release, SOURCE, float(at), float(one.requests)),
        Measurement("errors", release, SOURCE, float(at), float(one.errors)),
        Measurement("request_duration_ms", release, SOURCE, float(at), float(one.requests), buckets=tuple(buckets)),
    ]
