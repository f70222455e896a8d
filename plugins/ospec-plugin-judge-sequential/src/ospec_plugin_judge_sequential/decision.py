"""From evidence to an outcome: for one rollout, or for arrays of rollouts at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from ospec.models.judging import VerdictOutcome

from ospec_plugin_judge_sequential.comparisons import Comparisons
from ospec_plugin_judge_sequential.evidence import (
    LOG_CHANCE_WEIGHTS,
    LOG_RISK_WEIGHTS,
    Array,
    Counts,
    Tally,
    against,
    in_favour,
    mean,
)
from ospec_plugin_judge_sequential.settings import JudgeSettings

OUTCOMES: tuple[VerdictOutcome, ...] = ("not-enough-data", "no-regression", "pass", "regress")
BINS_THAT_AGREE = 3
"""No verdict rests on fewer bins: each may say at most this part of what is needed."""
Truth = NDArray[np.bool_]


@frozen(eq=False, kw_only=True)
class Decision:
    """Outcomes (positions in `OUTCOMES`) and what they rest on. The last axis is that of the comparisons."""

    outcome: Any
    """Of the whole rollout: without the last axis."""
    evidence: Array
    """Log of the e-value of all comparisons together; without the last axis."""
    against: Array
    """Log of each comparison's own e-value that the candidate is worse."""
    favour: Array
    """Log of each one's e-value that it is within its margin."""
    excess: Array
    """The candidate's rate of hits that matter, less the stable release's or the bound."""
    enough: Truth
    passed: Truth


def weigh(counts: Counts, bound: Array, margin: Array, settings: JudgeSettings) -> tuple[Array, Array]:
    """What bins say: log factors against the candidate and for it."""
    cap_against = -np.log(settings.alpha) / BINS_THAT_AGREE
    cap_for = -np.log1p(-settings.confidence) / BINS_THAT_AGREE
    return against(counts, bound, cap_against), in_favour(counts, bound, margin, cap_for)


def decide(tally: Tally, comparisons: Comparisons, settings: JudgeSettings) -> Decision:
    """Read the evidence. Valid at every look, since each e-value is: nothing here depends on how often one looks."""
    counts, active, paired = tally.counts, comparisons.active > 0, comparisons.paired > 0
    sampled = counts.candidate >= comparisons.least
    enough = sampled & (~paired | (counts.stable >= comparisons.least))
    beside = counts.stable_hits / np.maximum(counts.stable, 1.0)
    reference = np.where(np.isnan(comparisons.bound), beside, comparisons.bound)
    excess = counts.far / np.maximum(counts.candidate, 1.0) - reference
    said_against, said_for = mean(tally.worse, LOG_RISK_WEIGHTS), mean(tally.fine, LOG_CHANCE_WEIGHTS)
    counted = np.where(sampled & (excess >= comparisons.effect), said_against, -np.inf)
    evidence = mean(counted, comparisons.log_weight)
    passed = enough & (said_for >= -np.log1p(-settings.confidence))
    judged = active & (comparisons.needed > 0)
    judged = judged if judged.any() else active
    outcome = np.where((passed | ~judged).all(axis=-1), OUTCOMES.index("pass"), OUTCOMES.index("no-regression"))
    lacking = (judged & ~enough).any(axis=-1) | (not judged.any())
    outcome = np.where(lacking, OUTCOMES.index("not-enough-data"), outcome)
    outcome = np.where(evidence >= -np.log(settings.alpha), OUTCOMES.index("regress"), outcome)
    return Decision(
        outcome=outcome,
        evidence=evidence,
        against=said_against,
        favour=said_for,
        excess=excess,
        enough=enough,
        passed=passed,
    )
