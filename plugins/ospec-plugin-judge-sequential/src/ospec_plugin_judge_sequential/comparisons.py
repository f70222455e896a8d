"""Which comparisons a set of metrics means: each one a test of two rates, or of one rate against a bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from attrs import frozen
from ospec.errors import DocumentError
from ospec.models.judging import JudgedMetric, JudgeInput

from ospec_plugin_judge_sequential.evidence import Array
from ospec_plugin_judge_sequential.settings import JudgeSettings

RUNGS = ("q50", "q95", "q99", "1.5*q99")
"""Thresholds of latency, by what they are of the stable release's earlier answers."""
_RUNG_MARGINS = (1.0, 0.5, 0.2, 0.2)
_EFFECTS = {"errors": 0.001, "latency": 0.1, "gauge": 0.2}
_MARGINS = {"errors": 0.02, "latency": 0.1, "gauge": 0.0}
BOUND_SHARE = 0.05
"""How much of a metric's evidence is kept for its absolute bound, which the guard window needs."""
LEAST_BLOCKS = 5
"""Comparisons of a gauge before it counts."""


class Comparison(NamedTuple):
    """One comparison. A tuple, since a look at many metrics makes thousands."""

    metric: int
    """Position of its metric."""
    against: str
    """``stable``, a rung of the latency ladder, or ``bound``."""
    weight: float
    """Its share of all evidence; the shares of all tests add up to 1."""
    bound: float = float("nan")
    """The rate that the candidate has to keep; NaN where it is compared with the stable release."""
    margin: float = 0.0
    effect: float = 0.0
    """By how much the candidate's rate must be above, besides, for evidence against it to count."""
    least: float = 0.0
    """Trials of the candidate before it counts."""
    active: bool = True
    """Whether it is judged in this phase."""
    paired: bool = True
    """Whether it needs a stable release beside the candidate."""


@frozen(eq=False, kw_only=True)
class Comparisons:
    """The comparisons as columns: one entry a test in each array."""

    each: tuple[Comparison, ...]
    metric: Array
    log_weight: Array
    bound: Array
    margin: Array
    effect: Array
    least: Array
    active: Array
    paired: Array
    needed: Array
    """Whether *pass* waits for the test's metric."""


def comparisons_of(given: JudgeInput, settings: JudgeSettings) -> Comparisons:
    """The comparisons that are meant, in the order of the metrics.

    Raises:
        DocumentError: two metrics have one name.
    """
    names = [metric.name for metric in given.metrics]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DocumentError(f"two metrics are called {twice!r}: each needs a name of its own", where="analysis.metrics")
    concurrent = given.phase == "canary" and bool(given.stable)
    each = tuple(one for at, metric in enumerate(given.metrics) for one in _of_metric(at, metric, settings, concurrent))
    total = max(sum(one.weight for one in each), 1e-300)

    def column(name: str) -> Array:
        return np.array([getattr(one, name) for one in each], dtype=np.float64)

    return Comparisons(
        each=each,
        metric=column("metric"),
        log_weight=np.log(np.maximum(column("weight") / total, 1e-300)) if each else np.zeros(0),
        bound=column("bound"),
        margin=column("margin"),
        effect=column("effect"),
        least=column("least"),
        active=column("active"),
        paired=column("paired"),
        needed=np.array([given.metrics[one.metric].needed for one in each], dtype=np.float64),
    )


def _of_metric(at: int, metric: JudgedMetric, settings: JudgeSettings, concurrent: bool) -> Iterator[Comparison]:
    """The tests of one metric. The weights do not depend on the phase: one alpha is spent over the whole rollout."""
    weight = metric.weight * settings.weights.get(metric.name, 1.0)
    margin = margin_of(metric, settings)
    stated = metric.bound is not None
    bounded = stated or metric.kind == "errors"
    beside = weight * (1.0 - BOUND_SHARE) if bounded else weight
    least = float(settings.min_requests)
    if metric.kind == "errors":
        effect = effect_of(metric, settings)
        yield Comparison(
            metric=at, against="stable", weight=beside, margin=margin, effect=effect, least=least, active=concurrent
        )
    elif metric.kind == "latency":
        for rung, part in zip(RUNGS, _RUNG_MARGINS, strict=True):
            share = beside / len(RUNGS)
            yield Comparison(
                metric=at, against=rung, weight=share, margin=margin * part, least=least, active=concurrent
            )
    else:
        yield Comparison(metric=at, against="stable", weight=beside, bound=0.5, least=LEAST_BLOCKS, active=concurrent)
    if bounded:
        yield Comparison(
            metric=at,
            against="bound",
            weight=weight * BOUND_SHARE,
            bound=rate_of_bound(metric, settings),
            least=LEAST_BLOCKS if metric.kind == "gauge" else least,
            active=stated or not concurrent,
            paired=False,
        )


def effect_of(metric: JudgedMetric, settings: JudgeSettings) -> float:
    """The smallest effect that matters of a metric."""
    default = settings.effects.get(metric.name, _EFFECTS[metric.kind])
    return default if metric.effect is None else metric.effect


def margin_of(metric: JudgedMetric, settings: JudgeSettings) -> float:
    """How much worse a metric may be and pass."""
    default = settings.margins.get(metric.name, _MARGINS[metric.kind])
    return default if metric.margin is None else metric.margin


def rate_of_bound(metric: JudgedMetric, settings: JudgeSettings) -> float:
    """A bound as a rate: of errors; of answers slower than `bound` ms; half of the time for a gauge."""
    if metric.kind == "errors":
        return settings.guard_error_rate if metric.bound is None else metric.bound
    return 1.0 - metric.quantile if metric.kind == "latency" else 0.5
