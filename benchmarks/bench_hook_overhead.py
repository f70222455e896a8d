"""What spans and numbers add to one hook call: `python benchmarks/bench_hook_overhead.py`.

Calls a hook that does nothing: directly, and through the host with telemetry off, with numbers, with kept spans and
with both. The rounds alternate, so that a slow moment of the machine meets all alike; the median round counts. What is
compared is the dearest call without the SDK (numbers) and with it (spans and numbers), each less the direct call, so
that the host's own work (finding the function, checking its answer) is counted too.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ospec.hookspecs import hookimpl
from ospec.host.call import Host
from ospec.host.discover import load_plugins
from ospec.host.registry import collect
from ospec.models.context import ObserveContext
from ospec.models.live import LiveState
from ospec.models.target import Target
from ospec.telemetry import session
from ospec.telemetry.session import Telemetry

ROUNDS = 41
CALLS = 500
BOUNDS = {"sdk off": 10.0, "sdk on": 60.0}
"""Microseconds that one call may cost more."""
_STATE = LiveState()


class Plugin:
    """Answers at once."""

    @hookimpl
    def observe(self, ctx: ObserveContext) -> LiveState:
        return _STATE


def caller(telemetry: Telemetry | None) -> Callable[[], float]:
    """A function that gives the microseconds of one call, the mean of `CALLS`; a direct call without telemetry."""
    plugin = Plugin()
    loaded = load_plugins([], None, {"bench": plugin})
    measured = telemetry or session.off()
    host = Host(loaded, collect(loaded), measured)
    host = host.with_attributes(run="r1", service="bench", environment="production")
    context = ObserveContext(target=Target("bench", "", "production", "bench", "x"), home=Path())

    def through_host() -> None:
        for _ in range(CALLS):
            host.call("observe", context, ("bench",))

    def directly() -> None:
        for _ in range(CALLS):
            plugin.observe(context)

    def run() -> float:
        began = time.perf_counter()
        (through_host if telemetry else directly)()
        microseconds = (time.perf_counter() - began) * 1e6 / CALLS
        measured.take_spans()  # as the engine does after each step
        return microseconds

    return run


def measure() -> dict[str, float]:
    """Median microseconds a call, by what is measured."""
    with tempfile.TemporaryDirectory() as folder:
        telemetries = {
            "direct": None,
            "off": session.off(),
            "numbers": session.start(keep_spans=False, environ={}, metrics_file=Path(folder) / "a.prom"),
            "spans": session.start(keep_spans=True, environ={}),
            "spans+numbers": session.start(keep_spans=True, environ={}, metrics_file=Path(folder) / "b.prom"),
        }
        callers = {name: caller(telemetry) for name, telemetry in telemetries.items()}
        rounds = [{name: run() for name, run in callers.items()} for _ in range(ROUNDS)]
        for telemetry in telemetries.values():
            if telemetry is not None:
                telemetry.close()
    return {name: statistics.median(one[name] for one in rounds) for name in callers}


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    medians = measure()
    added = {
        "sdk off": medians["numbers"] - medians["direct"],
        "sdk on": medians["spans+numbers"] - medians["direct"],
    }
    report = {
        "microseconds_per_call": {name: round(value, 2) for name, value in medians.items()},
        "microseconds_added": {name: round(value, 2) for name, value in added.items()},
        "bounds": BOUNDS,
        "within_bounds": all(added[name] <= bound for name, bound in BOUNDS.items()),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["within_bounds"] else 1


if __name__ == "__main__":
    sys.exit(main())
