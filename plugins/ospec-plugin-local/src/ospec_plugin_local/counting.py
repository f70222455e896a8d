"""Counting requests by cluster: the difference of Envoy's own counters from second to second. Standard library only."""

from __future__ import annotations

import collections
import json
import re
import time
from typing import Any

from ospec_plugin_local.admin import AdminError, get

_STATS = (
    "/stats?format=json&histogram_buckets=cumulative&usedonly"
    r"&filter=^cluster\..*\.upstream_rq_(completed|5xx|time)$"
)
_NAME = re.compile(r"cluster\.(.+)\.upstream_rq_(completed|5xx|time)")
_MOST_BINS = 7200
Numbers = dict[str, dict[str, Any]]


class Counter:
    """Takes a look at every tick and keeps what changed: bins of about one second, at most two hours of them."""

    def __init__(self, admin: str) -> None:
        self._admin = admin
        self._last: Numbers | None = None
        self._last_at = 0.0
        self._bins: collections.deque[dict[str, Any]] = collections.deque(maxlen=_MOST_BINS)

    @property
    def began(self) -> bool:
        """Whether it has found Envoy once."""
        return self._last is not None

    def tick(self) -> None:
        """Look once; an Envoy that does not answer is asked again at the next tick."""
        try:
            now = read_numbers(get(self._admin, _STATS, seconds=1.0))
        except (AdminError, ValueError, KeyError):
            return
        at = time.time()
        if self._last is not None:
            for cluster, numbers in now.items():
                change = difference(self._last.get(cluster, {}), numbers)
                if change["requests"] or change["timed"]:
                    self._bins.append(
                        {"cluster": cluster, "at": self._last_at, "seconds": at - self._last_at, **change}
                    )
        self._last, self._last_at = now, at

    def since(self, at: float) -> list[dict[str, Any]]:
        """The bins that ended after `at` (Unix seconds)."""
        return [one for one in self._bins if one["at"] + one["seconds"] > at]


def read_numbers(answer: bytes) -> Numbers:
    """Envoy's JSON as ``{cluster: {"completed": n, "5xx": n, "time": [[upper bound in ms, count], …]}}``."""
    found: Numbers = {}
    for entry in json.loads(answer)["stats"]:
        if "histograms" in entry:
            for histogram in _histograms(entry["histograms"]):
                named = _NAME.fullmatch(histogram["name"])
                if named:
                    buckets = [[one["upper_bound"], one["cumulative"]] for one in histogram["buckets"]]
                    found.setdefault(named[1], {})["time"] = buckets
            continue
        named = _NAME.fullmatch(entry.get("name", ""))
        if named:
            found.setdefault(named[1], {})[named[2]] = entry["value"]
    return found


def _histograms(answer: Any) -> list[dict[str, Any]]:
    return answer if isinstance(answer, list) else answer.get("details", [])


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What was added from one look to the next; all of it where Envoy began to count anew."""
    restarted = after.get("completed", 0) < before.get("completed", 0)
    base = {} if restarted else before
    old = dict(base.get("time", []))
    buckets = [[bound, count - old.get(bound, 0)] for bound, count in after.get("time", [])]
    return {
        "requests": after.get("completed", 0) - base.get("completed", 0),
        "errors": after.get("5xx", 0) - base.get("5xx", 0),
        "timed": max((count for _, count in buckets), default=0),
        "buckets": buckets,
    }


def less(bin_: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """What is left of a bin without a part of it that was counted in the same second; never below nothing."""
    taken = [(bound, count) for bound, count in part["buckets"]]
    left = [[bound, max(0, count - _at_most(taken, bound))] for bound, count in bin_["buckets"]]
    return {
        **bin_,
        "requests": max(0, bin_["requests"] - part["requests"]),
        "errors": max(0, bin_["errors"] - part["errors"]),
        "timed": max(0, bin_["timed"] - part["timed"]),
        "buckets": left,
    }


def _at_most(buckets: list[tuple[float, int]], bound: float) -> int:
    return max((count for upper, count in buckets if upper <= bound), default=0)
