"""How fast a bad release stops serving: `python benchmarks/bench_rollback.py [ROLLBACKS]`.

A release is replaced by another one, which is then called bad: `ospec run rollback` while the old release is still
warm, under open-loop keep-alive load. The time is from the start of the command's process to the last request that was
sent and answered by the bad release; failed requests are counted over everything.
"""

from __future__ import annotations

import sys

from ospec.testing.load import Load
from workbench import Workbench, finish, spread

ROLLBACKS, RATE, CONNECTIONS = 10, 2000.0, 64
BOUNDS = {"failed": 0, "last_on_bad_max_seconds": 1.0}


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    rollbacks = int(sys.argv[1]) if len(sys.argv) > 1 else ROLLBACKS
    with Workbench(keep_seconds=3600.0) as bench:
        bench.deploy("good")
        with Load(bench.url, rate=RATE, connections=CONNECTIONS) as load:
            runs = []
            for number in range(rollbacks):
                bench.deploy(f"bad{number}")
                runs.append(bench.run("run", "rollback", "--yes", "--json"))
        result = load.stop()
    until_last, until_weights, served = [], [], []
    for number, run in enumerate(runs):
        span = result.by_release[f"bad{number}"]
        until_last.append(span.last_done - run.began)
        until_weights.append(run.told_at[-1] - run.began)
        served.append(run.answer["release"])
    figures = {"failed": result.failed, "last_on_bad_max_seconds": spread(until_last, 3)["max"]}
    return finish(
        {
            "rollbacks": rollbacks,
            "back_on_good": served.count("good"),
            "requests": result.requests,
            "errors": dict(result.errors),
            "seconds_to_last_request_on_bad": spread(until_last, 3),
            "seconds_to_new_weights": spread(until_weights, 3),
            "seconds_of_the_command": spread([run.seconds for run in runs], 3),
            "figures": figures,
            "bounds": BOUNDS,
            "within_bounds": all(figures[name] <= bound for name, bound in BOUNDS.items())
            and served.count("good") == rollbacks,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
