"""Canaries over the heap platform, with a judge that says what it is told to: hold, go on, return, orders."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from ospec import flow
from ospec.engine.journal import RunState, fold
from ospec.engine.looks import explained, judged_anew, looks_of, replayed
from ospec.errors import ExitCode, RefusedError
from ospec.hookspecs import hookimpl
from ospec.models.document import Analysis, CanaryStep
from ospec.models.judging import JudgeInput, Verdict, VerdictOutcome
from ospec.models.live import Measurement
from ospec.models.registration import Judge, MetricSource
from ospec.models.target import Target
from ospec.planning import Wish, plan_deploy
from ospec.project import Project
from ospec.reporting.page import page
from ospec.runs import order


class Oracle:
    """A judge. `says` is what it answers next; its state counts its looks."""

    def __init__(self) -> None:
        self.says: Callable[[int, JudgeInput], VerdictOutcome] = lambda look, given: "pass"

    def judge(self, given: JudgeInput) -> Verdict:
        look = int(given.state.get("looks", 0)) + 1
        outcome = self.says(look, given)
        return Verdict(
            outcome=outcome, sentence=f"look {look}: {outcome}", numbers={"look": look}, state={"looks": look}
        )

    def plugin(self) -> types.ModuleType:
        module = types.ModuleType("oracle_plugin")
        module.register_judges = hookimpl(lambda: [Judge("oracle", self.judge)])  # type: ignore[attr-defined]
        return module


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture
def canary(make_project: Callable[..., Project], target: Target, oracle: Oracle) -> Callable[..., Project]:
    def make(*steps: CanaryStep, **analysis: Any) -> Project:
        deployment = evolve(
            target.deployment,
            strategy="canary",
            steps=steps or (CanaryStep(10), CanaryStep(50)),
            analysis=Analysis(**{"interval": 0.0, "limit_seconds": 20.0, **analysis}),
        )
        return make_project(evolve(target, strategy="canary", deployment=deployment), oracle=oracle.plugin())

    return make


def deploy(project: Project, watcher: Any, name: str, **wish: Any) -> RunState:
    (project.root / "app.txt").write_text(name)
    return flow.run(project, plan_deploy, Wish(release=name, probe_rate=0, **wish), watcher)


def ended(state: RunState) -> tuple[str, int]:
    assert state.finished is not None
    return state.finished["outcome"], state.finished["exit_code"]


def switches(heap: Any) -> list[str]:
    return [effect for effect in heap.effects if effect.startswith("switch")]


def deploy_while(project: Project, quiet: Any, name: str, meanwhile: Callable[[], None]) -> RunState:
    """Deploy while `meanwhile` runs in a thread, as another process would."""
    failed: list[BaseException] = []

    def other() -> None:
        try:
            meanwhile()
        except BaseException as error:
            failed.append(error)
            raise

    quiet.records.clear()
    thread = threading.Thread(target=other)
    thread.start()
    state = deploy(project, quiet, name)
    thread.join(30)
    assert not failed, failed
    return state


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def looks(quiet: Any) -> int:
    """How often was judged since the records were cleared."""
    return sum("look" in record.body.get("note", {}) for record in list(quiet.records))


def test_a_canary_grows_is_judged_and_promoted(canary: Callable[..., Project], heap: Any, quiet: Any) -> None:
    project = canary()
    assert ended(deploy(project, quiet, "v1")) == ("promoted", ExitCode.OK), "the first release has nothing beside it"
    heap.effects.clear()
    state = deploy(project, quiet, "v2")
    assert ended(state) == ("promoted", ExitCode.OK)
    assert switches(heap) == [
        "switch [('blue', 90.0), ('green', 10.0)]",
        "switch [('blue', 50.0), ('green', 50.0)]",
        "switch [('blue', 0.0), ('green', 100.0)]",
    ]
    phases = [look["given"]["phase"] for look in looks_of(state)]
    assert phases == sorted(phases), "canary first, then guard"
    assert {"canary", "guard"} == set(phases)
    numbers = [look["verdict"]["numbers"]["look"] for look in looks_of(state)]
    assert numbers == list(range(1, len(numbers) + 1)), "one judge, one state, over all steps"
    (first, *_) = (look for look in looks_of(state))
    assert (first["given"]["candidate"], first["given"]["stable"]) == ("v2", "v1")


def test_what_the_document_asks_a_source_for_nobody_else_tells(
    make_project: Callable[..., Project], target: Target, oracle: Oracle, quiet: Any
) -> None:
    def plugin(source: str, *metrics: str) -> types.ModuleType:
        def collect_metrics(ctx: Any) -> list[Measurement]:
            return [Measurement(one, "v2", source, time.time(), 1.0) for one in metrics]

        module = types.ModuleType(f"{source}_plugin")
        module.collect_metrics = hookimpl(collect_metrics)  # type: ignore[attr-defined]
        return module

    asked, others = plugin("thermometer", "temperature"), plugin("window", "temperature", "wind")
    source = MetricSource("thermometer", tells=lambda target: ("temperature",))
    asked.register_metric_sources = hookimpl(lambda: [source])  # type: ignore[attr-defined]
    analysis = Analysis(interval=0.0, limit_seconds=20.0)
    deployment = evolve(target.deployment, strategy="canary", steps=(CanaryStep(10),), analysis=analysis)
    mine = evolve(target, strategy="canary", deployment=deployment)
    project = make_project(mine, oracle=oracle.plugin(), thermometer=asked, window=others)
    deploy(project, quiet, "v1")
    looks = looks_of(deploy(project, quiet, "v2"))
    found = {(one["metric"], one["source"]) for look in looks for one in look["given"]["bins"]}
    assert found == {("temperature", "thermometer"), ("wind", "window")}


def test_a_regression_returns_with_the_judges_sentence(
    canary: Callable[..., Project], heap: Any, quiet: Any, oracle: Oracle
) -> None:
    project = canary()
    deploy(project, quiet, "v1")
    oracle.says = lambda look, given: "regress" if look == 3 else "no-regression"
    state = deploy(project, quiet, "v2")
    assert ended(state) == ("restored", ExitCode.FAILED)
    assert state.error is not None
    assert (state.error["code"], state.error["message"]) == ("regressed", "look 3: regress")
    assert switches(heap)[-1] == "switch [('blue', 100.0), ('green', 0.0)]"
    assert heap.live().stable.release.name == "v1"
    told = "\n".join(explained(state))
    assert "look 3: regress" in told
    assert "(judge: oracle)" in told


def test_not_enough_data_holds_and_no_regression_goes_on_but_only_pass_promotes(
    canary: Callable[..., Project], heap: Any, quiet: Any, oracle: Oracle
) -> None:
    project = canary()
    deploy(project, quiet, "v1")
    answers: dict[int, VerdictOutcome] = {
        1: "not-enough-data",
        2: "not-enough-data",
        3: "no-regression",
        4: "no-regression",
        5: "no-regression",
    }
    oracle.says = lambda look, given: answers.get(look, "pass")
    state = deploy(project, quiet, "v2")
    assert ended(state) == ("promoted", ExitCode.OK)
    by_step = {
        step_id: [n["look"]["verdict"]["outcome"] for n in notes if "look" in n]
        for step_id, notes in state.notes.items()
    }
    first, second, *_ = (outcomes for outcomes in by_step.values() if outcomes)
    assert first == ["not-enough-data", "not-enough-data", "no-regression"]
    assert second == ["no-regression", "no-regression", "pass"]


@pytest.mark.parametrize(("on_limit", "outcome"), [("abort", "restored"), ("promote", "promoted")])
def test_without_a_verdict_the_configured_side_decides(
    canary: Callable[..., Project], quiet: Any, oracle: Oracle, on_limit: str, outcome: str
) -> None:
    project = canary(CanaryStep(10), limit_seconds=1.2, on_limit=on_limit)
    deploy(project, quiet, "v1")
    oracle.says = lambda look, given: "not-enough-data"
    state = deploy(project, quiet, "v2")
    assert ended(state)[0] == outcome
    if outcome == "restored":
        assert state.error is not None
        assert state.error["code"] == "no-verdict"
    else:
        assert [step.result["on_limit"] for step in state.steps.values() if "on_limit" in step.result] == ["promote"]


def test_a_pause_waits_for_promote_and_is_judged_meanwhile(
    canary: Callable[..., Project], heap: Any, quiet: Any
) -> None:
    steps = (CanaryStep(10, pause=True),)
    project, elsewhere = canary(*steps), canary(*steps)
    deploy(project, quiet, "v1")
    took: list[float] = []

    def promote() -> None:
        until(lambda: looks(quiet) >= 3)
        assert heap.slots["green"].weight_percent == 10
        began = time.monotonic()
        order(elsewhere, "promote", None)
        until(lambda: heap.slots["green"].weight_percent == 100)
        took.append(time.monotonic() - began)

    assert ended(deploy_while(project, quiet, "v2", promote))[0] == "promoted"
    assert took[0] < 5


def test_pause_holds_what_would_go_on_and_a_regression_still_returns(
    canary: Callable[..., Project], heap: Any, quiet: Any, oracle: Oracle
) -> None:
    steps = (CanaryStep(10, hold_seconds=1.0), CanaryStep(50))
    project, elsewhere = canary(*steps), canary(*steps)
    deploy(project, quiet, "v1")
    bad = threading.Event()
    oracle.says = lambda look, given: "regress" if bad.is_set() else "pass"
    weights: list[float] = []

    def pause() -> None:
        until(lambda: looks(quiet) >= 1)
        order(elsewhere, "pause", None)
        held = time.monotonic()
        until(lambda: time.monotonic() - held > 2.0)
        weights.append(heap.slots["green"].weight_percent)
        bad.set()

    assert ended(deploy_while(project, quiet, "v2", pause))[0] == "restored"
    assert weights == [10], "its second was long over"


def test_promote_full_waits_nowhere_but_in_the_guard_window(
    canary: Callable[..., Project], quiet: Any, oracle: Oracle
) -> None:
    steps = (CanaryStep(10, hold_seconds=60.0), CanaryStep(50, hold_seconds=60.0))
    project, elsewhere = canary(*steps), canary(*steps)
    deploy(project, quiet, "v1")
    oracle.says = lambda look, given: "not-enough-data"

    def promote() -> None:
        until(lambda: looks(quiet) >= 1)
        order(elsewhere, "promote", None, full=True)

    state = deploy_while(project, quiet, "v2", promote)
    assert ended(state)[0] == "promoted"
    guard = [step for step in state.steps.values() if step.kind == "analyze"][-1]
    assert guard.result["seconds"] >= 0.05


def test_an_abort_ends_a_wait_at_once(canary: Callable[..., Project], heap: Any, quiet: Any) -> None:
    project, elsewhere = canary(CanaryStep(10, pause=True)), canary(CanaryStep(10, pause=True))
    deploy(project, quiet, "v1")
    took: list[float] = []

    def abort() -> None:
        until(lambda: looks(quiet) >= 1)
        opened = elsewhere.store().open_header("shop", "default")
        assert opened is not None
        began = time.monotonic()
        elsewhere.store().send(opened.run, "abort", {})
        until(lambda: heap.slots["blue"].weight_percent == 100)
        took.append(time.monotonic() - began)

    assert ended(deploy_while(project, quiet, "v2", abort)) == ("aborted", ExitCode.ABORTED)
    assert took[0] < 3


def test_orders_without_a_run_are_refused(canary: Callable[..., Project], quiet: Any) -> None:
    project = canary()
    deploy(project, quiet, "v1")
    with pytest.raises(RefusedError) as caught:
        order(project, "pause", None)
    assert caught.value.code == "no-open-run"


@pytest.mark.parametrize("regresses", [False, True])
def test_killed_around_every_record_of_a_canary_then_resumed(
    canary: Callable[..., Project],
    heap: Any,
    quiet: Any,
    oracle: Oracle,
    killing: Any,
    monkeypatch: pytest.MonkeyPatch,
    regresses: bool,
) -> None:
    """The end is the one or the other, nothing is done twice, and the judge goes on where it stood."""
    project = canary(CanaryStep(10), CanaryStep(50))
    deploy(project, quiet, "v1")
    oracle.says = lambda look, given: "regress" if regresses and look >= 2 else "pass"
    at, survived = 0, False
    while not survived:
        at += 1
        heap.effects.clear()
        name, before = f"v2-{at}", heap.live().stable.release.name
        with monkeypatch.context() as patch:
            killing.at(patch, at, "after")
            try:
                state: RunState | None = deploy(project, quiet, name)
                survived = True
            except killing.Killed:
                state = None
        state = state or flow.resume(project, Wish(probe_rate=0), quiet)
        if state is None:  # the run had just ended
            state = fold(project.store().records(project.store().runs(limit=1)[0].run))
        assert heap.live().stable.release.name == (before if regresses else name), f"record {at}"
        numbers = [look["verdict"]["numbers"]["look"] for look in looks_of(state)]
        assert numbers == list(range(1, len(numbers) + 1)), f"record {at}"
        doubled = [effect for effect in heap.effects if heap.effects.count(effect) > 1]
        assert not doubled, f"record {at}: done twice: {doubled}"
    assert at > 15


def test_the_journal_gives_every_verdict_again(canary: Callable[..., Project], quiet: Any, oracle: Oracle) -> None:
    project = canary()
    deploy(project, quiet, "v1")
    state = deploy(project, quiet, "v2")
    looks = looks_of(fold(project.store().records(state.run)))
    judge = Judge("oracle", oracle.judge)
    assert replayed(looks, judge).differing == ()
    oracle.says = lambda look, given: "regress" if look == 2 else "pass"
    assert replayed(looks, judge).differing == (2,)
    anew = judged_anew(looks, judge, None, ())
    assert (anew.outcome, anew.at_look) == ("regress", 2)


def test_the_page_of_a_run_tells_its_verdicts_and_orders(
    canary: Callable[..., Project], quiet: Any, oracle: Oracle
) -> None:
    steps = (CanaryStep(10, pause=True),)
    project, elsewhere = canary(*steps), canary(*steps)
    deploy(project, quiet, "v1")
    bad = threading.Event()
    oracle.says = lambda look, given: "regress" if bad.is_set() else "no-regression"

    def pause() -> None:
        until(lambda: looks(quiet) >= 2)
        order(elsewhere, "pause", None)
        bad.set()

    state = deploy_while(project, quiet, "v2", pause)
    text = page(project.store().records(state.run))
    assert state.error is not None
    assert "v2 was sent back. v1 serves." in text
    assert state.error["message"] in text
    assert "<td>pause</td>" in text
    assert "The way back" in text
    assert "10 %" in text
