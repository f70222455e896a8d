"""What a verdict says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ospec.models.judging import Finding, JudgedMetric, JudgeInput, VerdictOutcome

from ospec_plugin_judge_sequential.comparisons import LEAST_BLOCKS, RUNGS, Comparison
from ospec_plugin_judge_sequential.ladder import ANSWERS
from ospec_plugin_judge_sequential.rows import SECONDS
from ospec_plugin_judge_sequential.seconds import Memory
from ospec_plugin_judge_sequential.settings import JudgeSettings

_RUNG_NAMES = dict(zip(RUNGS, ("median", "p95", "p99", "1.5 times the p99"), strict=True))


class Seen(NamedTuple):
    """Trials and hits of both releases in one comparison."""

    candidate: float
    candidate_hits: float
    stable: float
    stable_hits: float


def clause(given: JudgeInput, metric: JudgedMetric, comparison: Comparison, seen: Seen, memory: Memory) -> str:
    """What was seen, without saying what it means."""
    own, other = given.candidate, given.stable
    if metric.kind == "gauge":
        limit = f"{metric.bound:g}" if comparison.against == "bound" else f"that of {other} by more than what matters"
        word = "above" if metric.worse == "higher" else "below"
        times = f"{seen.candidate_hits:,.0f} of {seen.candidate:,.0f} spans of {SECONDS['gauge']:g} s"
        return f"{metric.name} of {own} was {word} {limit} in {times}"
    if metric.kind == "errors":
        what = f"{metric.name}: {own} failed {share_of(seen.candidate_hits, seen.candidate, 'requests')}"
    else:
        what = f"{metric.name}: {share_of(seen.candidate_hits, seen.candidate, 'answers')} of {own} took longer than "
        if comparison.against == "bound":
            return f"{what}{metric.bound:g} ms, where {percent(comparison.bound)} may"
        threshold = dict(zip(RUNGS, memory.learned.get("rungs", ()), strict=False)).get(comparison.against, (0.0,))[0]
        what += f"{threshold:g} ms (the {_RUNG_NAMES[comparison.against]} of {other} before)"
    if comparison.against == "bound":
        return f"{what}, where {percent(comparison.bound)} may"
    return f"{what}, {other} {share_of(seen.stable_hits, seen.stable, '')}".rstrip()


def share_of(hits: float, trials: float, what: str) -> str:
    """Such as ``36 of 1,200 requests (3 %)``."""
    words = f"{hits:,.0f} of {trials:,.0f} {what}".rstrip()
    return f"{words} ({percent(hits / trials)})" if trials else words


def percent(share: float) -> str:
    """A fraction in per cent."""
    return f"{share * 100:.3g} %"


def regress(said: str, evidence: float) -> str:
    """Why it is worse."""
    rollouts = f"{evidence:,.0f}" if evidence < 1e6 else "a million"
    return f"{said}; of good rollouts at most one in {rollouts} ever looks so bad"


def passed(said: str, metric: JudgedMetric, comparison: Comparison, settings: JudgeSettings) -> str:
    """How it is shown to be good enough."""
    if metric.kind == "gauge" or comparison.against == "bound":
        return f"{said}; it keeps to that, at {percent(settings.confidence)} confidence"
    points = f"{comparison.margin * 100:.3g} points"
    return f"{said}; worse by {points} at most, at {percent(settings.confidence)} confidence"


def lacking(given: JudgeInput, metric: JudgedMetric, settings: JudgeSettings, memory: Memory, active: bool) -> str:
    """What is missing for any verdict on a metric."""
    if not active:
        return f"{metric.name}: nothing to hold it against: no stable release beside {given.candidate}, and no bound"
    what = "spans" if metric.kind == "gauge" else "answers" if metric.kind == "latency" else "requests"
    least = LEAST_BLOCKS if metric.kind == "gauge" else settings.min_requests
    if given.phase == "guard" or not given.stable:
        return f"{metric.name}: fewer than {least:,} {what} of {given.candidate} since it serves alone"
    seen = f"{metric.name}: {memory.seen[0]:,.0f} {'values' if metric.kind == 'gauge' else what} of {given.candidate}"
    if metric.kind == "latency" and "rungs" not in memory.learned:
        seen += f" and {memory.seen[1]:,.0f} of {given.stable} so far"
        return f"{seen}; {ANSWERS} of {given.stable} come first, to learn what is slow"
    return f"{seen} and {memory.seen[1]:,.0f} of {given.stable} so far; {least:,} {what} in the same seconds are needed"


def reason(given: JudgeInput, outcome: VerdictOutcome, findings: Sequence[Finding]) -> str:
    """The sentence of a whole verdict."""
    needed = {metric.name for metric in given.metrics if metric.needed}
    told = sorted(findings, key=lambda one: one.metric not in needed)  # what a verdict waits for comes first
    said = [one.sentence for one in told if one.outcome == outcome]
    if outcome == "regress":
        return f"{given.candidate} is worse. {said[0]}"
    if outcome == "not-enough-data":
        return f"not enough data for a verdict. {said[0] if said else 'no metric is judged'}"
    if outcome == "pass":
        return f"{given.candidate} is good enough. {said[0] if said else ''}".rstrip()
    open_ones = ", ".join(one.metric for one in findings if one.outcome != "pass" and one.metric in needed)
    return f"nothing so far shows that {given.candidate} is worse; not yet shown to be within its margin: {open_ones}"
