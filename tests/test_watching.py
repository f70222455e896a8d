"""Alerts begin and end after two looks that agree, and too little data is neither good nor bad."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ospec.conditions.parse import parse_condition
from ospec.models.live import Measurement
from ospec.models.target import Target
from ospec.watching import Change, Memory, Rule, Watched, notice_of_change, rules_of

RULE = Rule("Many errors", parse_condition("error_rate > 0.05"), "critical")
CLOCK = itertools.count(1000)


def bins(requests: float, errors: float) -> list[Measurement]:
    at = float(next(CLOCK))
    return [Measurement("requests", "v1", "proxy", at, requests), Measurement("errors", "v1", "proxy", at, errors)]


def looks(watched: Watched, *seen: tuple[float, float]) -> list[str]:
    return [change.what for requests, errors in seen for change in watched.look("v1", bins(requests, errors))]


GOOD, BAD, FEW = (100, 0), (100, 10), (3, 3)


@pytest.mark.parametrize(
    ("seen", "changes", "fired", "firing"),
    [
        ([GOOD, GOOD, GOOD], ["well"], False, False),
        ([FEW, FEW], ["not-enough-data"], False, False),
        ([BAD], ["bad"], False, False),
        ([BAD, GOOD, BAD, GOOD], ["bad", "well", "bad", "well"], False, False),
        ([GOOD, BAD, BAD, BAD], ["well", "bad", "alert"], True, True),
        ([BAD, BAD, GOOD, BAD, BAD], ["bad", "alert", "well", "bad"], True, True),
        ([BAD, BAD, GOOD, GOOD], ["bad", "alert", "well", "resolved"], True, False),
        ([BAD, BAD, FEW, FEW], ["bad", "alert", "not-enough-data"], True, True),
    ],
)
def test_what_looks_change(seen: list[Any], changes: list[str], fired: bool, firing: bool) -> None:
    watched = Watched(RULE)
    assert looks(watched, *seen) == changes
    assert (watched.fired, watched.firing) == (fired, firing)


def test_an_alert_that_is_known_is_not_told_again_and_ends() -> None:
    watched = Watched(RULE, firing=True)
    assert looks(watched, BAD, BAD) == ["bad"]
    assert watched.fired
    watched = Watched(RULE, firing=True)
    assert looks(watched, GOOD, GOOD) == ["well", "resolved"]
    assert not watched.fired, "what was over when this began did not fire in it"


def test_another_releases_numbers_do_not_count() -> None:
    watched = Watched(RULE)
    assert [change.what for change in watched.look("v2", bins(*BAD))] == ["not-enough-data"]


def project(tmp_path: Path, **monitoring: Any) -> Any:
    target = Target("shop", "Shop", "production", "local", "blue-green", extra={"monitoring": monitoring})
    return SimpleNamespace(
        target=target, home=tmp_path, monitoring=monitoring, loaded=SimpleNamespace(locate=lambda key: key)
    )


def test_rules_are_alerts_and_metrics_and_errors_where_there_are_none(tmp_path: Path) -> None:
    made = rules_of(
        project(
            tmp_path,
            metrics=[
                {"name": "response_time_p95", "threshold": 500},
                {"name": "success_rate", "threshold": 0.99},
                {"name": "queue_depth", "threshold": 7},
            ],
            alerts=[{"name": "A", "condition": "error_rate > 0.05 or queue_depth > 9", "severity": "critical"}],
        )
    )
    assert [(one.name, one.condition.text, one.severity) for one in made] == [
        ("A", "error_rate > 0.05 or queue_depth > 9", "critical"),
        ("response_time_p95", "response_time_p95 > 500", "warning"),
        ("success_rate", "success_rate < 0.99", "warning"),
        ("queue_depth", "queue_depth > 7", "warning"),
    ]
    assert [one.condition.text for one in rules_of(project(tmp_path))] == ["error_rate > 5%"]


def test_what_is_firing_is_remembered(tmp_path: Path) -> None:
    memory = Memory(project(tmp_path))
    assert memory.firing() == {}
    memory.keep([Watched(RULE)])
    assert not (tmp_path / "alerts").exists(), "nothing is written where there is nothing to say"
    memory.keep([Watched(RULE, firing=True)])
    began = Memory(project(tmp_path)).firing()
    assert set(began) == {"Many errors"}
    memory.keep([Watched(RULE, firing=True)])
    assert memory.firing() == began
    memory.keep([Watched(RULE)])
    assert memory.firing() == {}
    (tmp_path / "alerts" / "shop.production.json").write_text("{[")
    assert memory.firing() == {}


@pytest.mark.parametrize(("what", "state", "commands"), [("alert", "raised", 3), ("resolved", "over", 0)])
def test_the_notice_of_an_alert(tmp_path: Path, what: Any, state: str, commands: int) -> None:
    notice = notice_of_change(project(tmp_path), Change(RULE, what, "error_rate is 7.1 %"), "v1", "http://x", 5.0)
    assert (notice.kind, notice.state, notice.severity) == (what, state, "critical")
    assert notice.key == "shop/production/alert/Many errors"
    assert notice.text == "error_rate is 7.1 % (alert: error_rate > 0.05)"
    assert notice.fields["alert"] == "Many errors"
    assert len(notice.commands) == commands
    assert all(command.endswith("-e production") for command in notice.commands)
