"""Many blue-green deploys under open-loop load: `python benchmarks/bench_deploys.py [DEPLOYS] [RATE]`.

Requests leave on a fixed schedule over keep-alive connections while one release after another is deployed by the whole
command. Counted are failed requests, and requests sent after the command had verified its release that another one
answered. Measured is the time from the moment before the rename that gives the proxy its new weights to the first
complete answer of the new release, and what a deploy costs beyond the application's own start and the guard window:
the whole process, less the window that the document sets, less the median time that the bare application takes from
exec to its first answer beside the same load.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from ospec.testing.load import Load
from ospec.testing.load_samples import LoadResult
from workbench import SERVER, Run, Workbench, finish, free_port, spread, wait_for_answer

DEPLOYS, RATE, CONNECTIONS = 100, 2000.0, 64
CALM_DEPLOYS, STARTS = 15, 15
BOUNDS = {"failed": 0, "wrong": 0, "shift_p50_ms": 5.0, "shift_p99_ms": 25.0, "own_seconds_p50": 0.5}


def start_seconds(environ: dict[str, str]) -> float:
    """Median seconds from the start of the application's process to its first answer."""
    taken = []
    for _ in range(STARTS):
        port = free_port()
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-S", str(SERVER)], env={**environ, "PORT": str(port)})
        wait_for_answer(port)
        taken.append(time.perf_counter() - began)
        process.terminate()
        process.wait()
    return statistics.median(taken)


def wrong_after_verified(runs: Sequence[Run], load: LoadResult) -> int:
    """Requests sent between one release's verification and the next one's weights that another release answered."""
    spans = [(run.answer["release"], run.finished_at("verify")) for run in runs]
    until = [run.told_at[-1] for run in runs[1:]] + [float("inf")]
    wrong = at = 0
    for sample in sorted(load.samples, key=lambda one: one.sent_at):
        while at + 1 < len(spans) and sample.sent_at >= spans[at + 1][1]:
            at += 1
        name, verified = spans[at]
        # A request that an old route still carried when the next weights came may be answered by either.
        if verified < sample.sent_at < until[at] and sample.done_at < until[at] and sample.release != name:
            wrong += not sample.error
    return wrong


def step_seconds(runs: Sequence[Run]) -> dict[str, float]:
    """Median milliseconds of each step, and of the process before and after the journal."""
    names = [step["kind"] for step in runs[0].answer["steps"]]
    told = {name: statistics.median(float(run.step(name)["seconds"]) for run in runs) for name in names}
    told["before the run"] = statistics.median(run.records[0].at - run.began for run in runs)
    told["after the run"] = statistics.median(run.began + run.seconds - run.records[-1].at for run in runs)
    return {name: round(value * 1000, 1) for name, value in told.items()}


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    deploys = int(sys.argv[1]) if len(sys.argv) > 1 else DEPLOYS
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else RATE
    with Workbench() as bench:
        bench.deploy("first")
        calm_start = start_seconds(bench.environ)
        calm = [bench.deploy(f"calm{number:03}") for number in range(CALM_DEPLOYS)]
        with Load(bench.url, rate=rate, connections=CONNECTIONS) as load:
            start = start_seconds(bench.environ)
            runs = [bench.deploy(f"v{number:03}") for number in range(1, deploys + 1)]
        result = load.stop()
        shifts = [(result.by_release[run.answer["release"]].first_done - run.told_at[-1]) * 1000 for run in runs]
        own = [run.seconds - bench.window - calm_start for run in calm]
        own_under_load = [run.seconds - bench.window - start for run in runs]
    figures = {
        "failed": result.failed,
        "wrong": wrong_after_verified(runs, result),
        "shift_p50_ms": spread(shifts)["p50"],
        "shift_p99_ms": spread(shifts)["p99"],
        "own_seconds_p50": spread(own, 3)["p50"],
    }
    return finish(
        {
            "deploys": deploys,
            "promoted": sum(run.answer["outcome"] == "promoted" for run in runs),
            "requests": result.requests,
            "requests_per_second": round(result.requests / result.seconds, 1),
            "latency_ms": {"p50": result.p50_ms, "p99": result.p99_ms, "max": result.max_ms},
            "sent_late_p99_ms": result.sent_late_p99_ms,
            "errors": dict(result.errors),
            "shift_ms": spread(shifts),
            "own_seconds": spread(own, 3),
            "own_seconds_under_load": spread(own_under_load, 3),
            "application_start_seconds": {"calm": round(calm_start, 3), "under load": round(start, 3)},
            "median_milliseconds_by_step": {"calm": step_seconds(calm), "under load": step_seconds(runs)},
            "figures": figures,
            "bounds": BOUNDS,
            "within_bounds": all(figures[name] <= bound for name, bound in BOUNDS.items()),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
