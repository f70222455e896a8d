"""Judging a release while it has traffic: what is collected, who judges it, and what the journal keeps of a look."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from ospec.converter import to_json
from ospec.errors import FatalError
from ospec.judges.metrics import judged_metrics
from ospec.models.judging import JudgedMetric, JudgeInput, Phase, Verdict
from ospec.models.live import Measurement, Slot
from ospec.models.measuring import compact
from ospec.models.registration import StepRun
from ospec.steps.load import Load

_EARLIER_SECONDS = 120.0
"""So much of the stable release's past is shown to a judge at its first look: what is usual is learned from it."""
_LATE_SECONDS = 4.0
"""Bins may come so late; judges know those that they have seen."""


class Judging:
    """One step's judging: each `look` collects what is new, asks the judge, and notes both in the journal.

    The judge's state goes on from the run's last look, whichever step and process took it, so that one α covers the
    whole rollout.
    """

    def __init__(self, run: StepRun, judge: str, phase: Phase, slots: Sequence[Slot], load: Load | None = None) -> None:
        self._load = load
        self._run, self._slots, self._phase = run, tuple(slots), phase
        self._judge, self._settings = run.judge(judge)
        self._candidate = run.unit("candidate")
        self._stable = run.unit("stable").release.name if run.plan.previous and phase == "canary" else ""
        self._metrics: tuple[JudgedMetric, ...] = judged_metrics(self._candidate.target)
        earlier = [look for look in run.looks() if look["judge"] == self._judge.name]
        self._state: Mapping[str, Any] = earlier[-1]["verdict"]["state"] if earlier else {}
        self._began = time.time()
        self._last_at = float(earlier[-1]["at"]) if earlier else self._began - _EARLIER_SECONDS

    def look(self) -> Verdict:
        """Judge once.

        Raises:
            FatalError: the release is worse (``regressed``), with the verdict's sentence.
        """
        at = time.time()
        bins = tuple(evolve(one, buckets=compact(one.buckets)) for one in self._collected(at) if self._counts(one))
        given = JudgeInput(
            candidate=self._candidate.release.name,
            stable=self._stable,
            bins=bins,
            metrics=self._metrics,
            phase=self._phase,
            settings=self._settings,
            state=self._state,
        )
        verdict = self._judge.judge(given)
        self._state, self._last_at = verdict.state, at
        self._run.note(look=look_json(self._judge.name, at, given, verdict))
        if verdict.outcome == "regress":
            raise FatalError(
                verdict.sentence,
                code="regressed",
                hints=(f"see every number: ospec show {self._run.run} --explain", "see what it printed: ospec logs"),
            )
        return verdict

    def _collected(self, at: float) -> Sequence[Measurement]:
        since = at - self._last_at + _LATE_SECONDS
        answers = self._run.call("collect_metrics", slots=self._slots, since_seconds=since)
        asked_of = self._run.asked_of()
        told = [one for plugin, answer in answers for one in answer if asked_of.get(one.metric, plugin) == plugin]
        sent = self._load.measurements(at - since) if self._load else []
        return [*told, *(one for one in sent if one.metric not in asked_of)]

    def _counts(self, one: Measurement) -> bool:
        """What the candidate was asked before this step began were checks of our own, not users."""
        return one.release != self._candidate.release.name or one.at >= self._began


def look_json(judge: str, at: float, given: JudgeInput, verdict: Verdict) -> Mapping[str, Any]:
    """A look as the journal keeps it: enough to give the same verdict again (`ospec judge replay`)."""
    kept = {key: value for key, value in to_json(given).items() if key != "state"}
    return {"judge": judge, "at": at, "given": kept, "verdict": to_json(verdict)}
