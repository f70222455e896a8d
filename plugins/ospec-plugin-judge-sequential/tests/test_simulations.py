"""Many simulated rollouts with fixed seeds, by the judge's own arithmetic; benchmarks/bench_judge.py does more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from ospec.models.judging import JudgedMetric, JudgeInput, VerdictOutcome
from ospec_plugin_judge_sequential.batch import nothing, only, see
from ospec_plugin_judge_sequential.comparisons import comparisons_of
from ospec_plugin_judge_sequential.decision import OUTCOMES, decide
from ospec_plugin_judge_sequential.evidence import Counts
from ospec_plugin_judge_sequential.settings import JudgeSettings

ERRORS = JudgedMetric(name="error_rate", kind="errors")
CPU = JudgedMetric(name="cpu_usage", kind="gauge")
MEMORY = JudgedMetric(name="memory_usage", kind="gauge")
SETTINGS = JudgeSettings()


def requests_until(
    outcome: VerdictOutcome,
    errors: tuple[float, float],
    weight: float,
    *,
    rollouts: int = 400,
    seconds: int = 200,
    rate: float = 200.0,
    metrics: tuple[JudgedMetric, ...] = (ERRORS,),
    shared: Callable[[int], float] = lambda second: 0.0,
    seed: int = 1,
) -> NDArray[np.float64]:
    """Candidate requests until an outcome, looked at after every second; infinity where it does not come."""
    random = np.random.default_rng(seed)
    comparisons = comparisons_of(JudgeInput(candidate="v2", stable="v1", metrics=metrics), SETTINGS)
    tally, alive = nothing(rollouts, comparisons), np.arange(rollouts)
    taken = np.full(rollouts, np.inf)
    for second in range(seconds):
        total = random.poisson(rate, alive.size)
        own = random.binomial(total, weight)
        rates = [1 - (1 - share) * (1 - shared(second)) for share in errors]
        hits = random.binomial(own, rates[0])
        columns = np.zeros((5, alive.size, len(comparisons.each)))
        columns[:, :, 0] = own, hits, total - own, random.binomial(total - own, rates[1]), hits
        tally = see(tally, Counts(*columns), comparisons, SETTINGS)
        over = decide(tally, comparisons, SETTINGS).outcome == OUTCOMES.index(outcome)
        taken[alive[over]] = tally.counts.candidate[over, 0]
        tally, alive = only(tally, np.flatnonzero(~over)), alive[~over]
        if not alive.size:
            break
    return taken


@pytest.mark.parametrize(("weight", "share"), [(0.1, 0.01), (0.5, 0.01), (0.1, 0.2)])
def test_good_rollouts_are_sent_back_in_one_of_a_hundred_at_most(weight: float, share: float) -> None:
    taken = requests_until("regress", (share, share), weight, rollouts=1500, seconds=150)
    assert np.isfinite(taken).mean() <= 0.01


def test_so_are_those_with_bursts_on_both_releases() -> None:
    taken = requests_until(
        "regress", (0.01, 0.01), 0.25, rollouts=1000, seconds=120, shared=lambda second: 0.4 * (second % 30 < 4)
    )
    assert np.isfinite(taken).mean() <= 0.01


@pytest.mark.parametrize(("weight", "limit"), [(0.1, 416.0), (0.5, 880.0)])
def test_three_times_the_errors_are_found_near_the_limit_of_what_is_possible(weight: float, limit: float) -> None:
    """log(1/alpha) over the information per candidate request of the two-sample problem."""
    alone = requests_until("regress", (0.03, 0.01), weight, seconds=2000)
    assert alone.mean() <= 1.3 * limit
    of_three = requests_until("regress", (0.03, 0.01), weight, seconds=2000, metrics=(ERRORS, CPU, MEMORY))
    assert alone.mean() < of_three.mean() <= 1.6 * limit


def test_a_release_beyond_the_margin_passes_in_one_of_twenty_at_most() -> None:
    """The errors that it has more of are not enough to be sent back at once: only *pass* is watched."""
    taken = requests_until("pass", (0.031, 0.01), 0.5, rollouts=1000, seconds=60)
    assert np.isfinite(taken).mean() <= 0.05


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_good_releases_pass_at_about_a_thousand_requests(weight: float) -> None:
    taken = requests_until("pass", (0.01, 0.01), weight)
    assert np.median(taken) <= 1250
    assert np.isfinite(taken).mean() >= 0.98
