"""What people are told of whole runs: each kind once, in the background, and never in a run's way."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from ospec import flow
from ospec.engine.journal import RunState
from ospec.errors import FatalError
from ospec.hookspecs import hookimpl
from ospec.models import rollout_steps
from ospec.models.document import CanaryStep
from ospec.models.notice import Notice
from ospec.models.plan import Step
from ospec.models.registration import Notifier, StepContribution
from ospec.models.run import RunHeader
from ospec.models.target import Target
from ospec.planning import Wish, plan_deploy
from ospec.project import Project
from ospec.runs import order


class Bell:
    """A channel that keeps what it is told, and a plan's `notify` steps."""

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.rings: Callable[[Notice], None] = self.told.append
        self.steps: list[Step] = []

    def plugin(self) -> types.ModuleType:
        module = types.ModuleType("bell_plugin")
        notifier = Notifier("bell", lambda notice, settings, secrets: self.rings(notice), seconds_between=0.0)
        module.register_notifiers = hookimpl(lambda: [notifier])  # type: ignore[attr-defined]
        module.register_steps = hookimpl(  # type: ignore[attr-defined]
            lambda: [StepContribution("bell", "before-exposure", lambda target, release: self.steps)]
        )
        return module

    def kinds(self) -> list[str]:
        return [one.kind for one in self.told]


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def project(make_project: Callable[..., Project], target: Target, bell: Bell) -> Project:
    return make_project(target, bell=bell.plugin())


def deploy(project: Project, watcher: Any, name: str, content: str, **wish: Any) -> RunState:
    (project.root / "app.txt").write_text(content)
    return flow.run(project, plan_deploy, Wish(release=name, probe_rate=0, **wish), watcher)


def delivered(project: Project) -> list[str]:
    """The warnings once everything was told."""
    project.telemetry.warnings.clear()
    project.close()
    return list(project.telemetry.warnings)


def test_a_promotion_and_nothing_where_nothing_had_to_be_done(project: Project, bell: Bell, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    assert delivered(project) == []
    assert bell.kinds() == ["started", "promoted"]
    assert bell.told[1].title == "shop in default: v1 serves"
    assert bell.told[1].commands == (f"ospec show {bell.told[1].run}",)
    deploy(project, quiet, "v1", "1")
    assert delivered(project) == []
    assert len(bell.told) == 2


def test_a_release_that_is_sent_back(project: Project, bell: Bell, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    heap.unhealthy_once_serving.add("v2")
    deploy(project, quiet, "v2", "2")
    assert delivered(project) == []
    assert bell.kinds() == ["started", "promoted", "started", "restored"]
    assert bell.told[-1].title == "shop in default: v2 was sent back, v1 serves"
    assert "GET /" in bell.told[-1].text


def test_one_that_cannot_be_sent_back_needs_a_person(project: Project, bell: Bell, heap: Any, quiet: Any) -> None:
    deploy(project, quiet, "v1", "1")
    heap.unhealthy_once_serving.add("v2")

    def refuse(ctx: Any) -> None:
        if "green" in heap.slots and ctx.split.weights.get("blue") == 100:
            raise FatalError("the proxy is gone", code="gone")

    heap.before["switch_traffic"] = refuse
    deploy(project, quiet, "v2", "2")
    assert delivered(project) == []
    last = bell.told[-1]
    assert (last.kind, last.severity, last.state) == ("frozen", "critical", "raised")
    assert last.commands == ("ospec status", f"ospec show {last.run}", "ospec run rollback")


def test_a_first_release_that_fails(project: Project, bell: Bell, heap: Any, quiet: Any) -> None:
    heap.unhealthy.add("v1")
    deploy(project, quiet, "v1", "1")
    delivered(project)
    assert bell.kinds() == ["started", "failed"]


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def paused_canary(make_project: Callable[..., Project], target: Target, bell: Bell) -> Project:
    deployment = evolve(
        target.deployment, strategy="canary", steps=(CanaryStep(10, hold_seconds=0.0, pause=True, analysis=False),)
    )
    return make_project(evolve(target, strategy="canary", deployment=deployment), bell=bell.plugin())


def test_a_run_that_waits_for_a_person_and_one_that_is_paused(
    make_project: Callable[..., Project], target: Target, bell: Bell, quiet: Any
) -> None:
    deploy(make_project(target), quiet, "v1", "1")
    canary = paused_canary(make_project, target, bell)
    other = make_project(canary.target)

    def person() -> None:
        wait_until(lambda: "held" in bell.kinds())
        order(other, "pause", None)
        wait_until(lambda: len(bell.told) == 3)
        order(other, "promote", None, full=True)

    ordering = threading.Thread(target=person, daemon=True)
    ordering.start()
    deploy(canary, quiet, "v2", "2")
    ordering.join(20)
    delivered(canary)
    assert bell.kinds() == ["started", "held", "held", "promoted"]
    waits, paused = bell.told[1:3]
    assert waits.text == f"a person has to say so: ospec promote {waits.run}"
    assert waits.commands == (f"ospec promote {waits.run}", f"ospec abort {waits.run}")
    assert paused.text == "a person paused it"


class Killed(BaseException):
    """The process is gone."""


def test_a_resumed_run_repeats_nothing(
    make_project: Callable[..., Project], target: Target, bell: Bell, heap: Any, quiet: Any
) -> None:
    bell.steps = [rollout_steps.notified("half way", "warning")]
    first = make_project(target, bell=bell.plugin())

    class Cut:
        """Dies when the candidate is about to be switched to."""

        def record(self, record: Any) -> None:
            if record.kind == "step-started" and record.body["kind"] == "switch":
                raise Killed

        def output(self, step: str, line: str) -> None:
            pass

    (first.root / "app.txt").write_text("1")
    with pytest.raises(Killed):
        flow.run(first, plan_deploy, Wish(release="v1", probe_rate=0), Cut())
    first.close()
    assert bell.kinds() == ["started", "message"]
    second = make_project(target, bell=bell.plugin())
    opened: RunHeader | None = second.store().open_header("shop", "default")
    assert opened is not None
    flow.resume(second, Wish(probe_rate=0), quiet)
    assert delivered(second) == []
    assert bell.kinds() == ["started", "message", "promoted"]
    assert [one.id for one in bell.told] == [
        f"{opened.run}/started",
        bell.told[1].id,
        f"{opened.run}/promoted",
    ]


def test_a_step_tells_the_channels_that_it_names_and_fails_softly(
    project: Project, bell: Bell, heap: Any, quiet: Any
) -> None:
    bell.steps = [
        rollout_steps.notified("half way\nand more", "error", ["BELL"]),
        rollout_steps.notified("lost", channels=["phone"]),
        rollout_steps.notified("  "),
    ]
    state = deploy(project, quiet, "v1", "1")
    assert delivered(project) == ["1 notice was for 'phone' and told nobody: no plugin brings it"]
    assert bell.kinds() == ["started", "message", "promoted"]
    assert (bell.told[1].title, bell.told[1].severity) == ("shop in default: half way", "error")
    statuses = [one.status for one in state.steps.values() if one.kind == "notify"]
    assert statuses == ["ok", "ok", "warned"]


@pytest.mark.parametrize("fault", [FatalError("gone", code="x"), ZeroDivisionError("SECRET"), SystemError("SECRET")])
def test_a_notifier_that_fails_is_one_warning(project: Project, bell: Bell, quiet: Any, fault: Exception) -> None:
    def fail(notice: Notice) -> None:
        raise fault

    bell.rings = fail
    state = deploy(project, quiet, "v1", "1")
    assert state.promoted
    [warning] = delivered(project)
    assert warning.startswith("bell: 2 notices were not delivered: ")
    assert "SECRET" not in warning


def test_a_notifier_that_hangs_delays_nothing(
    project: Project, bell: Bell, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ospec.notices.outbox.FLUSH_SECONDS", 0.3)
    never = threading.Event()
    bell.rings = lambda notice: (never.wait(60), None)[1]
    state = deploy(project, quiet, "v1", "1")
    assert state.promoted
    tried = [one for one in state.steps.values() if one.kind in ("deploy", "health", "switch", "seal")]
    assert max(one.seconds for one in tried) < 1
    began = time.monotonic()
    outbox = project.outbox()
    assert outbox.close(0.3) == ["bell: 2 notices were not delivered: there was no time left for it"]
    assert time.monotonic() - began < 2
    never.set()
