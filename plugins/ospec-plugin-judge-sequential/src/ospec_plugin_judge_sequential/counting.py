"""From a pair of rows to trials and hits of each comparison of a metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ospec.models.judging import JudgedMetric
from ospec.models.measuring import merged

from ospec_plugin_judge_sequential.ladder import ANSWERS, rungs, slower
from ospec_plugin_judge_sequential.rows import Row
from ospec_plugin_judge_sequential.seconds import Closed

Event = tuple[int, float, float, float, float, float]
"""(place of the comparison among its metric's, then the fields of `Counts`): what one second adds to it."""


def count(metric: JudgedMetric, closed: Closed, learned: Mapping[str, Any], effect: float) -> Iterator[Event]:
    """What closed seconds add to the comparisons of a metric; those with the stable release need both in a second."""
    for candidate, stable in closed:
        if metric.kind == "errors":
            yield from _errors(candidate, stable)
        elif metric.kind == "gauge":
            yield from _gauge(metric, candidate, stable, effect)
        elif candidate is not None:
            yield from _latency(metric, candidate, stable, learned)


def _errors(candidate: Row | None, stable: Row | None) -> Iterator[Event]:
    if candidate is None:
        return
    requests, errors = candidate
    if stable is not None:
        yield 0, requests, errors, stable[0], stable[1], errors
    yield 1, requests, errors, 0.0, 0.0, errors


def _latency(metric: JudgedMetric, candidate: Row, stable: Row | None, learned: Mapping[str, Any]) -> Iterator[Event]:
    answers, buckets = candidate
    ladder = learned.get("rungs", ())
    for at, (threshold, far) in enumerate(ladder if stable is not None else ()):
        assert stable is not None
        hits, beside = slower(buckets, answers, threshold), slower(stable[1], stable[0], threshold)
        yield at, answers, hits, stable[0], beside, slower(buckets, answers, far)
    if metric.bound is not None:
        beyond = slower(buckets, answers, first_bound(buckets, metric.bound))
        yield 4, answers, beyond, 0.0, 0.0, beyond


def first_bound(buckets: list[list[float]], milliseconds: float) -> float:
    """The first bound of a bucket that is not below: an answer within the bound is never counted as beyond it."""
    return next((bound for bound, _ in buckets if bound >= milliseconds), float("inf"))


def _gauge(metric: JudgedMetric, candidate: Row | None, stable: Row | None, effect: float) -> Iterator[Event]:
    if candidate is None:
        return
    sign = 1.0 if metric.worse == "higher" else -1.0
    value = candidate[0] / candidate[1]
    if stable is not None:
        beside = stable[0] / stable[1]
        worse = float(sign * (value - beside) > effect * abs(beside))
        yield 0, 1.0, worse, 1.0, 0.0, worse
    if metric.bound is not None:
        worse = float(sign * (value - metric.bound) > 0)
        yield 1, 1.0, worse, 0.0, 0.0, worse


def learn(closed: Closed, learned: Mapping[str, Any], effect: float) -> tuple[Closed, Mapping[str, Any]]:
    """Learn the ladder from stable answers that come before the candidate's; the seconds left are judged by it."""
    if "rungs" in learned:
        return closed, learned
    answers, buckets = learned.get("answers", 0.0), learned.get("buckets", [])
    for at, (candidate, stable) in enumerate(closed):
        if answers >= ANSWERS and candidate is not None:
            return closed[at:], {"rungs": [list(rung) for rung in rungs(buckets, answers, effect)]}
        if stable is not None:
            answers, buckets = answers + stable[0], merged(buckets, stable[1])
    return [], {"answers": answers, "buckets": buckets}
