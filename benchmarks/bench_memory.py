"""The most memory that the CLI's own process holds over a whole deploy: `python benchmarks/bench_memory.py`.

The kernel's own count of the process (`wait4`), for a first deploy and for one that replaces it, each with the watch,
the prober and the evidence. What it starts (proxy, supervisor, application) are processes of their own.
"""

from __future__ import annotations

import sys

from workbench import Workbench, finish

BOUND = 80.0
"""Megabytes (10^6 bytes)."""


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    with Workbench(window=5.0) as bench:
        runs = {"first deploy": bench.deploy("v1"), "next deploy": bench.deploy("v2"), "unchanged": bench.deploy("v2")}
    megabytes = {name: round(run.peak_kilobytes * 1024 / 1e6, 1) for name, run in runs.items()}
    return finish(
        {
            "peak_megabytes": megabytes,
            "outcomes": {name: run.answer["outcome"] for name, run in runs.items()},
            "bound": BOUND,
            "within_bounds": max(megabytes.values()) <= BOUND,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
