"""Whole runs over the heap platform: deploy, fail, abort, resume, roll back."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable
from typing import Any, Literal

import pytest
from attrs import evolve
from ospec import flow, touched, upkeep
from ospec.engine.journal import RunState, fold
from ospec.engine.report import report
from ospec.errors import ExitCode, FatalError, OspecError, RefusedError, RetryableError
from ospec.hookspecs import hookimpl, on_failure
from ospec.host.values import values_of
from ospec.models.live import Obstacle
from ospec.models.registration import Guardrail, MetricSource, SourceState
from ospec.models.run import RunHeader
from ospec.models.target import Protection, Script, Target
from ospec.planning import Wish, plan_deploy, plan_rollback, plan_up
from ospec.project import Project
from ospec.runs import hold
from ospec.stores.sqlite import SqliteStore


def deploy(project: Project, watcher: Any, name: str, content: str, **wish: Any) -> RunState:
    (project.root / "app.txt").write_text(content)
    return flow.run(project, plan_deploy, Wish(release=name, probe_rate=0, **wish), watcher)


def serving(heap: Any) -> str:
    stable = heap.live().stable
    return stable.release.name if stable and stable.release else ""


def ended(state: RunState) -> tuple[str, int]:
    assert state.finished is not None
    return state.finished["outcome"], state.finished["exit_code"]


def test_a_first_deploy_and_a_second_one(project: Project, heap: Any, quiet: Any) -> None:
    assert ended(deploy(project, quiet, "v1", "1")) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v1"
    state = deploy(project, quiet, "v2", "2")
    assert ended(state) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v2"
    assert list(heap.slots) == ["green"], "keep_seconds is 0: the old slot goes at once"
    made = report(state)
    assert (made["release"], made["previous_release"]) == ("v2", "v1")
    assert [step["kind"] for step in made["steps"]] == [
        "snapshot",
        "script",
        "seal",
        "deploy",
        "health",
        "switch",
        "verify",
        "analyze",
        "retire",
    ]


def test_the_same_release_is_unchanged_and_a_redeploy_is_another(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    assert ended(deploy(project, quiet, "v1", "1")) == ("unchanged", ExitCode.OK)
    assert heap.effects.count("deploy v1") == 1
    state = deploy(project, quiet, "v1", "1", redeploy=True)
    assert ended(state) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v1-r2"
    assert report(deploy(project, quiet, "v1", "1", redeploy=True))["release"] == "v1-r3"


def test_a_name_belongs_to_its_content(project: Project, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    with pytest.raises(RefusedError) as caught:
        deploy(project, quiet, "v1", "other")
    assert caught.value.code == "release-name-taken"


@pytest.mark.parametrize("flaw", ["unhealthy", "unhealthy_once_serving"])
def test_a_bad_release_is_sent_back(project: Project, heap: Any, quiet: Any, flaw: str) -> None:
    deploy(project, quiet, "v1", "1")
    getattr(heap, flaw).add("v2")
    state = deploy(project, quiet, "v2", "2")
    assert ended(state) == ("restored", ExitCode.FAILED)
    assert serving(heap) == "v1"
    assert list(heap.slots) == ["blue"], "the failed candidate is gone"
    assert state.error is not None
    assert state.error["code"] == "not-healthy"
    heap.unhealthy.clear()
    heap.unhealthy_once_serving.clear()
    assert ended(deploy(project, quiet, "v2", "3")) == ("promoted", ExitCode.OK), "a failed release keeps no name"


def test_a_cold_release_gets_its_traffic_back_as_fast_as_it_is_ready(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    heap.unhealthy_once_serving.add("v2")

    def grow_cold(ctx: Any) -> None:  # in the guard window, when only one of four is left to start again
        if heap.slots["green"].weight_percent == 100 and heap.slots["blue"].wanted == 1:
            heap.slots["blue"] = evolve(heap.slots["blue"], wanted=4, ready=0)

    def one_more(ctx: Any) -> None:
        if "blue" in heap.slots and heap.slots["blue"].wanted == 4:
            heap.slots["blue"] = evolve(heap.slots["blue"], ready=min(4, heap.slots["blue"].ready + 1))

    heap.before |= {"health_check": grow_cold, "rollback": one_more, "switch_traffic": one_more}
    heap.effects.clear()
    state = deploy(project, quiet, "v2", "2")
    assert ended(state) == ("restored", ExitCode.FAILED)
    assert [effect for effect in heap.effects if effect.startswith("switch")][1:] == [
        f"switch [('blue', {share}.0), ('green', {100 - share}.0)]" for share in (25, 50, 75, 100)
    ]
    assert state.steps["f03-switch"].result["ramp"] == [25.0, 50.0, 75.0, 100.0]


def test_a_first_release_that_fails_leaves_nothing(project: Project, heap: Any, quiet: Any) -> None:
    heap.unhealthy.add("v1")
    assert ended(deploy(project, quiet, "v1", "1")) == ("failed", ExitCode.FAILED)
    assert heap.slots == {}


def test_a_failing_test_script_touches_nothing(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    deploy(make_project(target), quiet, "v1", "1")
    before = list(heap.effects)
    broken = evolve(target, scripts={**target.scripts, "test": Script("test", "echo why it failed; exit 3")})
    state = deploy(make_project(broken), quiet, "v2", "2")
    assert ended(state) == ("failed", ExitCode.FAILED)
    assert state.error is not None
    assert "why it failed" in state.error["message"]
    assert heap.effects == before


def test_a_way_back_that_fails_too_needs_a_person(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    heap.unhealthy_once_serving.add("v2")

    def refuse(ctx: Any) -> None:
        if ctx.split.weights.get("blue") == 100:
            raise FatalError("the data plane is gone", code="gone")

    heap.before["switch_traffic"] = refuse
    assert ended(deploy(project, quiet, "v2", "2")) == ("failed", ExitCode.NOT_RESTORED)


def test_a_passing_fault_is_tried_again(project: Project, heap: Any, quiet: Any) -> None:
    tries = []

    def sometimes(ctx: Any) -> None:
        tries.append(ctx.operation_id)
        if len(tries) < 3:
            raise RetryableError("busy", retry_after=0.01)

    heap.before["deploy"] = sometimes
    assert ended(deploy(project, quiet, "v1", "1")) == ("promoted", ExitCode.OK)
    assert len(set(tries)) == 1, "every try has the same idempotency key"


def test_a_plugin_that_raises_nonsense_is_named_and_the_release_restored(
    project: Project, heap: Any, quiet: Any
) -> None:
    deploy(project, quiet, "v1", "1")

    def nonsense(ctx: Any) -> None:
        raise KeyError("oops")

    heap.before["deploy"] = nonsense
    state = deploy(project, quiet, "v2", "2")
    assert ended(state) == ("restored", ExitCode.FAILED)
    assert state.error is not None
    assert state.error["code"] == "plugin-bug"
    assert "heap" in state.error["message"]


def test_a_step_that_ignores_its_time_limit_is_left_behind(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ospec.models import rollout_steps

    project = make_project(target)
    deploy(project, quiet, "v1", "1")
    monkeypatch.setattr(rollout_steps, "deploy_limit", lambda target: 0.2)
    hold = threading.Event()
    heap.before["deploy"] = lambda ctx: (hold.wait(30), None)[1]
    state = deploy(project, quiet, "v2", "2")
    hold.set()
    assert ended(state) == ("restored", ExitCode.FAILED)
    assert state.error is not None
    assert state.error["code"] == "time-limit"


def test_an_abort_from_another_process_restores(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    store = SqliteStore(project.home)

    def abort_now(ctx: Any) -> None:
        opened = store.open_header("shop", "default")
        if opened and ctx.release.name == "v2":
            store.send(opened.run, "abort", {})
            ctx.pause(30)

    heap.before["health_check"] = abort_now
    began = time.monotonic()
    state = deploy(project, quiet, "v2", "2")
    store.close()
    assert ended(state) == ("aborted", ExitCode.ABORTED)
    assert serving(heap) == "v1"
    assert time.monotonic() - began < 20, "nobody waited for the hook's 30 seconds"


def test_two_runs_at_once_exclude_each_other(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    refused: list[RefusedError] = []

    def second(ctx: Any) -> None:
        if refused:
            return
        other = SqliteStore(project.home)
        opened = other.open_header("shop", "default")
        other.close()
        assert opened is not None
        with pytest.raises(RefusedError) as caught, hold(project):
            pass
        refused.append(caught.value)
        assert opened.run in caught.value.message

    heap.before["health_check"] = second
    assert ended(deploy(project, quiet, "v2", "2")) == ("promoted", ExitCode.OK)
    assert refused
    assert refused[0].code == "open-run"


def test_a_source_of_metrics_that_refuses_stands_in_the_way_of_deploys_alone(
    make_project: Callable[..., Project], target: Target, heap: Any, quiet: Any
) -> None:
    states = [SourceState()]
    module = types.ModuleType("thermometer_plugin")
    source = MetricSource("thermometer", check=lambda ctx: states[0])
    module.register_metric_sources = hookimpl(lambda: [source])  # type: ignore[attr-defined]
    project = make_project(target, thermometer=module)
    deploy(project, quiet, "v1", "1")
    states[0] = SourceState(problems=("it cannot be reached",))
    assert ended(deploy(project, quiet, "v2", "2")) == ("promoted", ExitCode.OK)
    obstacle = Obstacle("it takes no token", code="unset-variable", where="plugins.thermometer")
    states[0] = SourceState(obstacles=(obstacle,))
    with pytest.raises(RefusedError, match="it takes no token") as refused:
        deploy(project, quiet, "v3", "3")
    assert refused.value.where == "plugins.thermometer"
    assert serving(heap) == "v2"
    assert ended(flow.roll_back(project, plan_rollback, Wish(probe_rate=0), quiet))[1] == ExitCode.OK
    assert serving(heap) == "v1"


def test_rollback_to_a_warm_and_to_a_cold_release(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    warm = make_project(evolve(target, deployment=evolve(target.deployment, keep_seconds=600.0)))
    deploy(warm, quiet, "v1", "1")
    deploy(warm, quiet, "v2", "2")
    assert set(heap.slots) == {"blue", "green"}
    heap.effects.clear()
    state = flow.roll_back(warm, plan_rollback, Wish(probe_rate=0), quiet)
    assert ended(state) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v1"
    assert [effect.split()[0] for effect in heap.effects] == ["switch"], "warm: a switch and nothing else"
    heap.slots.pop("green")
    state = flow.roll_back(warm, plan_rollback, Wish(to="v2", probe_rate=0), quiet)
    assert ended(state) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v2"
    with pytest.raises(RefusedError) as caught:
        flow.roll_back(warm, plan_rollback, Wish(to="v9", probe_rate=0), quiet)
    assert "v1" in caught.value.message


def test_a_rollback_after_a_rollback_goes_further_back(project: Project, heap: Any, quiet: Any) -> None:
    for number in range(1, 5):
        deploy(project, quiet, f"v{number}", str(number))

    def back(to: str | None = None) -> str:
        flow.roll_back(project, plan_rollback, Wish(to=to, probe_rate=0), quiet)
        return serving(heap)

    assert [back(), back(), back()] == ["v3", "v2", "v1"]
    with pytest.raises(RefusedError) as caught:
        back()
    assert (caught.value.code, "v4" in caught.value.message) == ("nothing-to-roll-back", True)
    assert [back("v4"), back()] == ["v4", "v3"]
    deploy(project, quiet, "v5", "5")
    assert back() == "v3"


def test_a_warm_slot_is_retired_by_the_first_command_after_its_time(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    project = make_project(evolve(target, deployment=evolve(target.deployment, keep_seconds=0.01)))
    deploy(project, quiet, "v1", "1")
    deploy(project, quiet, "v2", "2")
    assert "blue" in heap.slots
    while min(project.store().timers("shop", "default").values()) > time.time():
        pass
    upkeep.tidy(project, everything_warm=False, older_than_days=90)
    assert "blue" not in heap.slots
    assert project.store().timers("shop", "default") == {}


def test_who_stops_a_command_is_told_what_it_touched(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    project = make_project(target)
    deploy(project, quiet, "v1", "1")
    touched.forget()
    project.observe()
    plan_deploy(project, Wish())
    assert touched.look_at() == ""
    heap.before["retire"] = lambda ctx: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        upkeep.take_down(project)
    assert "ospec status" in touched.look_at()
    heap.before.clear()
    state = deploy(project, quiet, "v2", "2")
    assert f"ospec show {state.run}" in touched.look_at()


def test_up_brings_back_a_slot_that_is_not_whole(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    heap.slots["blue"] = evolve(heap.slots["blue"], ready=0)
    state = flow.run(project, plan_up, Wish(probe_rate=0), quiet)
    assert ended(state) == ("promoted", ExitCode.OK)
    assert heap.slots["blue"].ready == 1


def test_old_releases_go_and_their_snapshots_with_them(
    make_project: Callable[[Target], Project], target: Target, quiet: Any
) -> None:
    project = make_project(evolve(target, keep_releases=2))
    for number in range(1, 5):
        deploy(project, quiet, f"v{number}", str(number))
    names = [one["release"]["name"] for one in project.known_releases()]
    assert names == ["v4", "v3"]
    kept = sorted(one.name for one in project.files_folder().iterdir() if one.is_dir())
    assert len(kept) == 2


def test_a_rollback_runs_the_old_code(project: Project, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "one")
    deploy(project, quiet, "v2", "two")
    seen: list[str] = []
    heap.before["rollback"] = lambda ctx: seen.append((ctx.files / "app.txt").read_text())
    flow.roll_back(project, plan_rollback, Wish(probe_rate=0), quiet)
    assert seen == ["one"]


@pytest.mark.parametrize("flaw", ["", "unhealthy_once_serving"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_every_record_then_resumed(
    project: Project, heap: Any, quiet: Any, killing: Any, moment: str, flaw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as the crash matrix of tests/e2e without real processes: every record, before and after its commit."""
    deploy(project, quiet, "v1", "1")
    good_end = ("promoted", "v2") if not flaw else ("restored", "v1")
    at, survived = 0, False
    while not survived:
        at += 1
        getattr(heap, flaw or "unhealthy").clear()
        if serving(heap) == "v2":
            deploy(project, quiet, "v1-again", "1")
        if flaw:
            getattr(heap, flaw).add("v2")
        heap.effects.clear()
        with monkeypatch.context() as patch:
            killing.at(patch, at, moment)
            try:
                state: RunState | None = deploy(project, quiet, "v2", "2")
                survived = True
            except killing.Killed:
                state = None
        state = state or flow.resume(project, Wish(probe_rate=0), quiet)
        if state is None:  # the run had not begun, or had just ended
            header: RunHeader = project.store().runs(limit=1)[0]
            state = fold(project.store().records(header.run))
        if state.finished and report(state)["release"] == "v2":
            assert (ended(state)[0], serving(heap)) == good_end, f"record {at}"
        assert [slot.weight_percent for slot in heap.slots.values() if slot.role == "stable"] == [100.0]
        doubled = [effect for effect in heap.effects if heap.effects.count(effect) > 1]
        assert not doubled, f"record {at}: done twice: {doubled}"
        if not survived and serving(heap) == "v2":
            project.store().drop_release("shop", "default", project.known_releases()[0]["release"]["id"])
    assert at > 20


def test_a_full_disk_leaves_the_run_open_and_says_so(
    project: Project, heap: Any, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(project, quiet, "v1", "1")

    def full(ctx: Any) -> None:
        def fail(*arguments: Any) -> None:
            raise OspecError("no space left", code="disk-full", hints=("free space",))

        monkeypatch.setattr(SqliteStore, "append", fail)

    heap.before["switch_traffic"] = full
    with pytest.raises(OspecError) as caught:
        deploy(project, quiet, "v2", "2")
    assert caught.value.exit_code == ExitCode.NOT_RESTORED
    assert any("ospec resume" in hint for hint in caught.value.hints)
    monkeypatch.undo()
    heap.before.clear()
    state = flow.resume(project, Wish(probe_rate=0), quiet)
    assert state is not None
    assert ended(state) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v2"


def test_supersede_restores_the_open_run_first(
    project: Project, heap: Any, quiet: Any, killing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(project, quiet, "v1", "1")
    with monkeypatch.context() as patch:
        killing.at(patch, 12, "after")
        with pytest.raises(killing.Killed):
            deploy(project, quiet, "v2", "2")
    with pytest.raises(RefusedError) as caught:
        deploy(project, quiet, "v3", "3")
    assert caught.value.code == "open-run"
    assert ended(deploy(project, quiet, "v3", "3", supersede=True)) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v3"
    assert [run.outcome for run in project.store().runs(limit=3)] == ["promoted", "aborted", "promoted"]


def test_a_cut_script_that_asks_is_not_run_again_by_itself(
    make_project: Callable[[Target], Project],
    target: Target,
    heap: Any,
    quiet: Any,
    killing: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripts = {**target.scripts, "test": Script("test", "echo ran >> ../../../ran.txt", rerun="ask")}
    project = make_project(evolve(target, scripts=scripts))
    with monkeypatch.context() as patch:
        killing.at(patch, 6, "before")  # its end is not journaled any more
        with pytest.raises(killing.Killed):
            deploy(project, quiet, "v1", "1")
    with pytest.raises(OspecError) as caught:
        flow.resume(project, Wish(probe_rate=0), quiet)
    assert (caught.value.code, caught.value.exit_code) == ("script-was-cut", ExitCode.WAITING)
    assert (project.home / "ran.txt").read_text() == "ran\n"
    state = flow.resume(project, Wish(probe_rate=0, rerun=True), quiet)
    assert state is not None
    assert ended(state) == ("promoted", ExitCode.OK)
    assert (project.home / "ran.txt").read_text() == "ran\nran\n"


def test_a_guardrail_that_does_not_hold_keeps_users_where_they_are(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    protected = evolve(target, protections=(Protection("guardrails.lint", True, "ospec-plugin-guardrails"),))
    project = make_project(protected)
    asked: list[Any] = []

    def check(run: Any, values: Any) -> Any:
        asked.append((values, (run.unit("candidate").files / "app.txt").read_text()))
        if asked[-1][1] == "bad":
            raise FatalError("it does not hold", code="guardrail")
        return {}

    project.registry = evolve(
        project.registry,
        guardrails={"lint": Guardrail("lint", ("guardrails.lint",), check)},
        sources={**project.registry.sources, ("guardrail", "lint"): "heap"},
    )
    assert ended(deploy(project, quiet, "v1", "good")) == ("promoted", ExitCode.OK)
    before = list(heap.effects)
    state = deploy(project, quiet, "v2", "bad")
    assert ended(state) == ("failed", ExitCode.FAILED)
    assert heap.effects == before
    assert asked == [({"guardrails.lint": True}, "good"), ({"guardrails.lint": True}, "bad")]


def test_a_step_that_would_end_the_program_is_named(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    project = make_project(evolve(target, protections=(Protection("guardrails.lint", True, "x"),)))

    def check(run: Any, values: Any) -> Any:
        raise SystemExit(2)

    project.registry = evolve(
        project.registry,
        guardrails={"lint": Guardrail("lint", ("guardrails.lint",), check)},
        sources={**project.registry.sources, ("guardrail", "lint"): "heap"},
    )
    state = deploy(project, quiet, "v1", "1")
    assert ended(state) == ("failed", ExitCode.FAILED)
    assert state.error is not None
    assert (state.error["code"], "SystemExit: 2" in state.error["message"]) == ("plugin-bug", True)


def network(on_switch: Callable[[Any], None], what: Literal["stop", "warn"]) -> types.ModuleType:
    """A plugin that answers beside the platform."""
    module = types.ModuleType("network_plugin")

    def switch_traffic(ctx: Any) -> None:
        on_switch(ctx)

    module.switch_traffic = hookimpl(on_failure(what)(switch_traffic))  # type: ignore[attr-defined]
    return module


def sub_steps(state: RunState) -> list[Any]:
    (switch,) = (step_id for step_id, step in state.steps.items() if step.kind == "switch")
    return [note for note in state.notes.get(switch, ()) if "hook" in note]


def test_each_plugin_that_answers_is_a_sub_step(
    make_project: Callable[..., Project], target: Target, heap: Any, quiet: Any
) -> None:
    project = make_project(target, network=network(lambda ctx: None, "stop"))
    first, second = sub_steps(deploy(project, quiet, "v1", "1"))
    assert (first["hook"], first["plugin"]) == ("switch_traffic", "heap")
    assert (second["hook"], second["plugin"]) == ("switch_traffic", "network")
    assert second["seconds"] >= 0
    assert sub_steps(deploy(make_project(target), quiet, "v2", "2")) == [], (
        "one answer needs no note: the step tells it"
    )


@pytest.mark.parametrize(("what", "outcome"), [("warn", "promoted"), ("stop", "restored")])
def test_a_plugin_beside_the_platform_says_what_its_failure_does(
    make_project: Callable[..., Project], target: Target, quiet: Any, what: Literal["stop", "warn"], outcome: str
) -> None:
    deploy(make_project(target), quiet, "v1", "1")

    def fail(ctx: Any) -> None:
        if ctx.split.weights.get("green"):
            raise FatalError("the cache was not purged", code="purge-failed")

    state = deploy(make_project(target, network=network(fail, what)), quiet, "v2", "2")
    assert ended(state)[0] == outcome
    if what == "warn":
        assert sub_steps(state)[-1]["warned"] == "the cache was not purged"
        assert sub_steps(state)[-1]["code"] == "purge-failed"
    else:
        assert state.error is not None
        assert state.error["code"] == "purge-failed"


def test_a_watcher_that_goes_away_changes_nothing(project: Project, heap: Any, quiet: Any) -> None:
    """A terminal that hangs up, a pipe that is closed."""

    class Gone:
        def record(self, record: Any) -> None:
            raise BrokenPipeError

        def output(self, step: str, line: str) -> None:
            raise OSError(5, "Input/output error")

    assert ended(deploy(project, Gone(), "v1", "1")) == ("promoted", ExitCode.OK)
    heap.unhealthy_once_serving.add("v2")
    assert ended(deploy(project, Gone(), "v2", "2")) == ("restored", ExitCode.FAILED)
    assert serving(heap) == "v1"


def test_a_release_that_was_cut_and_aborted_is_nothing_to_go_back_to(
    project: Project, heap: Any, quiet: Any, killing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(project, quiet, "v1", "1")
    deploy(project, quiet, "v2", "2")
    with monkeypatch.context() as patch:
        killing.at(patch, 14, "after")
        with pytest.raises(killing.Killed):
            deploy(project, quiet, "v3", "3")
    aborted = flow.abort(project, Wish(probe_rate=0), quiet)
    assert aborted is not None
    assert ended(aborted) == ("aborted", ExitCode.ABORTED)
    flow.roll_back(project, plan_rollback, Wish(probe_rate=0), quiet)
    assert serving(heap) == "v1"


@pytest.mark.parametrize("at", [5, 20])
def test_what_an_open_run_needs_is_never_pruned(
    make_project: Callable[[Target], Project],
    target: Target,
    heap: Any,
    quiet: Any,
    killing: Any,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    """killing.Killed as it tests what it built, and as it watches its release serve."""
    kept = evolve(target, keep_releases=1, deployment=evolve(target.deployment, keep_seconds=600.0))
    project = make_project(kept)
    deploy(project, quiet, "v1", "1")
    with monkeypatch.context() as patch:
        killing.at(patch, at, "after")
        with pytest.raises(killing.Killed):
            deploy(project, quiet, "v2", "2")
    before = dict(heap.slots)
    snapshots = sorted(project.files_folder().iterdir())
    if at == 20:
        assert serving(heap) == "v2"
    assert upkeep.tidy(project, everything_warm=True, older_than_days=0) == ([], 0, 0)
    assert (heap.slots, sorted(project.files_folder().iterdir())) == (before, snapshots)
    assert [one["release"]["name"] for one in project.known_releases()] == ["v1"]
    state = flow.resume(project, Wish(probe_rate=0), quiet)
    assert state is not None
    assert ended(state) == ("promoted", ExitCode.OK)
    assert serving(heap) == "v2"


def test_a_run_that_was_promoted_is_rolled_back_not_aborted(project: Project, heap: Any, quiet: Any) -> None:
    """An abort that comes as a run ends: the release is promoted, and going back is another run."""
    deploy(project, quiet, "v1", "1")
    state = deploy(project, quiet, "v2", "2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "ask_owner_to_abort", lambda *arguments: state)
        with pytest.raises(RefusedError) as caught:
            flow.abort(project, Wish(probe_rate=0), quiet)
        assert caught.value.code == "run-finished"
        flow.roll_back(project, plan_rollback, Wish(probe_rate=0), quiet)
    assert serving(heap) == "v1"


def test_what_a_script_prints_is_cut_and_masked(
    make_project: Callable[[Target], Project], target: Target, quiet: Any
) -> None:
    command = 'head -c 9000000 /dev/zero; echo; echo token $TOKEN; printf %s "$PEM_KEY"; exit 1'
    scripts = {**target.scripts, "test": Script("test", command)}
    made = evolve(target, scripts=scripts, variables={"TOKEN": "${CANARY}", "PEM_KEY": "${PEM}"})
    project = make_project(made)
    project.secrets = values_of(made, {}, {"CANARY": "hunter2-canary", "PEM": "-- BEGIN --\nhunter2-canary-2\n"})
    state = deploy(project, quiet, "v1", "1")
    assert ended(state) == ("failed", ExitCode.FAILED)
    kept = str([record.body for record in project.store().records(state.run)])
    assert "token ***" in kept
    assert "hunter2-canary" not in kept + "".join(quiet.lines)
    logs = "".join(file.read_text() for file in project.home.glob("logs/*/*.log"))
    assert "hunter2-canary" not in logs


def test_up_brings_back_what_was_deployed_not_what_was_edited(
    make_project: Callable[[Target], Project], target: Target, heap: Any, quiet: Any
) -> None:
    deploy(make_project(target), quiet, "v1", "1")
    heap.slots["blue"] = evolve(heap.slots["blue"], ready=0)
    seen: list[Any] = []
    heap.before["rollback"] = lambda ctx: seen.append(ctx.target.variables)
    edited = make_project(evolve(target, variables={"EDITED": "yes"}))
    flow.run(edited, plan_up, Wish(probe_rate=0), quiet)
    assert seen == [{}]


def test_looking_at_the_lock_does_not_take_it(project: Project) -> None:
    end = threading.Event()

    def look() -> None:
        other = SqliteStore(project.home)
        while not end.is_set():
            other.owner("shop", "default")
        other.close()

    store = project.store()
    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            lease = store.acquire("shop", "default")
            assert lease is not None
            lease.release()
    finally:
        end.set()
        looking.join()


def test_a_question_that_waits_holds_no_lock(project: Project, heap: Any, quiet: Any) -> None:
    asked: list[str] = []

    def agree(plan: Any) -> None:
        with hold(project):
            asked.append(plan.release.name)

    assert ended(deploy(project, quiet, "v1", "1", asks=True, agree=agree)) == ("promoted", ExitCode.OK)
    assert asked == ["v1"]

    def change(plan: Any) -> None:
        (project.root / "app.txt").write_text("edited while the question waited")

    with pytest.raises(RefusedError) as caught:
        deploy(project, quiet, "v2", "2", asks=True, agree=change)
    assert caught.value.code == "plan-stale"
    assert serving(heap) == "v1"
