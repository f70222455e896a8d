"""Refusing early: capabilities, protection that nothing enforces, checks that nothing knows."""

from __future__ import annotations

from typing import Any

import pytest
from ospec.errors import RefusedError
from ospec.models.document import Deployment, TrafficSwitching
from ospec.models.plan import Rollout
from ospec.models.registration import Capabilities, Guardrail, Platform, Strategy
from ospec.models.target import Protection, Script, Secrets, Target
from ospec.stages.negotiate import check_validation, negotiate, refuse_unprotected


def target(**more: Any) -> Target:
    return Target("shop", "Shop", "default", "box", "blue-green", **more)


def strategy(name: str, *needs: str, wants: tuple[str, ...] = ()) -> Strategy:
    return Strategy(name, lambda given: Rollout(()), needs=needs, wants=wants)


def test_a_platform_that_cannot_is_refused_with_what_would_work() -> None:
    box = Platform("box", Capabilities(batches=True))
    strategies = [strategy("blue-green", "slots"), strategy("rolling", "batches"), strategy("recreate")]
    with pytest.raises(RefusedError) as caught:
        negotiate(target(), box, strategies[0], strategies)
    assert caught.value.code == "not-capable"
    assert "run a second release beside" in caught.value.message
    assert caught.value.hints == ("use recreate or rolling",)
    assert negotiate(target(), box, strategies[1], strategies) == ()


def test_what_is_wanted_and_missing_is_a_note() -> None:
    box = Platform("box", Capabilities(slots=True))
    notes = negotiate(target(), box, strategy("blue-green", "slots", wants=("metrics", "slots")), [])
    assert len(notes) == 1
    assert "tell requests and errors by release" in notes[0]


def test_scripts_that_are_not_used_are_said() -> None:
    scripts = {name: Script(name, "true") for name in ("deploy", "rollback", "test")}
    plain = negotiate(target(scripts=scripts), Platform("box", Capabilities()), strategy("x"), [])
    assert ["scripts.deploy" in plain[0], "scripts.rollback" in plain[1], len(plain)] == [True, True, 2]
    assert negotiate(target(scripts=scripts), Platform("box", Capabilities(scripted=True)), strategy("x"), []) == ()


def test_protection_that_nothing_enforces_refuses() -> None:
    protections = (
        Protection("guardrails.min_test_coverage", 0.8, "ospec-plugin-guardrails", "ospec.toml:9:1"),
        Protection("secrets.required", ["DATABASE_URL"], "ospec-plugin-secrets-env", "ospec.toml:12:1"),
    )
    guarded = target(protections=protections, secrets=Secrets("local://env", ("DATABASE_URL",)))
    with pytest.raises(RefusedError) as caught:
        refuse_unprotected(guarded, {}, ())
    assert (caught.value.code, int(caught.value.exit_code)) == ("not-enforced", 5)
    assert "ospec-plugin-guardrails ospec-plugin-secrets-env" in caught.value.hints[0]
    assert "ospec.toml:9:1" in caught.value.where
    coverage = {"coverage": Guardrail("coverage", ("guardrails.min_test_coverage",))}
    with pytest.raises(RefusedError) as caught:
        refuse_unprotected(guarded, coverage, ("vault",))
    assert "secrets.required" in caught.value.message
    assert "min_test_coverage" not in caught.value.message
    refuse_unprotected(guarded, coverage, ("local",))


def test_an_unknown_validation_check_is_refused() -> None:
    asked = target(deployment=Deployment(traffic_switching=TrafficSwitching(("health_chek",))))
    with pytest.raises(RefusedError) as caught:
        check_validation(asked, ("health_check", "smoke_tests"))
    assert caught.value.hints == ("did you mean 'health_check'?",)
