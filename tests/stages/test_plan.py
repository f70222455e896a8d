"""Plans: what is composed from a rollout, the life cycle and contributions, as golden files and as rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from ospec import builtin
from ospec.converter import from_json, to_json
from ospec.errors import FatalError
from ospec.models.document import Deployment, SlotSettings, TrafficSwitching
from ospec.models.live import LiveState, Slot
from ospec.models.plan import Plan, Rollout, Step, plan_hash
from ospec.models.registration import Capabilities, Guardrail, StepContribution, StepKind, StrategyInput
from ospec.models.release import Artifact, Release, ReleaseRef
from ospec.models.target import HealthCheck, Process, Protection, Script, Target
from ospec.stages.plan import PlanInput, compose
from ospec_plugin_blue_green.strategy import plan_blue_green

GOLDEN = Path(__file__).parent.parent / "data" / "plans"
KINDS = {one.name: one for one in builtin.register_steps() if isinstance(one, StepKind)}
WITH_GUARDRAIL = {**KINDS, "guardrail": StepKind("guardrail", lambda run: {}, prepares=True)}
TARGET = Target(
    service="shop",
    name="Shop",
    environment="default",
    platform="local",
    strategy="blue-green",
    scripts={name: Script(name, f"make {name}") for name in ("start", "build", "test", "package", "smoke_test")},
    processes={"web": Process("web", "make start", instances=2)},
    health_checks=(HealthCheck("/health"),),
    deployment=Deployment(
        strategy="blue_green",
        environments={"blue": SlotSettings(instances=2), "green": SlotSettings(instances=3)},
        traffic_switching=TrafficSwitching(("health_check", "smoke_tests"), 30.0),
    ),
)
CAPABLE = Capabilities(slots=True, weighted_traffic=True, release_header=True, metrics=True)
FIRST = LiveState()
SECOND = LiveState(
    (Slot("blue", "blue", "stable", (ReleaseRef("v1", "1" * 64),), 100.0, 2, 2, "http://127.0.0.1:9001"),),
    "http://127.0.0.1:9000",
)


def release(name: str, digit: str) -> Release:
    return Release(name, digit * 64, "shop", "default", Artifact("a" * 64), "c" * 64)


def planned(live: LiveState, target: Target = TARGET, **more: Any) -> Plan:
    rollout = plan_blue_green(StrategyInput(target, CAPABLE, live))
    given = {
        "action": "deploy",
        "target": target,
        "release": release("v2", "2"),
        "previous": release("v1", "1") if live.stable else None,
        "live": live,
        "rollout": rollout,
        "kinds": KINDS,
    }
    return compose(PlanInput(**{**given, **more}))


@pytest.mark.parametrize(("name", "live"), [("first", FIRST), ("second", SECOND)])
def test_golden(name: str, live: LiveState) -> None:
    """To renew after a wanted change: delete the file, run the test twice, read the difference."""
    file = GOLDEN / f"blue-green-{name}.json"
    found = to_json(planned(live))
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n")
        pytest.fail(f"wrote {file}: read it, and run the test again")
    assert found == json.loads(file.read_text())


def test_steps_that_end_instances_have_the_time_that_the_platform_needs_for_it() -> None:
    short, long = planned(SECOND), planned(SECOND, stop_seconds=50.0)
    more = {
        step.id: step.timeout_seconds - before.timeout_seconds
        for before, step in zip((*short.steps, *short.failure_steps), (*long.steps, *long.failure_steps), strict=True)
        if step != before
    }
    assert {step_id.partition("-")[2] for step_id in more} == {"deploy", "retire", "rollback"}
    assert set(more.values()) == {50.0}


def test_a_plan_round_trips_and_its_hash_is_stable() -> None:
    plan = planned(SECOND)
    again = from_json(json.loads(json.dumps(to_json(plan))), Plan)
    assert again == plan
    assert plan_hash(to_json(again)) == plan_hash(to_json(plan))


def test_what_exposes_users_is_the_kinds_to_say() -> None:
    plan = planned(SECOND)
    assert [step.kind for step in plan.steps if step.exposes_users] == ["switch"]
    lying = Rollout((Step("switch", "all", {"weights": {"candidate": 100}}, exposes_users=False),), candidate="green")
    assert planned(SECOND, rollout=lying).steps[-1].exposes_users


def test_a_deploy_in_place_exposes_users() -> None:
    rollout = Rollout((Step("deploy", "replace", {"slot": "candidate"}),), candidate="blue", in_place=True)
    assert planned(SECOND, rollout=rollout, prepared=True).steps[0].exposes_users
    beside = Rollout((Step("deploy", "start", {"slot": "candidate"}),), candidate="green")
    assert not planned(SECOND, rollout=beside, prepared=True).steps[0].exposes_users


def test_contributions_stand_at_their_anchors_in_order() -> None:
    def adding(anchor: Any, order: int) -> tuple[str, StepContribution]:
        steps = (Step("wait", f"{anchor} {order}", {"seconds": 1}),)
        return f"plugin-{order}", StepContribution(f"{anchor}-{order}", anchor, lambda target, release: steps, order)

    anchors = ("before-build", "before-exposure", "before-promotion", "after-guard-window", "on-failure")
    plan = planned(SECOND, contributions=[adding(anchor, order) for order in (60, 40) for anchor in anchors])
    titles = [step.title if step.kind == "wait" else step.kind for step in plan.steps]
    assert titles == [
        "snapshot", "before-build 40", "before-build 60", "script", "script", "script", "seal", "deploy", "health",
        "validate", "before-exposure 40", "before-exposure 60", "before-promotion 40", "before-promotion 60", "switch",
        "verify", "analyze", "after-guard-window 40", "after-guard-window 60", "retire",
    ]  # fmt: skip
    assert [step.title for step in plan.failure_steps[-2:]] == ["on-failure 40", "on-failure 60"]
    assert {step.plugin for step in plan.steps if step.kind == "wait"} == {"plugin-40", "plugin-60"}


def test_a_protection_becomes_a_step_before_anything_is_rolled_out() -> None:
    coverage = Guardrail("coverage", ("guardrails.min_test_coverage",), check=lambda run, values: {})
    other = Guardrail("other", ("guardrails.other",), check=lambda run, values: {})
    protected = evolve(TARGET, protections=(Protection("guardrails.min_test_coverage", 0.8, "a-package"),))
    plan = planned(SECOND, protected, guardrails=[("p", coverage), ("q", other)], kinds=WITH_GUARDRAIL)
    kinds = [step.kind for step in plan.steps]
    assert kinds.count("guardrail") == 1
    assert kinds.index("seal") < kinds.index("guardrail") < kinds.index("deploy")
    step = plan.steps[kinds.index("guardrail")]
    assert (step.params["values"], step.plugin) == ({"guardrails.min_test_coverage": 0.8}, "p")
    back = planned(SECOND, protected, guardrails=[("p", coverage)], kinds=WITH_GUARDRAIL, action="rollback")
    assert "guardrail" not in [step.kind for step in back.steps], "a return needs nobody's leave"


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(FatalError) as caught:
        planned(SECOND, rollout=Rollout((Step("dance", "dance"),)))
    assert "dance" in caught.value.message


def test_no_guard_window_is_said() -> None:
    target = evolve(TARGET, deployment=evolve(TARGET.deployment, traffic_switching=TrafficSwitching()))
    plan = planned(SECOND, target)
    assert "analyze" not in [step.kind for step in plan.steps]
    assert any("guard window" in note for note in plan.notes)


@given(
    slots=st.lists(
        st.tuples(st.sampled_from(["blue", "green"]), st.integers(0, 5), st.integers(0, 5)),
        unique_by=lambda one: one[0],
    )
)
def test_the_fingerprint_does_not_follow_health(slots: list[tuple[str, int, int]]) -> None:
    def live(shift: int) -> LiveState:
        return LiveState(tuple(Slot(n, n, "idle", wanted=w + shift, ready=r + shift) for n, w, r in slots))

    assert live(0).fingerprint() == live(1).fingerprint()
    moved = LiveState((*live(0).slots, Slot("extra", "extra", "candidate")))
    assert moved.fingerprint() != live(0).fingerprint()
