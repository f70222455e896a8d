"""The strategy suite finds what a strategy must not do; each broken strategy fails exactly the checks it should."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.models.plan import Rollout, Step
from ospec.models.registration import Strategy, StrategyInput
from ospec.testing.strategy_conformance import StrategyConformance


def all_at_once(given: StrategyInput) -> Rollout:
    """A strategy that keeps the contract."""
    stable = given.live.stable
    steps = [
        Step("deploy", "start it", {"slot": "candidate"}),
        Step("health", "wait for it", {"slot": "candidate"}),
        Step("switch", "give it all traffic", {"weights": {"candidate": 100}}),
        Step("verify", "ask the front door", {"slot": "candidate"}),
        Step("analyze", "watch it", {"slot": "candidate", "seconds": 5.0}),
    ]
    if stable:
        steps.append(Step("retire", "take the old one away", {"slot": "stable"}))
    label = "green" if stable and stable.label == "blue" else "blue"
    return Rollout(tuple(steps), candidate=label, longest_exposure=((100.0, 35.0),))


def without(*kinds: str) -> Callable[[StrategyInput], Rollout]:
    """The same without some steps."""

    def plan(given: StrategyInput) -> Rollout:
        rollout = all_at_once(given)
        return evolve(rollout, steps=tuple(step for step in rollout.steps if step.kind not in kinds))

    return plan


def ordered(*kinds: str) -> Callable[[StrategyInput], Rollout]:
    """The same in another order."""

    def plan(given: StrategyInput) -> Rollout:
        rollout = all_at_once(given)
        return evolve(rollout, steps=tuple(sorted(rollout.steps, key=lambda step: kinds.index(step.kind))))

    return plan


def changed(**fields: Any) -> Callable[[StrategyInput], Rollout]:
    """The same with other fields."""
    return lambda given: evolve(all_at_once(given), **fields)


def by_chance(given: StrategyInput) -> Rollout:
    return evolve(all_at_once(given), extra_instances=random.randrange(10**9))


def by_clock(given: StrategyInput) -> Rollout:
    return evolve(all_at_once(given), notes=() if time.time() else ("never",))


def by_file(given: StrategyInput) -> Rollout:
    return evolve(all_at_once(given), notes=() if Path(__file__).read_text() else ("never",))


def endless(given: StrategyInput) -> Rollout:
    rollout = all_at_once(given)
    return evolve(rollout, steps=tuple(evolve(step, timeout_seconds=float(10**9)) for step in rollout.steps))


def needs_a_stable_release(given: StrategyInput) -> Rollout:
    rollout = all_at_once(given)
    return evolve(rollout, steps=(*without("retire")(given).steps, Step("retire", "old", {"slot": "stable"})))


def half(given: StrategyInput) -> Rollout:
    rollout = all_at_once(given)
    if not given.live.stable:
        return rollout
    weights = {"weights": {"candidate": 50, "stable": 50}}
    steps = (evolve(step, params=weights) if step.kind == "switch" else step for step in rollout.steps)
    return evolve(rollout, steps=tuple(steps))


BROKEN: dict[str, tuple[Callable[[StrategyInput], Rollout], Sequence[str]]] = {
    "chance": (by_chance, ["test_the_same_input_gives_the_same_rollout"]),
    "clock": (by_clock, ["test_asks_no_clock_and_no_chance"]),
    "file": (by_file, ["test_asks_no_clock_and_no_chance"]),
    "no health": (without("health"), ["test_nobody_reaches_a_release_that_was_not_healthy"]),
    "no verify": (
        without("verify"),
        [
            "test_every_switch_is_verified_before_anything_else",
            "test_nothing_is_retired_before_all_traffic_is_verified",
        ],
    ),
    "no guard window": (without("analyze"), ["test_the_guard_window_is_watched"]),
    "retired first": (
        ordered("deploy", "health", "retire", "switch", "verify", "analyze"),
        ["test_nothing_is_retired_before_all_traffic_is_verified"],
    ),
    "endless": (endless, ["test_every_step_has_a_title_and_a_time_limit"]),
    "into the stable slot": (changed(candidate="blue"), ["test_the_candidate_is_another_slot_unless_in_place"]),
    "half way": (half, ["test_the_candidate_ends_with_all_traffic"]),
    "worst case untold": (changed(longest_exposure=()), ["test_the_worst_case_is_told"]),
    "first release forgotten": (needs_a_stable_release, ["test_a_first_release_needs_nothing_that_is_not_there"]),
}


class Plugin:
    """A plugin with one strategy."""

    def __init__(self, plan: Callable[[StrategyInput], Rollout]) -> None:
        self._plan = plan

    def register_strategies(self) -> list[Strategy]:
        return [Strategy("all-at-once", self._plan)]


def failing(plan: Callable[[StrategyInput], Rollout], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The checks that a strategy fails."""
    suite = StrategyConformance()
    suite.plugin = Plugin(plan)
    record = suite.plugin.register_strategies()[0]
    given: dict[str, Callable[[], Any]] = {
        "record": lambda: record,
        "rollout": lambda: record.plan(suite.given(record, suite.live)),
        "plan": lambda: suite.composed(record, record.plan(suite.given(record, suite.live)), suite.live),
        "monkeypatch": lambda: monkeypatch,
    }
    failed = set()
    for name in (name for name in dir(suite) if name.startswith("test_")):
        check = getattr(suite, name)
        arguments = {one: given[one]() for one in check.__code__.co_varnames[1 : check.__code__.co_argcount]}
        try:
            check(**arguments)
        except (AssertionError, pytest.fail.Exception):
            failed.add(name)
    return failed


def test_a_strategy_that_keeps_the_contract_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(all_at_once, monkeypatch) == set()


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_strategy_is_found(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, expected = BROKEN[broken]
    assert failing(plan, monkeypatch) == set(expected)
