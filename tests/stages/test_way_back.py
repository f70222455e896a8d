"""A rollback goes back, and further back when it is called again; never to what was itself left by one."""

from __future__ import annotations

import pytest
from ospec.models.run import Outcome, RunHeader
from ospec.stages.way_back import ways_back


def runs(*what: str) -> list[RunHeader]:
    """`d1` deployed v1, `r1` rolled back to it, `x1` failed to deploy it; newest first, as a store gives them."""
    made = []
    for number, one in enumerate(what):
        kind, name = one[0], one[1:]
        action = "rollback" if kind == "r" else "deploy"
        outcome: Outcome = "restored" if kind == "x" else "promoted"
        made.append(RunHeader(f"run{number}", "shop", "default", action, name, name, float(number), None, outcome))
    return made[::-1]


@pytest.mark.parametrize(
    ("history", "serving", "back"),
    [
        ("d1 d2 d3 d4", "4", "321"),
        ("d1 d2 d3 d4 r3", "3", "21"),
        ("d1 d2 d3 d4 r3 r2", "2", "1"),
        ("d1 d2 d3 d4 r3 r2 r1", "1", ""),
        ("d1 d2 d3 d4 r3 r2 r4", "4", "321"),
        ("d1 d2 x3 d4 r2", "2", "1"),
        ("d1 d2 d3 r2 d4", "4", "21"),
        ("d1 d2 d3 r2 d4 r3", "3", "421"),
        ("d1 d2 d1", "1", "2"),
        ("d1 d2", None, "21"),
    ],
)
def test_ways_back(history: str, serving: str | None, back: str) -> None:
    done = runs(*history.split())
    known = sorted({run.release_id for run in done if run.outcome == "promoted"}, reverse=True)
    assert "".join(ways_back(done, serving, known)) == back


@pytest.mark.parametrize(
    ("history", "serving", "back"), [("d3 d4 r3", "3", "21"), ("d2 d4 r2", "2", "31"), ("", "4", "321")]
)
def test_releases_whose_runs_were_forgotten_are_older(history: str, serving: str, back: str) -> None:
    assert "".join(ways_back(runs(*history.split()), serving, "4321")) == back


def test_what_is_not_kept_is_passed_by() -> None:
    assert ways_back(runs("d1", "d2", "d3"), "3", ["3", "1"]) == ["1"]
