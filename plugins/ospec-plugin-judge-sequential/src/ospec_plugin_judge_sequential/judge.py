"""One look: new bins and the state of the last look in, a verdict out. Pure; read this file first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen
from ospec.models.judging import JudgedMetric, JudgeInput, Verdict
from ospec.models.live import Measurement
from ospec.models.measuring import usable

from ospec_plugin_judge_sequential.comparisons import Comparisons, comparisons_of, effect_of
from ospec_plugin_judge_sequential.counting import Event, count, learn
from ospec_plugin_judge_sequential.decision import decide, weigh
from ospec_plugin_judge_sequential.evidence import Array, Counts, Tally
from ospec_plugin_judge_sequential.rows import names_of
from ospec_plugin_judge_sequential.seconds import CANDIDATE, STABLE, Memory, Sources, close_seconds
from ospec_plugin_judge_sequential.settings import JudgeSettings
from ospec_plugin_judge_sequential.state import memories_of, state_of, tally_of
from ospec_plugin_judge_sequential.verdicts import verdict


def judge(given: JudgeInput) -> Verdict:
    """Judge a release by everything that was seen so far."""
    settings = given.settings or JudgeSettings()
    comparisons = comparisons_of(given, settings)
    taken = take_in(given, comparisons, settings)
    tally = add(tally_of(given.state, given.metrics, comparisons), taken, comparisons, settings)
    decision = decide(tally, comparisons, settings)
    said = verdict(given, settings, comparisons, tally, decision, taken.memories)
    return evolve(said, state=state_of(given.metrics, comparisons, tally, taken.memories))


@frozen
class Taken:
    """What a look brought."""

    events: Sequence[Event]
    """What closed seconds add; the first number is the comparison's place among all."""
    memories: Sequence[Memory]
    """One for each metric."""


def take_in(given: JudgeInput, comparisons: Comparisons, settings: JudgeSettings) -> Taken:
    """Count the seconds that are complete, once each."""
    concurrent = given.phase == "canary" and bool(given.stable)
    found = _by_metric(given)
    places: dict[int, int] = {}
    for place, one in enumerate(comparisons.each):
        places.setdefault(one.metric, place)
    events: list[Event] = []
    memories = memories_of(given.state, given.metrics)
    for at, metric in enumerate(given.metrics):
        closed, memory = close_seconds(metric, found[at], memories[at], concurrent)
        effect = effect_of(metric, settings)
        if metric.kind == "latency" and concurrent:
            closed, learned = learn(closed, memory.learned, effect)
            memory = memory._replace(learned=learned)
        memories[at] = memory
        for event in count(metric, closed, memory.learned, effect):
            place = places[at] + event[0]
            if comparisons.each[place].active:
                events.append((place, *event[1:]))
    return Taken(events, memories)


def _by_metric(given: JudgeInput) -> list[Sources]:
    """The usable measurements of each metric, by source, release and name."""
    roles = {given.candidate: CANDIDATE}
    if given.phase == "canary" and given.stable:
        roles[given.stable] = STABLE
    series: dict[str, dict[str, dict[int, list[Measurement]]]] = defaultdict(dict)
    for one in given.bins:
        role = roles.get(one.release)
        if role is not None and usable(one):
            series[one.metric].setdefault(one.source, {}).setdefault(role, []).append(one)
    return [_sources(metric, series) for metric in given.metrics]


def _sources(metric: JudgedMetric, series: Mapping[str, Mapping[str, Mapping[int, Any]]]) -> Sources:
    names = names_of(metric)
    sources: dict[str, dict[int, dict[str, Any]]] = {}
    for name in names:
        for source, releases in series.get(name, {}).items():
            for role, found in releases.items():
                sources.setdefault(source, {}).setdefault(role, {})[name] = found
    return sources


def add(tally: Tally, taken: Taken, comparisons: Comparisons, settings: JudgeSettings) -> Tally:
    """Add what the closed seconds say to the tally."""
    if not taken.events:
        return tally
    columns = np.array(taken.events, dtype=np.float64).T
    place, counts = columns[0].astype(np.intp), Counts(*columns[1:])
    worse, fine = weigh(counts, comparisons.bound[place], comparisons.margin[place], settings)

    def onto(sums: Array, more: Array) -> Array:
        added: Array = sums.copy()
        np.add.at(added, place, more)
        return added

    before = tally.counts
    return Tally(
        Counts(
            onto(before.candidate, counts.candidate),
            onto(before.candidate_hits, counts.candidate_hits),
            onto(before.stable, counts.stable),
            onto(before.stable_hits, counts.stable_hits),
            onto(before.far, counts.far),
        ),
        onto(tally.worse, worse),
        onto(tally.fine, fine),
    )
