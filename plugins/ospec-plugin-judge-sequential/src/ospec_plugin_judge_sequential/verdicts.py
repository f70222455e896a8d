"""From a decision to what is told: the outcome of each metric, its numbers, and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ospec.models.judging import Finding, JudgedMetric, JudgeInput, Verdict, VerdictOutcome

from ospec_plugin_judge_sequential import sentences
from ospec_plugin_judge_sequential.comparisons import Comparison, Comparisons
from ospec_plugin_judge_sequential.decision import OUTCOMES, Decision
from ospec_plugin_judge_sequential.evidence import Tally
from ospec_plugin_judge_sequential.seconds import Memory
from ospec_plugin_judge_sequential.sentences import Seen
from ospec_plugin_judge_sequential.settings import JudgeSettings

_MOST_LOG = 690.0
"""exp() of more is no float."""


class Line(NamedTuple):
    """One comparison with all that is known of it."""

    comparison: Comparison
    seen: Seen
    evidence: float
    """The e-value that the candidate is worse."""
    evidence_for: float
    """The e-value that it is within its margin."""
    part: float
    """Log of what it adds to the evidence of the whole verdict."""
    enough: bool
    passed: bool


def verdict(
    given: JudgeInput,
    settings: JudgeSettings,
    comparisons: Comparisons,
    tally: Tally,
    decision: Decision,
    memories: Sequence[Memory],
) -> Verdict:
    """The verdict, but for its state."""
    outcome, evidence = OUTCOMES[int(decision.outcome)], _e_value(float(decision.evidence))
    lines: list[list[Line]] = [[] for _ in given.metrics]
    for line in _lines(comparisons, tally, decision):
        lines[line.comparison.metric].append(line)
    parts = [max(line.part for line in own) for own in lines]
    worst = max(range(len(parts)), key=parts.__getitem__) if outcome == "regress" else -1
    findings = tuple(
        _finding(given, settings, metric, own, memory, evidence if at == worst else None)
        for at, (metric, own, memory) in enumerate(zip(given.metrics, lines, memories, strict=True))
    )
    numbers = {"evidence": evidence, "needed_evidence": 1.0 / settings.alpha, "confidence": settings.confidence}
    return Verdict(
        outcome=outcome,
        sentence=sentences.reason(given, outcome, findings),
        findings=findings,
        numbers=numbers,
    )


def _lines(comparisons: Comparisons, tally: Tally, decision: Decision) -> list[Line]:
    counts = tally.counts
    counted = (counts.candidate >= comparisons.least) & (decision.excess >= comparisons.effect)
    columns = (counts.candidate, counts.candidate_hits, counts.stable, counts.stable_hits)
    rows = zip(
        comparisons.each,
        map(Seen, *(column.tolist() for column in columns)),
        map(_e_value, decision.against.tolist()),
        map(_e_value, decision.favour.tolist()),
        np.where(counted, decision.against + comparisons.log_weight, -np.inf).tolist(),
        decision.enough.tolist(),
        decision.passed.tolist(),
        strict=True,
    )
    return list(map(Line._make, rows))


def _e_value(log: float) -> float:
    return math.exp(min(log, _MOST_LOG))


def _finding(
    given: JudgeInput,
    settings: JudgeSettings,
    metric: JudgedMetric,
    lines: Sequence[Line],
    memory: Memory,
    regress_evidence: float | None,
) -> Finding:
    """What is to be said of one metric."""
    active = [line for line in lines if line.comparison.active]
    worst = max(active or lines, key=lambda line: (line.part, line.evidence))
    if regress_evidence is not None:
        worst = max(lines, key=lambda line: line.part)
    clause = sentences.clause(given, metric, worst.comparison, worst.seen, memory)
    outcome: VerdictOutcome = "no-regression"
    if regress_evidence is not None:
        outcome, said = "regress", sentences.regress(clause, regress_evidence)
    elif not all(line.enough for line in active) or not active:
        outcome, said = "not-enough-data", sentences.lacking(given, metric, settings, memory, bool(active))
    elif all(line.passed for line in active):
        outcome, said = "pass", sentences.passed(clause, metric, worst.comparison, settings)
    else:
        said = clause
    return Finding(metric=metric.name, outcome=outcome, sentence=said, numbers=_numbers(lines))


def _numbers(lines: Sequence[Line]) -> dict[str, float]:
    """Every number of a metric's comparisons, each under the comparison's name."""
    numbers: dict[str, float] = {}
    for line in lines:
        if line.seen.candidate:
            name = line.comparison.against
            numbers[f"{name}.candidate"] = line.seen.candidate
            numbers[f"{name}.candidate_hits"] = line.seen.candidate_hits
            numbers[f"{name}.evidence"] = line.evidence
            numbers[f"{name}.evidence_for"] = line.evidence_for
            if line.comparison.paired:
                numbers[f"{name}.stable"] = line.seen.stable
                numbers[f"{name}.stable_hits"] = line.seen.stable_hits
                numbers[f"{name}.margin"] = line.comparison.margin
            else:
                numbers[f"{name}.bound"] = line.comparison.bound
    return numbers
