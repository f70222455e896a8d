"""The state between two looks as JSON. Its size depends on the metrics, not on how long a rollout takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ospec.models.judging import JudgedMetric

from ospec_plugin_judge_sequential.comparisons import Comparisons
from ospec_plugin_judge_sequential.evidence import CHANCES, RISKS, Counts, Tally
from ospec_plugin_judge_sequential.seconds import Memory

_COUNTS = 5


def keys_of(metrics: Sequence[JudgedMetric], comparisons: Comparisons) -> list[str]:
    """A name for each comparison."""
    return [f"{metrics[one.metric].name}/{one.against}" for one in comparisons.each]


def tally_of(state: Mapping[str, Any], metrics: Sequence[JudgedMetric], comparisons: Comparisons) -> Tally:
    """What is known from earlier looks; nothing of a comparison that is new."""
    kept, empty = state.get("comparisons", {}), [0.0] * (_COUNTS + RISKS.size + CHANCES.size)
    rows = [kept.get(key, empty) for key in keys_of(metrics, comparisons)]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(empty))
    counts, worse, fine = np.split(table, [_COUNTS, _COUNTS + RISKS.size], axis=1)
    return Tally(Counts(*counts.T), worse, fine)


def memories_of(state: Mapping[str, Any], metrics: Sequence[JudgedMetric]) -> list[Memory]:
    """What is remembered of each metric."""
    kept = state.get("metrics", {})
    return [_memory(kept[metric.name]) if metric.name in kept else Memory() for metric in metrics]


def _memory(kept: Mapping[str, Any]) -> Memory:
    return Memory(**{**kept, "seen": tuple(kept["seen"])})


def state_of(
    metrics: Sequence[JudgedMetric], comparisons: Comparisons, tally: Tally, memories: Sequence[Memory]
) -> Mapping[str, Any]:
    """What the next look needs."""
    counts = tally.counts
    columns = (counts.candidate, counts.candidate_hits, counts.stable, counts.stable_hits, counts.far)
    table = np.concatenate([np.stack(columns, axis=1), tally.worse, tally.fine], axis=1)
    return {
        "comparisons": dict(zip(keys_of(metrics, comparisons), table.tolist(), strict=True)),
        "metrics": {
            metric.name: {**memory._asdict(), "seen": list(memory.seen)}
            for metric, memory in zip(metrics, memories, strict=True)
        },
    }
