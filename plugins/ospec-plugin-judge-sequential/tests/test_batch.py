"""The batch that simulations use is the judge: the same bins give the same verdict at every look."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ospec.models.judging import JudgedMetric, JudgeInput
from ospec_plugin_judge_sequential.batch import nothing, only, see
from ospec_plugin_judge_sequential.comparisons import comparisons_of
from ospec_plugin_judge_sequential.counting import count, learn
from ospec_plugin_judge_sequential.decision import OUTCOMES, decide
from ospec_plugin_judge_sequential.evidence import Counts
from ospec_plugin_judge_sequential.rows import names_of, read
from ospec_plugin_judge_sequential.settings import JudgeSettings

SETTINGS = JudgeSettings()
ERRORS = JudgedMetric(name="error_rate", kind="errors")
LATENCY = JudgedMetric(name="request_duration", kind="latency")
METRICS = (ERRORS, LATENCY)


def counts_of(bins: Any, second: int, learned: Any) -> tuple[Any, Any]:
    """What one second of one rollout adds to each comparison, by the judge's own counting."""
    table = np.zeros((6, 5))
    pairs = []
    for metric in METRICS:
        series = [
            {name: [one for one in bins if (one.metric, one.release) == (name, release)] for name in names_of(metric)}
            for release in ("v2", "v1")
        ]
        own, other = (read(metric, one)[float(second)] for one in series)
        pairs.append((own, other))
    judged, learned = learn([pairs[1]], learned, 0.1)
    for place, *counts in count(ERRORS, [pairs[0]], {}, 0.0):
        table[place] = counts if place == 0 else 0.0  # the bound is not judged beside a stable release
    for place, *counts in count(LATENCY, judged, learned, 0.1):
        table[2 + place] = counts
    return table, learned


def test_a_batch_gives_the_verdicts_of_whole_looks(traffic: Any) -> None:
    worlds = [(0.01, (20, 180)), (0.03, (20, 180)), (0.2, (100, 100)), (0.01, (100, 100)), (0.0, (3, 200))]
    rollouts = [
        list(traffic.seconds(60, errors=(share, 0.01), requests=requests, seed=seed))
        for seed, (share, requests) in enumerate(worlds)
    ]
    whole = [list(traffic.looks(bins)) for bins in rollouts]
    comparisons = comparisons_of(JudgeInput(candidate="v2", stable="v1", metrics=METRICS), SETTINGS)
    tally, outcomes = nothing(len(rollouts), comparisons), set()
    learned: list[Any] = [{} for _ in rollouts]
    for second in range(60):
        tables = []
        for at, bins in enumerate(rollouts):
            table, learned[at] = counts_of(bins[second], second, learned[at])
            tables.append(table)
        tally = see(tally, Counts(*np.moveaxis(np.array(tables), 2, 0)), comparisons, SETTINGS)
        decision = decide(tally, comparisons, SETTINGS)
        for at, verdicts in enumerate(whole):
            assert OUTCOMES[int(decision.outcome[at])] == verdicts[second].outcome
            assert np.exp(decision.evidence[at]) == pytest.approx(verdicts[second].numbers["evidence"], rel=1e-9)
            outcomes.add(verdicts[second].outcome)
    assert outcomes == set(OUTCOMES)


def test_rollouts_can_be_taken_out() -> None:
    comparisons = comparisons_of(JudgeInput(candidate="v2", stable="v1", metrics=METRICS), SETTINGS)
    tally = nothing(3, comparisons)
    counts = np.arange(18.0).reshape(3, 6)
    tally = see(tally, Counts(counts, counts * 0, counts, counts * 0, counts * 0), comparisons, SETTINGS)
    left = only(tally, np.array([2]))
    assert left.counts.candidate.tolist() == [counts[2].tolist()]
    assert left.worse.shape[0] == 1
