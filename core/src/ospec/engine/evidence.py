"""The prober: asks the front door while traffic moves, and counts what users would have seen, by release."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ospec.front_door import Answer, Asker

_GROWTH = 1.05
"""Latencies fall into buckets whose bounds grow by 5 %, so that percentiles are right to 5 %."""
_MOST_FAILURES = 20
_UNAVAILABLE = 503


class Prober:
    """Asks `address` at a steady rate, on kept and on new connections in turn, from `start` to `stop`.

    Args:
        owner: who counts; the evidence of several owners of one run adds up.
        rate: requests a second.
        step: gives the step that runs now, for the list of failures.
        headers: by which the platform knows that no user asks.
    """

    def __init__(
        self,
        owner: str,
        address: str,
        path: str,
        rate: float,
        step: Callable[[], str],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._owner, self._rate, self._step = owner, rate, step
        self._address, self._path, self._headers = address, path, headers or {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._requests: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._buckets: dict[str, dict[int, int]] = {}
        self._failures: list[dict[str, Any]] = []
        self._maintenance = 0
        self.in_maintenance = False
        """While it is set, answers that nobody serves are what was planned, and no failures."""
        # Two at a time, so that one slow answer does not silence the other kind of connection.
        self._threads = [
            threading.Thread(target=self._ask, args=(fresh,), name="prober", daemon=True) for fresh in (False, True)
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask no more; waits for open requests a moment."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def evidence(self) -> Mapping[str, Any]:
        """What was counted since `start`: requests, failures, latency buckets, by release."""
        with self._lock:
            return {
                "owner": self._owner,
                "requests": dict(self._requests),
                "failed": dict(self._failed),
                "buckets": {
                    name: {str(key): count for key, count in kept.items()} for name, kept in self._buckets.items()
                },
                "failures": list(self._failures),
                "maintenance": self._maintenance,
            }

    def _ask(self, fresh: bool) -> None:
        asker = Asker(self._address, self._path, timeout_seconds=10.0, headers=self._headers)
        gap = 2.0 / self._rate
        due = time.monotonic() + (gap / 2 if fresh else 0.0)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            answer = asker.ask(fresh=fresh)
            self._count(answer)
            due = max(due + gap, time.monotonic() - 1.0)
        asker.close()

    def _count(self, answer: Answer) -> None:
        if self.in_maintenance and answer.status == _UNAVAILABLE and not answer.release:
            with self._lock:
                self._maintenance += 1
            return
        release = answer.release or "(none)"
        bucket = math.ceil(math.log(max(answer.latency_ms, 0.01), _GROWTH))
        with self._lock:
            self._requests[release] = self._requests.get(release, 0) + 1
            kept = self._buckets.setdefault(release, {})
            kept[bucket] = kept.get(bucket, 0) + 1
            if answer.failed:
                self._failed[release] = self._failed.get(release, 0) + 1
                if len(self._failures) < _MOST_FAILURES:
                    why = answer.error or f"status {answer.status}"
                    self._failures.append({"at": time.time(), "step": self._step(), "release": release, "why": why})


def summary(evidence: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up the evidence of all owners: requests, failed, percentiles in milliseconds, the same by release."""
    everything = list(evidence)
    releases = sorted({name for one in everything for name in one["requests"]})
    by_release = {name: _numbers(everything, [name]) for name in releases}
    failures = [failure for one in everything for failure in one["failures"]][:_MOST_FAILURES]
    maintenance = sum(one.get("maintenance", 0) for one in everything)
    return {
        **_numbers(everything, releases),
        "by_release": by_release,
        "failures": failures,
        "maintenance": maintenance,
    }


def _numbers(evidence: list[Mapping[str, Any]], releases: list[str]) -> dict[str, Any]:
    buckets: dict[int, int] = {}
    for one in evidence:
        for name in releases:
            for key, count in one["buckets"].get(name, {}).items():
                buckets[int(key)] = buckets.get(int(key), 0) + count
    return {
        "requests": sum(one["requests"].get(name, 0) for one in evidence for name in releases),
        "failed": sum(one["failed"].get(name, 0) for one in evidence for name in releases),
        **{f"p{percent}_ms": _percentile(buckets, percent) for percent in (50, 95, 99)},
    }


def _percentile(buckets: Mapping[int, int], percent: float) -> float | None:
    """The upper bound of the bucket in which the percentile lies; None without any request."""
    wanted = sum(buckets.values()) * percent / 100
    seen = 0
    for key in sorted(buckets):
        seen += buckets[key]
        if seen >= wanted:
            return round(_GROWTH**key, 2)
    return None
