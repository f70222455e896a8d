"""Looks of judges in a journal: told to people, judged again as they were, judged anew with other settings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from ospec.converter import from_json, to_json
from ospec.engine.journal import RunState
from ospec.models.judging import JudgedMetric, JudgeInput, Verdict
from ospec.models.registration import Judge

Look = Mapping[str, Any]
"""As `ospec.steps.judging.look_json` made it."""


@frozen
class Retrial:
    """A run's looks, judged again."""

    looks: int
    differing: tuple[int, ...]
    """Numbers (from 1) of the looks whose verdict came out otherwise."""
    outcome: str
    """The last verdict's, or the first one that sends the release back."""
    at_look: int
    """The number of that look."""
    sentence: str


def looks_of(state: RunState) -> list[Look]:
    """Every look of a run, in order."""
    return [note["look"] for notes in state.notes.values() for note in notes if "look" in note]


def explained(state: RunState) -> Iterator[str]:
    """Lines for a person: each step's verdicts where they change, with every number."""
    for step_id, notes in state.notes.items():
        looks = [note["look"] for note in notes if "look" in note]
        for number, look in enumerate(looks):
            verdict = look["verdict"]
            last = number == len(looks) - 1
            if not last and number and verdict["outcome"] == looks[number - 1]["verdict"]["outcome"]:
                continue
            clock = time.strftime("%H:%M:%S", time.localtime(look["at"]))
            which = f"look {number + 1} of {len(looks)}"
            yield f"{step_id}  {clock}  {which}  {verdict['outcome']} (judge: {look['judge']})"
            yield f"    {verdict['sentence']}"
            yield from _numbers("    all together", verdict["numbers"])
            for finding in verdict["findings"]:
                yield f"    {finding['metric']}: {finding['outcome']}: {finding['sentence']}"
                yield from _numbers("        ", finding["numbers"])


def _numbers(head: str, numbers: Mapping[str, float]) -> Iterator[str]:
    if numbers:
        yield f"{head} {', '.join(f'{name} {value:.6g}' for name, value in numbers.items())}".rstrip()


def given_again(look: Look, state: Mapping[str, Any], settings: type | None) -> JudgeInput:
    """What the judge was given; `state` is what the look before gave back."""
    kept = look["given"]
    told = from_json({**kept, "settings": None, "state": dict(state)}, JudgeInput)
    if settings is None or kept["settings"] is None:
        return told
    return evolve(told, settings=from_json(kept["settings"], settings))


def replayed(looks: Sequence[Look], judge: Judge) -> Retrial:
    """Judge what was given once more; every verdict has to come out the same."""
    state: Mapping[str, Any] = {}
    differing = []
    for number, look in enumerate(looks, 1):
        verdict = judge.judge(given_again(look, state, judge.settings))
        if to_json(verdict) != look["verdict"]:
            differing.append(number)
        state = verdict.state
    last = looks[-1]["verdict"]
    return Retrial(len(looks), tuple(differing), last["outcome"], len(looks), last["sentence"])


def judged_anew(looks: Sequence[Look], judge: Judge, settings: Any, metrics: tuple[JudgedMetric, ...]) -> Retrial:
    """Judge the same measurements with other settings and metrics, up to the first look that sends the release back."""
    state: Mapping[str, Any] = {}
    differing: list[int] = []
    verdict = Verdict(outcome="not-enough-data", sentence="nothing was measured")
    number = 0
    for number, look in enumerate(looks, 1):
        given = evolve(given_again(look, state, None), settings=settings, metrics=metrics)
        verdict = judge.judge(given)
        state = verdict.state
        if verdict.outcome != look["verdict"]["outcome"]:
            differing.append(number)
        if verdict.outcome == "regress":
            break
    return Retrial(len(looks), tuple(differing), verdict.outcome, number, verdict.sentence)
