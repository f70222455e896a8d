"""The core's own judge: absolute bounds, checked once an interval. It compares nothing and needs no library.

What the document gives no bound for is not judged, but for errors: more than 5 % of them are too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ospec.models.judging import Finding, JudgedMetric, JudgeInput, Verdict, VerdictOutcome
from ospec.models.live import Measurement
from ospec.models.measuring import Sums, sums

NAME = "bounds"
MOST_ERRORS = 0.05
LEAST_REQUESTS = 20


@frozen(kw_only=True)
class BoundsSettings:
    """`deployment.analysis`, as far as this judge goes."""

    interval: float = 10.0
    """Seconds of measurements that one check is made of."""
    threshold: int = 1
    """Failed checks that end the rollout."""


def judge_by_bounds(given: JudgeInput) -> Verdict:
    """Check what came since the last check, once an interval has passed; until then the last check's word holds."""
    settings: BoundsSettings = given.settings or BoundsSettings()
    state = given.state or {"began": None, "rows": [], "failed": 0, "last": None}
    rows = _with_new(state["rows"], given)
    newest = max((row["at"] + row["seconds"] for row in rows), default=None)
    began = state["began"] if state["began"] is not None else min((row["at"] for row in rows), default=None)
    if newest is None or began is None or newest - began < settings.interval:
        kept = {**state, "began": began, "rows": rows}
        return _again(state["last"], kept) if state["last"] else _waiting(settings, kept)
    findings = tuple(_finding(metric, sums(_measurements(rows), given.candidate)) for metric in given.metrics)
    judged = [one for one in findings if one.numbers.get("bound") is not None or one.outcome != "not-enough-data"]
    failed = state["failed"] + any(one.outcome == "regress" for one in judged)
    outcome = _outcome(judged, failed, settings)
    worst = next((one for one in judged if one.outcome in ("regress", outcome)), None)
    sentence = f"{given.candidate}: {worst.sentence if worst else 'nothing was measured'}"
    if failed and outcome != "regress":
        sentence += f" ({failed} of {settings.threshold} checks failed)"
    last = {"outcome": outcome, "sentence": sentence}
    kept = {"began": newest, "rows": [], "failed": failed, "last": last, "until": newest}
    return Verdict(outcome=outcome, sentence=sentence, findings=findings, numbers={"failed": failed}, state=kept)


def _with_new(rows: list[Mapping[str, Any]], given: JudgeInput) -> list[Mapping[str, Any]]:
    """The rows of this interval with those that are new; a bin that came twice counts once (`sums`)."""
    until = given.state.get("until") if given.state else None
    new = [
        {
            "metric": one.metric,
            "source": one.source,
            "at": one.at,
            "value": one.value,
            "seconds": one.seconds,
            "buckets": [list(pair) for pair in one.buckets],
            "release": one.release,
        }
        for one in given.bins
        if one.release == given.candidate and (until is None or one.at >= until)
    ]
    known = {(row["metric"], row["source"], row["at"]) for row in rows}
    return [*rows, *(row for row in new if (row["metric"], row["source"], row["at"]) not in known)]


def _measurements(rows: list[Mapping[str, Any]]) -> list[Measurement]:
    return [
        Measurement(**{**row, "buckets": tuple((float(bound), int(count)) for bound, count in row["buckets"])})
        for row in rows
    ]


def _finding(metric: JudgedMetric, seen: Sums) -> Finding:
    value, enough = _value(metric, seen)
    bound = metric.bound if metric.bound is not None else MOST_ERRORS if metric.kind == "errors" else None
    if bound is None:
        return Finding(metric=metric.name, outcome="not-enough-data", sentence=f"{metric.name} has no bound")
    if value is None or not enough:
        sentence = f"{metric.name}: not enough data"
        return Finding(metric=metric.name, outcome="not-enough-data", sentence=sentence, numbers={"bound": bound})
    bad = value > bound if metric.worse == "higher" else value < bound
    sentence = f"{metric.name} is {value:.4g}, {'beyond' if bad else 'within'} the bound of {bound:.4g}"
    outcome: VerdictOutcome = "regress" if bad else "pass"
    return Finding(metric=metric.name, outcome=outcome, sentence=sentence, numbers={"value": value, "bound": bound})


def _value(metric: JudgedMetric, seen: Sums) -> tuple[float | None, bool]:
    """The metric's number, and whether enough was seen to say so."""
    if metric.kind == "errors":
        return seen.error_rate, (seen.requests or 0.0) >= LEAST_REQUESTS
    if metric.kind == "latency":
        least = max(LEAST_REQUESTS, round(1.0 / max(1.0 - metric.quantile, 1e-6)))
        return seen.quantile(metric.quantile), seen.answers >= least
    return seen.gauges.get(metric.name), metric.name in seen.gauges


def _outcome(judged: list[Finding], failed: int, settings: BoundsSettings) -> VerdictOutcome:
    if failed >= settings.threshold:
        return "regress"
    if any(one.outcome == "regress" for one in judged):
        return "no-regression"
    return "not-enough-data" if any(one.outcome == "not-enough-data" for one in judged) or not judged else "pass"


def _again(last: Mapping[str, Any], state: Mapping[str, Any]) -> Verdict:
    outcome: VerdictOutcome = last["outcome"]
    return Verdict(outcome=outcome, sentence=last["sentence"], state=state)


def _waiting(settings: BoundsSettings, state: Mapping[str, Any]) -> Verdict:
    sentence = f"not enough data: the first check is due after {settings.interval:g} s of measurements"
    return Verdict(outcome="not-enough-data", sentence=sentence, state=state)
