"""What of the machine the instances use, looked at each second: processor time and memory. Standard library only."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ospec_plugin_local import pids

_MOST_BINS = 7200
_LINUX = sys.platform == "linux"
Used = dict[int, tuple[float, int]]
"""Seconds of processor time and bytes of memory, by process group."""


class Usage:
    """Takes a look at every tick; bins of about one second, by the key of a deployment."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._last: dict[tuple[Any, ...], float] = {}
        self._last_at = 0.0
        self._bins: collections.deque[dict[str, Any]] = collections.deque(maxlen=_MOST_BINS)

    def tick(self) -> None:
        """Look once. An instance counts from the second look at it on."""
        now, at, used = {}, time.monotonic(), used_by_groups()
        seconds = at - self._last_at
        rows = collections.defaultdict(list)
        for record in _instances(self._run):
            who = (record["pid"], record["started"])
            if record["pid"] not in used:
                continue
            processor, memory = used[record["pid"]]
            now[who] = processor
            if who in self._last:
                rows[record["key"]].append((max(0.0, processor - self._last[who]) / seconds, memory / self._memory))
        for key, shares in rows.items():
            means = [sum(column) / len(shares) for column in zip(*shares, strict=True)]
            told = {"cluster": key, "at": time.time() - seconds, "seconds": seconds}
            self._bins.append({**told, "cpu_usage": means[0], "memory_usage": means[1]})
        self._last, self._last_at = now, at

    def since(self, at: float) -> list[dict[str, Any]]:
        """The bins that ended after `at` (Unix seconds)."""
        return [one for one in self._bins if one["at"] + one["seconds"] > at]


def used_by_groups() -> Used:
    """What each process group uses, summed over its processes; children that ended count with who waited for them."""
    found: Used = {}
    for group, seconds, memory in _processes() if _LINUX else _processes_by_ps():
        before = found.get(group, (0.0, 0))
        found[group] = (before[0] + seconds, before[1] + memory)
    return found


def _instances(run: Path) -> Iterator[dict[str, Any]]:
    """Who the instances that live are."""
    for path in run.glob("*.json"):
        record = pids.read_record(path)
        if record and record.get("key") and pids.same(record):
            yield record


def _processes() -> Iterator[tuple[int, float, int]]:
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for name in os.listdir("/proc"):  # noqa: PTH208 (each second, over all of the machine's processes)
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 (the same)
                fields = file.read().rpartition(b") ")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if fields:  # proc(5): 2 group, 11 to 14 user and system time of it and of its children, 21 pages in memory
            yield int(fields[2]), sum(map(int, fields[11:15])) / ticks, int(fields[21]) * page


def _processes_by_ps() -> Iterator[tuple[int, float, int]]:
    asked = subprocess.run(["ps", "-axo", "pgid=,rss=,time="], capture_output=True, text=True, check=False).stdout
    return read_ps(asked.splitlines())


def read_ps(lines: Iterable[str]) -> Iterator[tuple[int, float, int]]:
    """Group, seconds and bytes of each line of ``ps -axo pgid=,rss=,time=``; times are ``[[dd-]hh:]mm:ss[.cc]``."""
    for line in lines:
        group, kilobytes, told = line.split()
        days, _, clock = told.rpartition("-")
        seconds = 0.0
        for part in clock.split(":"):
            seconds = seconds * 60 + float(part)
        yield int(group), seconds + 86400 * int(days or 0), int(kilobytes) << 10
