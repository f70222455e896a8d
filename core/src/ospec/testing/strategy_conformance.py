"""Conformance suite v1 of strategies."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from ospec import builtin
from ospec.converter import from_json, to_json
from ospec.models.document import Deployment, SlotSettings, TrafficSwitching
from ospec.models.live import LiveState, Slot
from ospec.models.plan import Plan, Rollout, Step
from ospec.models.registration import Capabilities, StepKind, Strategy, StrategyInput
from ospec.models.release import Artifact, Release, ReleaseRef
from ospec.models.target import HealthCheck, Process, Target
from ospec.stages.plan import PlanInput, compose

EVERYTHING = Capabilities(
    slots=True,
    weighted_traffic=True,
    header_routing=True,
    sticky_sessions=True,
    maintenance=True,
    batches=True,
    release_header=True,
    instances=True,
    metrics=True,
)
SERVING = LiveState(
    (Slot("blue", "blue", "stable", (ReleaseRef("v1", "1" * 64),), weight_percent=100.0, wanted=2, ready=2),),
    address="http://127.0.0.1:8080",
)


class StrategyConformance:
    """Checks of a strategy; a subclass names it.

    The whole test file::

        class TestBlueGreen(StrategyConformance):
            plugin = hooks
    """

    plugin: Any = None
    """The module (or object) with `register_strategies`."""
    strategy: str = ""
    """Its name, where the plugin registers several."""
    deployment: Deployment = Deployment(
        traffic_switching=TrafficSwitching(("health_check",), rollback_threshold_seconds=5.0),
        environments={"blue": SlotSettings(instances=2), "green": SlotSettings(instances=2)},
    )
    """The deployment section it is planned with."""
    capabilities: Capabilities = EVERYTHING
    live: LiveState = SERVING
    """What is there: a release that serves."""
    golden: Path | None = None
    """A JSON file that holds the whole rollout. To renew it after a wanted change: delete it, run the test twice, read
    the difference."""

    @pytest.fixture
    def record(self) -> Strategy:
        """The strategy as it is registered."""
        found: list[Strategy] = [one for one in self.plugin.register_strategies() if self.strategy in ("", one.name)]
        assert len(found) == 1, f"set `strategy` to one of {[one.name for one in found]}"
        return found[0]

    def given(self, record: Strategy, live: LiveState) -> StrategyInput:
        """What the strategy is given."""
        target = Target(
            service="conformance",
            name="Conformance",
            environment="test",
            platform="any",
            strategy=record.name,
            processes={"web": Process("web", "serve", 2)},
            health_checks=(HealthCheck("/health"),),
            deployment=self.deployment,
        )
        settings = record.settings() if record.settings else None
        return StrategyInput(target, self.capabilities, live, settings)

    @pytest.fixture
    def rollout(self, record: Strategy) -> Rollout:
        """What it plans where a release serves."""
        return record.plan(self.given(record, self.live))

    @pytest.fixture
    def plan(self, record: Strategy, rollout: Rollout) -> Plan:
        """The whole plan that is composed from it."""
        return self.composed(record, rollout, self.live)

    def composed(self, record: Strategy, rollout: Rollout, live: LiveState) -> Plan:
        """A rollout with its ids and its failure path."""
        kinds = {one.name: one for one in builtin.register_steps() if isinstance(one, StepKind)}
        release = Release("v2", "2" * 64, "conformance", "test", Artifact("2"), "")
        previous = attrs.evolve(release, name="v1", id="1" * 64) if live.stable else None
        target = self.given(record, live).target
        return compose(
            PlanInput(
                action="deploy",
                target=target,
                release=release,
                previous=previous,
                live=live,
                rollout=rollout,
                kinds=kinds,
                prepared=True,
            )
        )

    # -- the function ----------------------------------------------------------------------------------------------

    def test_registers_a_strategy_record(self, record: Strategy) -> None:
        assert isinstance(record, Strategy)
        fields = {one.name for one in attrs.fields(Capabilities)}
        assert {*record.needs, *record.wants} <= fields, "it needs a capability that there is not"
        assert record.settings is None or attrs.has(record.settings)

    def test_the_same_input_gives_the_same_rollout(self, record: Strategy) -> None:
        made = [record.plan(self.given(record, self.live)) for _ in range(3)]
        assert made[0] == made[1] == made[2]

    def test_asks_no_clock_and_no_chance(self, record: Strategy, monkeypatch: pytest.MonkeyPatch) -> None:
        given = self.given(record, self.live)
        record.plan(given)  # what it imports late is imported now

        def forbidden(*_: Any, **__: Any) -> Any:
            raise AssertionError("a strategy is a pure function: it asks no clock, no chance, no file")

        with monkeypatch.context() as patch:
            for module, name in (
                (time, "time"), (time, "time_ns"), (time, "monotonic"), (time, "perf_counter"),
                (random, "random"), (random, "randint"), (random, "choice"), (os, "urandom"), (os, "getenv"),
                (os, "open"), (os, "stat"),
            ):  # fmt: skip
                patch.setattr(module, name, forbidden)
            patch.setattr("builtins.open", forbidden)
            patch.setattr("io.open", forbidden)
            patch.setattr("socket.socket", forbidden)
            record.plan(given)

    def test_survives_json(self, rollout: Rollout) -> None:
        assert from_json(to_json(rollout), Rollout) == rollout

    def test_it_plans_what_it_planned_before(self, rollout: Rollout) -> None:
        if self.golden is None:
            pytest.skip("no golden file: set `golden`")
        found = to_json(rollout)
        if not self.golden.exists():
            self.golden.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            pytest.fail(f"wrote {self.golden}: read it, and run the test again")
        assert found == json.loads(self.golden.read_text(encoding="utf-8"))

    # -- the steps -------------------------------------------------------------------------------------------------

    def test_every_step_has_a_title_and_a_time_limit(self, rollout: Rollout) -> None:
        assert rollout.steps
        for step in rollout.steps:
            assert step.title.strip()
            assert 0 < step.timeout_seconds < 86400

    def test_the_candidate_is_another_slot_unless_in_place(self, rollout: Rollout) -> None:
        stable = self.live.stable
        assert rollout.candidate
        assert stable is None or rollout.in_place == (rollout.candidate in (stable.id, stable.label))

    def test_nobody_reaches_a_release_that_was_not_healthy(self, plan: Plan) -> None:
        first = next(number for number, step in enumerate(plan.steps) if step.exposes_users)
        if plan.steps[first].kind == "deploy":  # in place: health comes after each batch
            return
        kinds = [step.kind for step in plan.steps[:first]]
        assert "deploy" in kinds
        assert "health" in kinds[kinds.index("deploy") :]

    def test_every_switch_is_verified_before_anything_else(self, plan: Plan) -> None:
        for number, step in enumerate(plan.steps):
            if step.kind == "switch":
                assert follows(plan.steps, number) == "verify", f"{step.id} is not followed by verify"

    def test_nothing_is_retired_before_all_traffic_is_verified(self, plan: Plan) -> None:
        kinds = [step.kind for step in plan.steps]
        last = max((number for number, step in enumerate(plan.steps) if step.exposes_users), default=-1)
        for number, kind in enumerate(kinds):
            assert kind != "retire" or number > last, f"{plan.steps[number].id} retires before {plan.steps[last].id}"
            assert kind != "retire" or "verify" in kinds[last:number], f"{plan.steps[number].id} comes before verify"

    def test_the_guard_window_is_watched(self, plan: Plan) -> None:
        last = max(number for number, step in enumerate(plan.steps) if step.exposes_users)
        watched = sum(float(step.params.get("seconds", 0)) for step in plan.steps[last:] if step.kind == "analyze")
        assert watched >= self.deployment.traffic_switching.rollback_threshold_seconds

    def test_the_candidate_ends_with_all_traffic(self, plan: Plan) -> None:
        switches = [step for step in plan.steps if step.kind == "switch"]
        assert not switches or switches[-1].params["weights"] == {"candidate": 100}

    def test_the_worst_case_is_told(self, rollout: Rollout) -> None:
        assert rollout.longest_exposure
        for percent, seconds in rollout.longest_exposure:
            assert 0 < percent <= 100
            assert 0 < seconds < 86400

    def test_a_first_release_needs_nothing_that_is_not_there(self, record: Strategy) -> None:
        plan = self.composed(record, record.plan(self.given(record, LiveState())), LiveState())
        assert "deploy" in [step.kind for step in plan.steps]
        assert not any("stable" in repr(step.params) for step in plan.steps if step.kind != "deploy")


def follows(steps: Sequence[Step], number: int) -> str:
    """The kind of the next step, empty at the end."""
    return steps[number + 1].kind if number + 1 < len(steps) else ""
