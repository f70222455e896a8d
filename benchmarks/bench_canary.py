"""Canaries under load: `python benchmarks/bench_canary.py [ROLLOUTS]`.

Whole commands on the local platform, with the sequential judge and the light server as the application. Healthy ones:
six weights under 2,000 requests/s open-loop load; counted are failed requests, and how far the share of each weight was
from it (what the rollout itself verified on at least 1,000 requests without cookies). Bad ones: 5 % of the answers are
errors, 10 % weight, 200 requests/s; measured is the time from the first bad answer that a client got to the last answer
of the bad release, the bad answers in between, and the candidate's requests against what the judge itself needs for the
same difference (mean of simulated rollouts).
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
from judge_world import ERRORS, LATENCY, REGRESS, Simulation, World
from ospec.testing.load import Load
from workbench import Run, Workbench, finish, spread

ROLLOUTS, RATE, CONNECTIONS = 20, 2000.0, 64
BAD_ROLLOUTS, BAD_RATE = 8, 200.0
WEIGHTS = (5, 10, 20, 35, 50, 75)
STANDARD_ERRORS = 4.1
SAMPLE_RATIO = 1.5


def canary(bench: Workbench, weights: tuple[int, ...], hold_seconds: float) -> None:
    """Have the bench deploy canaries of these weights."""
    held = ", ".join(f"{{ weight = {weight}, hold_seconds = {hold_seconds} }}" for weight in weights)
    document = bench.folder / "app" / "ospec.toml"
    text = document.read_text().replace('strategy = "blue_green"', f'strategy = "canary"\nsteps = [{held}]')
    document.write_text(text.replace('"blue-green"', '"canary", "judge-sequential"'))


def healthy(rollouts: int) -> dict[str, Any]:
    """Rollouts of a release that is as good as the one before."""
    with Workbench() as bench:
        canary(bench, WEIGHTS, 1.0)
        bench.deploy("first")
        with Load(bench.url, rate=RATE, connections=CONNECTIONS) as load:
            runs = [bench.deploy(f"v{number:03}") for number in range(1, rollouts + 1)]
        result = load.stop()
    shares = [step["result"]["standard_errors"] for run in runs for step in verified(run)]
    return {
        "rollouts": len(runs),
        "promoted": sum(run.answer["outcome"] == "promoted" for run in runs),
        "requests": result.requests,
        "failed": result.failed,
        "shares_verified": len(shares),
        "worst_share_standard_errors": max(shares),
        "seconds": spread([run.seconds for run in runs], 1),
    }


def verified(run: Run) -> list[dict[str, Any]]:
    """The steps that verified a share."""
    return [step for step in run.answer["steps"] if "standard_errors" in (step["result"] or {})]


def bad(rollouts: int) -> dict[str, Any]:
    """Rollouts of a release that fails one request in twenty."""
    rows = []
    with Workbench() as bench:
        canary(bench, (10, 50), 600.0)
        bench.deploy("first")
        for number in range(rollouts):
            time.sleep(2.0)  # what is usual is learned from the release that serves
            (bench.folder / "app" / "errors.txt").write_text("0.05")
            with Load(bench.url, rate=BAD_RATE, connections=16) as load:
                run = bench.deploy(f"bad{number:02}", code=1)
                (bench.folder / "app" / "errors.txt").unlink()
            samples = [one for one in load.stop().samples if one.release == run.answer["release"]]
            errors = [one for one in samples if one.error]
            rows.append(
                {
                    "outcome": run.answer["outcome"],
                    "code": (run.answer["error"] or {}).get("code"),
                    "seconds": max(one.done_at for one in samples) - min(one.done_at for one in errors),
                    "bad_answers": len(errors),
                    "candidate_requests": len(samples),
                }
            )
    needed = judges_requests()
    requests = [row["candidate_requests"] for row in rows]
    return {
        "rollouts": len(rows),
        "sent_back": sum(row["code"] == "regressed" for row in rows),
        "first_bad_answer_to_none_seconds": spread([row["seconds"] for row in rows], 1),
        "bad_answers_seen": spread([float(row["bad_answers"]) for row in rows]),
        "candidate_requests": spread([float(one) for one in requests]),
        "judge_needs_requests": round(needed, 1),
        "mean_ratio": round(statistics.mean(requests) / needed, 2),
    }


def judges_requests(rollouts: int = 1000) -> float:
    """Mean candidate requests until the judge finds the same difference, in simulated rollouts."""
    world = World(candidate_errors=0.05, stable_errors=0.0, rate=BAD_RATE, weight=lambda second: 0.1)
    simulation = Simulation(world, rollouts, (ERRORS, LATENCY), seed=5)
    asked, needed = np.zeros(rollouts), np.zeros(rollouts)
    for second in range(600):
        decision = simulation.step(second)
        assert simulation.errors is not None
        asked[simulation.alive] += simulation.errors[0]
        over = decision.outcome == REGRESS
        needed[simulation.alive[over]] = asked[simulation.alive[over]]
        simulation.end(over)
        if not simulation.alive.size:
            break
    return float(needed.mean())


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    rollouts = int(sys.argv[1]) if len(sys.argv) > 1 else ROLLOUTS
    good, worse = healthy(rollouts), bad(BAD_ROLLOUTS)
    within = (
        good["failed"] == 0
        and good["promoted"] == rollouts
        and good["worst_share_standard_errors"] <= STANDARD_ERRORS
        and worse["sent_back"] == BAD_ROLLOUTS
        and worse["mean_ratio"] <= SAMPLE_RATIO
    )
    bounds = {"failed": 0, "standard_errors": STANDARD_ERRORS, "sample_ratio": SAMPLE_RATIO}
    return finish({"healthy": good, "bad": worse, "bounds": bounds, "within_bounds": within})


if __name__ == "__main__":
    sys.exit(main())
