"""Journals as runs leave them, made record by record with the core's own classes; judges give the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from attrs import define, evolve, field
from ospec.converter import to_json
from ospec.judges.bounds import BoundsSettings, judge_by_bounds
from ospec.models.judging import JudgedMetric, JudgeInput, Verdict
from ospec.models.live import Measurement
from ospec.models.plan import Bounds, Plan, Step
from ospec.models.release import Artifact, Release
from ospec.models.run import Record
from ospec.models.target import Target
from ospec.steps.judging import look_json
from ospec_plugin_judge_sequential.judge import judge as judge_sequentially
from ospec_plugin_judge_sequential.settings import JudgeSettings

BEGIN = 1_790_000_000.0
"""2026-09-21 14:13:20 UTC."""
BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
METRICS = (JudgedMetric(name="error_rate", kind="errors"), JudgedMetric(name="request_duration", kind="latency"))


def release(name: str) -> Release:
    return Release(name, name * 4, "shop", "default", Artifact("1" * 64), "2" * 64)


def plan(candidate: str = "v2", stable: str | None = "v1", strategy: str = "canary", **changes: Any) -> Plan:
    """A plan for journals: its steps are those that the journal will tell."""
    made = Plan(
        action="deploy",
        target=Target("shop", "Shop", "default", "local", strategy),
        release=release(candidate),
        previous=release(stable) if stable else None,
        stable_slot="blue" if stable else "",
        candidate_slot="green",
        steps=(),
        failure_steps=(Step("switch", "back", id="90-switch"), Step("retire", "away", id="91-retire")),
        bounds=Bounds(600.0, 7200.0, 1),
        live_fingerprint="0" * 64,
        notes=("the old release stays warm for an hour",),
    )
    return evolve(made, **changes)


def second(
    name: str, at: float, requests: int, errors: int, slower: float = 1.0, source: str = "envoy"
) -> list[Measurement]:
    """What a platform tells of one release for one second; latencies lie around 5 ms × `slower`."""
    shares = [(bound, min(1.0, (bound / (5.0 * slower)) ** 1.5 / 2)) for bound in BOUNDS]
    buckets = tuple((bound, round(requests * share)) for bound, share in shares)
    return [
        Measurement("requests", name, source, at, float(requests)),
        Measurement("errors", name, source, at, float(errors)),
        Measurement("request_duration_ms", name, source, at, float(requests), buckets=buckets),
    ]


@define
class Story:
    """A run that is being told."""

    plan: Plan
    now: float = BEGIN
    records: list[Record] = field(factory=list)
    state: Mapping[str, Any] = field(factory=dict)
    address: str = "http://127.0.0.1:8080"

    def tell(self, record_kind: str, **body: Any) -> None:
        self.records.append(Record(len(self.records) + 1, self.now, record_kind, body))

    def start(self, **more: Any) -> None:
        executed_by = {
            "ospec": "0.1.0",
            "plugins": {"ospec-plugin-local": "0.1.0"},
            "python": "CPython 3.11.7",
            "system": "Linux 6.1",
            "machine": "x86_64",
            "host_kind": "machine",
        }
        body = {"run": "20260921-141320-abcdef", "plan": to_json(self.plan), "address": self.address}
        self.tell("run-started", **{**body, "executed_by": executed_by, **more})

    def begin(self, step: str, title: str = "", kind: str = "") -> None:
        self.tell("step-started", step=step, kind=kind or step.partition("-")[2], title=title or step)

    def end(self, step: str, title: str = "", status: str = "ok", **more: Any) -> None:
        kind = step.partition("-")[2]
        body: dict[str, Any] = {
            "step": step,
            "kind": kind,
            "title": title or step,
            "status": status,
            "result": {},
            "error": None,
        }
        self.tell("step-finished", **{**body, **more})

    def step(self, step: str, seconds: float, title: str = "", status: str = "ok", **more: Any) -> None:
        self.begin(step, title)
        self.now += seconds
        self.end(step, title, status, **more)

    def switch(self, step: str, candidate: float, title: str = "") -> None:
        weights = {"blue": 100.0 - candidate, "green": candidate}
        result = {"weights": weights, "applied_at": self.now + 0.1, "address": self.address}
        self.step(step, 0.2, title or f"give the canary {candidate:g} %", result=result)

    def look(self, step: str, bins: Iterable[Measurement], judge: str = "sequential") -> Verdict:
        """A look of a real judge, journaled as its step does."""
        given = JudgeInput(
            candidate=self.plan.release.name,
            stable=self.plan.previous.name if self.plan.previous else "",
            bins=tuple(bins),
            metrics=METRICS,
            settings=BoundsSettings(interval=3.0, threshold=2) if judge == "bounds" else JudgeSettings(),
            state=self.state,
        )
        verdict = judge_by_bounds(given) if judge == "bounds" else judge_sequentially(given)
        self.state = verdict.state
        self.tell("step-note", step=step, note={"look": look_json(judge, self.now, given, verdict)})
        return verdict

    def finish(self, outcome: str, code: int, **more: Any) -> None:
        self.tell("run-finished", outcome=outcome, exit_code=code, **{"error": None, **more})


Tell = Callable[..., Story]


def evidence(failed: int = 0, why: str = "status 500") -> Mapping[str, Any]:
    """A prober's, as a step's end carries it."""
    failures = [{"at": BEGIN + 3, "step": "03-switch", "release": "v2", "why": why}] * min(failed, 20)
    return {
        "owner": "1",
        "requests": {"v1": 900, "v2": 100},
        "failed": {"v2": failed},
        "buckets": {"v1": {"33": 900}, "v2": {"34": 100}},
        "failures": failures,
    }


def span(key: str, parent: str | None, start: float, seconds: float, name: str = "", **more: Any) -> dict[str, Any]:
    """A span, as the journal keeps it."""
    body = {"name": name or f"ospec.step.{key}", "trace_id": "t1", "span_id": key, "parent_id": parent}
    return {**body, "start": BEGIN + start, "seconds": seconds, "status": "ok", "attributes": {}, **more}


def canary(looks: int = 12, *, errors: int = 0, candidate: str = "v2", judge: str = "sequential") -> Story:
    """A canary: 10 %, judged, then as the judge says; every third second repeats a bin that was told before."""
    story = Story(plan(candidate))
    story.start()
    story.step("01-snapshot", 0.3, "copy the source")
    story.step("02-deploy", 1.5, "start the release in slot green")
    story.switch("03-switch", 10.0)
    story.begin("04-analyze", "judge 10 %")
    last: list[Measurement] = []
    for number in range(looks):
        at = float(int(story.now))
        new = [*second("v1", at, 180, number % 3), *second(candidate, at, 60, errors)]
        verdict = story.look("04-analyze", [*last, *new], judge)
        last = new if number % 3 == 0 else []
        story.now += 1.0
        if verdict.outcome == "regress":
            return _sent_back(story, verdict.sentence)
    story.end("04-analyze", "judge 10 %", result={"verdict": "pass"}, evidence=evidence())
    story.switch("05-switch", 100.0, "give slot green all traffic")
    story.step("06-verify", 0.4, "ask the front door")
    spans = [span("run", None, 0, story.now - BEGIN, "ospec.run"), span("deploy", "run", 0.3, 1.5)]
    story.finish("promoted", 0, spans=spans)
    return story


def _sent_back(story: Story, why: str) -> Story:
    error = {"code": "regressed", "message": why, "where": "", "hints": ["see every number: ospec show X --explain"]}
    story.end("04-analyze", "judge 10 %", "failed", error=error, result=None, evidence=evidence(failed=3))
    story.tell("path-changed", aborted=False, error=error)
    story.switch("90-switch", 0.0, "give slot blue all traffic again")
    story.step("91-retire", 0.2, "take v2 away")
    story.finish("restored", 1, error=error)
    return story


@pytest.fixture
def canaries() -> Callable[..., Story]:
    """Makes the story of a canary."""
    return canary


@pytest.fixture
def stories() -> Tell:
    """Makes a story that is to be told by the test: `plan` changes."""
    return lambda **changes: Story(plan(**changes))


@pytest.fixture
def seconds() -> Callable[..., list[Measurement]]:
    """Makes the measurements of one release and second."""
    return second


@pytest.fixture
def spans() -> Callable[..., dict[str, Any]]:
    """Makes a span."""
    return span


@pytest.fixture
def probed() -> Callable[..., Mapping[str, Any]]:
    """Makes a prober's evidence."""
    return evidence
