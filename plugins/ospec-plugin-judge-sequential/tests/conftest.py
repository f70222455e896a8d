"""Bins of two releases for the tests, from stated numbers or from a seeded generator."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from ospec.converter import from_json, to_json
from ospec.models.judging import JudgedMetric, JudgeInput, Verdict
from ospec.models.live import Measurement
from ospec_plugin_judge_sequential.judge import judge

ERRORS = JudgedMetric(name="error_rate", kind="errors")
LATENCY = JudgedMetric(name="request_duration", kind="latency")
BOUNDS = (1, 2, 5, 10, 20, 35, 50, 80, 120, 200, 300, 500, 1000, 3000, 10000)
Sampler = Callable[[np.random.Generator, int], Any]
"""Milliseconds of so many answers."""


@pytest.fixture
def traffic() -> Any:
    """Everything in this file."""
    return sys.modules[__name__]


def counted(release: str, second: float, requests: float, errors: float, source: str = "envoy") -> list[Measurement]:
    """One second of requests and errors."""
    return [
        Measurement("requests", release, source, second, requests),
        Measurement("errors", release, source, second, errors),
    ]


def timed(release: str, second: float, times: Any, source: str = "envoy") -> Measurement:
    """One second of answers that took so many milliseconds each."""
    kept = np.sort(np.asarray(times, dtype=float))
    buckets = tuple((float(bound), int(np.searchsorted(kept, bound, "right"))) for bound in BOUNDS)
    return Measurement("request_duration_ms", release, source, second, float(kept.size), 1.0, buckets)


def healthy(random: np.random.Generator, count: int) -> Any:
    """Median 20 ms, p99 about 81 ms."""
    return random.lognormal(np.log(20.0), 0.6, count)


def seconds(
    count: int,
    *,
    errors: tuple[float, float] = (0.002, 0.002),
    times: tuple[Sampler, Sampler] = (healthy, healthy),
    requests: tuple[int, int] = (20, 180),
    seed: int = 1,
) -> Iterator[list[Measurement]]:
    """The bins of each second; pairs are (v2, the candidate; v1, the stable release)."""
    random = np.random.default_rng(seed)
    for second in range(count):
        bins = []
        for release, share, sample, size in zip(("v2", "v1"), errors, times, requests, strict=True):
            bins += counted(release, float(second), float(size), float(random.binomial(size, share)))
            bins.append(timed(release, float(second), sample(random, size)))
        yield bins


def looks(
    bins: Iterable[Sequence[Measurement]],
    metrics: Sequence[JudgedMetric] = (ERRORS, LATENCY),
    state: dict[str, Any] | None = None,
    **fields: Any,
) -> Iterator[Verdict]:
    """A verdict after each of the lists of bins; state and input pass through JSON each time."""
    kept = state or {}
    for one in bins:
        given = JudgeInput(
            candidate="v2", bins=tuple(one), metrics=tuple(metrics), state=kept, **{"stable": "v1", **fields}
        )
        stored = from_json(json.loads(json.dumps(to_json(given))), JudgeInput)
        verdict = judge(stored if given.settings is None else given)
        kept = json.loads(json.dumps(verdict.state))
        yield verdict


def first(verdicts: Iterable[Verdict], outcome: str) -> tuple[int, Verdict] | None:
    """(number of the look, verdict) of the first one with this outcome."""
    return next(((at, one) for at, one in enumerate(verdicts) if one.outcome == outcome), None)


def last(verdicts: Iterable[Verdict]) -> Verdict:
    """The last verdict."""
    *_, verdict = verdicts
    return verdict
