"""Simulated rollouts for bench_judge.py: requests of two releases, second by second, many rollouts at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from ospec.models.judging import JudgedMetric, JudgeInput
from ospec_plugin_judge_sequential.batch import nothing, only, see
from ospec_plugin_judge_sequential.comparisons import Comparisons, comparisons_of
from ospec_plugin_judge_sequential.decision import OUTCOMES, Decision, decide
from ospec_plugin_judge_sequential.evidence import Array, Counts, Tally
from ospec_plugin_judge_sequential.ladder import ANSWERS, rungs
from ospec_plugin_judge_sequential.settings import JudgeSettings

ERRORS = JudgedMetric(name="error_rate", kind="errors")
LATENCY = JudgedMetric(name="request_duration", kind="latency")
CPU = JudgedMetric(name="cpu_usage", kind="gauge")
SETTINGS = JudgeSettings()
REGRESS, PASS, NOT_ENOUGH = (OUTCOMES.index(one) for one in ("regress", "pass", "not-enough-data"))

Slower = Callable[[float], float]
"""The share of answers that take longer than so many milliseconds."""
BUCKETS = (1, 2, 3, 5, 8, 12, 20, 30, 40, 50, 65, 80, 100, 130, 160, 200, 300, 500, 800, 1300, 2000, 5000, 60000)
_MEDIAN_MS, _SPREAD = 20.0, 0.6


def comparisons(*metrics: JudgedMetric) -> Comparisons:
    """What the judge compares of these metrics during a canary."""
    return comparisons_of(JudgeInput(candidate="v2", stable="v1", metrics=metrics), SETTINGS)


def healthy(milliseconds: float, spread: float = _SPREAD) -> float:
    """Log-normal answers: median 20 ms, p99 about 81 ms."""
    return 0.5 * math.erfc(math.log(max(milliseconds, 1e-9) / _MEDIAN_MS) / (spread * math.sqrt(2.0)))


def tail_doubled(milliseconds: float) -> float:
    """The slowest 2 % take twice as long, so p99 doubles; p50 and p95 stay."""
    return min(healthy(milliseconds / 2.0), 0.02) + max(healthy(milliseconds) - 0.02, 0.0)


def two_humps(milliseconds: float) -> float:
    """7 of 10 answers take 100 times as long."""
    return 0.7 * healthy(milliseconds / 100.0) + 0.3 * healthy(milliseconds)


def spread_out(milliseconds: float) -> float:
    """The same median with twice the spread."""
    return healthy(milliseconds, 2.0 * _SPREAD)


@frozen(kw_only=True)
class World:
    """What both releases do."""

    candidate_errors: float = 0.01
    stable_errors: float = 0.01
    candidate_slower: Slower = healthy
    stable_slower: Slower = healthy
    rate: float = 200.0
    """Requests a second of both together, a Poisson number."""
    weight: Callable[[int], float] = lambda second: 0.1
    """The candidate's share of them by second."""
    shared_errors: Callable[[int], float] = lambda second: 0.0
    """More errors of both releases by second: a backend that both use."""
    retries: Callable[[int, NDArray[np.int64]], NDArray[np.int64]] | None = None
    """Failing requests of one client by second and rollout; they go to the candidate."""


Second = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Requests and errors of the candidate and of the stable release, by rollout."""


class Simulation:
    """Rollouts side by side. `alive` are positions of those that still run."""

    def __init__(self, world: World, rollouts: int, metrics: Sequence[JudgedMetric], seed: int) -> None:
        self.world, self.metrics = world, tuple(metrics)
        self.comparisons = comparisons(*metrics)
        self.random = np.random.default_rng(seed)
        self.tally = nothing(rollouts, self.comparisons)
        self.alive = np.arange(rollouts)
        self.numbers = np.arange(rollouts)
        self.histograms: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self.errors: Second | None = None
        self._cells = [
            -np.diff([1.0, *(slower(bound) for bound in BUCKETS[:-1]), 0.0])
            for slower in (world.candidate_slower, world.stable_slower)
        ]
        self._rungs = self._learn(rollouts) if LATENCY in metrics else np.zeros((rollouts, 0, 2), dtype=np.intp)

    def _learn(self, rollouts: int) -> NDArray[np.intp]:
        """The ladder of each rollout, from earlier answers of its own stable release, by the judge's own function."""
        earlier = self.random.multinomial(ANSWERS, self._cells[1], size=rollouts).cumsum(axis=1)
        ladders = [
            rungs([[float(bound), float(count)] for bound, count in zip(BUCKETS, row, strict=True)], ANSWERS, 0.1)
            for row in earlier.tolist()
        ]
        return np.searchsorted(np.array(BUCKETS), np.array(ladders))

    def step(self, second: int) -> Decision:
        """One more second of every rollout that runs, and the judge's look after it."""
        self.tally = see(self.tally, self._second(second), self.comparisons, SETTINGS)
        return decide(self.tally, self.comparisons, SETTINGS)

    def end(self, over: NDArray[np.bool_]) -> None:
        """Take rollouts out."""
        self.tally = only(self.tally, np.flatnonzero(~over))
        self.alive, self._rungs = self.alive[~over], self._rungs[~over]

    def _second(self, second: int) -> Counts:
        world, random = self.world, self.random
        total = random.poisson(world.rate, self.alive.size)
        candidate = random.binomial(total, world.weight(second))
        stable = total - candidate
        shared = world.shared_errors(second)
        failed = random.binomial(candidate, 1.0 - (1.0 - world.candidate_errors) * (1.0 - shared))
        beside = random.binomial(stable, 1.0 - (1.0 - world.stable_errors) * (1.0 - shared))
        if world.retries is not None:
            more = world.retries(second, self.alive)
            candidate, failed = candidate + more, failed + more
        self.errors = (candidate, failed, stable, beside)
        columns: list[Sequence[NDArray[np.int64]]] = []
        none = np.zeros_like(candidate)
        for metric in self.metrics:
            if metric.kind == "errors":
                columns += [(candidate, failed, stable, beside, failed), (none, none, none, none, none)]
            elif metric.kind == "latency":
                columns += self._latency(candidate, stable)
            else:
                columns.append((none, none, none, none, none))
        return Counts(*(np.stack(one, axis=1).astype(np.float64) for one in zip(*columns, strict=True)))

    def _latency(self, candidate: NDArray[np.int64], stable: NDArray[np.int64]) -> list[Sequence[NDArray[np.int64]]]:
        """The rungs' counts of answers that are slower, from histograms."""
        own, other = (
            self.random.multinomial(count, cells) for count, cells in zip((candidate, stable), self._cells, strict=True)
        )
        self.histograms = (own, other)
        slower_own, slower_other = (one.sum(axis=1, keepdims=True) - one.cumsum(axis=1) for one in (own, other))
        columns: list[Sequence[NDArray[np.int64]]] = []
        for rung in range(self._rungs.shape[1]):
            low, far = self._rungs[:, rung, 0], self._rungs[:, rung, 1]
            rows = np.arange(low.size)
            columns.append((candidate, slower_own[rows, low], stable, slower_other[rows, low], slower_own[rows, far]))
        return columns


def requests_until(
    world: World, metrics: Sequence[JudgedMetric], rollouts: int, seconds: int, outcome: int, seed: int = 1
) -> Array:
    """Candidate requests until a verdict is given, by rollout; infinity where it is not within `seconds`."""
    simulation = Simulation(world, rollouts, metrics, seed)
    requests, taken = np.zeros(rollouts), np.full(rollouts, np.inf)
    for second in range(seconds):
        decision = simulation.step(second)
        assert simulation.errors is not None
        requests[simulation.alive] += simulation.errors[0]
        over = decision.outcome == outcome
        if over.any():
            taken[simulation.alive[over]] = requests[simulation.alive[over]]
            simulation.end(over)
        if not simulation.alive.size:
            break
    assert outcome == NOT_ENOUGH or taken.min(initial=np.inf) >= SETTINGS.min_requests, "below the minimum sample"
    return taken


def part(tally: Tally, columns: slice) -> Tally:
    """The tally of some of the comparisons."""
    counts = tally.counts
    fields = (counts.candidate, counts.candidate_hits, counts.stable, counts.stable_hits, counts.far)
    return Tally(Counts(*(one[:, columns] for one in fields)), tally.worse[:, columns], tally.fine[:, columns])


def mann_whitney(candidate: Array, stable: Array) -> Array:
    """z of the Mann-Whitney test that the candidate's values are larger, from counts by cell, ties corrected for."""
    own, other = candidate.sum(axis=1), stable.sum(axis=1)
    below = stable.cumsum(axis=1) - stable
    pairs = (candidate * (below + 0.5 * stable)).sum(axis=1)
    total = own + other
    ties = ((candidate + stable) ** 3 - (candidate + stable)).sum(axis=1) / np.maximum(total * (total - 1.0), 1.0)
    variance = own * other / 12.0 * (total + 1.0 - ties)
    return np.asarray((pairs - own * other / 2.0) / np.sqrt(np.maximum(variance, 1e-12)))
