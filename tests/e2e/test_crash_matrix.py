"""SIGKILL before and after journal records of a deploy under load, then `ospec resume`.

OSPEC_CRASH_MATRIX=all takes every record; otherwise every fifth, and those around the switch, are taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

EVERYTHING = os.environ.get("OSPEC_CRASH_MATRIX") == "all"
MOMENTS = ("before", "after")
SCRIPTS = 'test = "echo began >> ../../../began.txt; sleep 0.1; echo ended >> ../../../ended.txt"'


def _records(total: int, around: int) -> Iterator[int]:
    for number in range(1, total + 1):
        if EVERYTHING or number % 6 == 1 or abs(number - around) <= 1:
            yield number


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("flaw", ["", "never_healthy"], ids=["good", "bad"])
def test_killed_then_resumed(project: Any, asking: Callable[..., Any], moment: str, flaw: str) -> None:
    """The front door never fails; the end is the new release, or the old one, whole; nothing is done twice."""
    project.write(scripts=SCRIPTS, guard=0.2, startup=3, keep=0)
    if flaw and not EVERYTHING and moment == "before":
        pytest.skip("the whole matrix runs in nox -s crash")
    assert project.deploy("base").code == 0
    reference = project.deploy("probe", flaws={flaw: True} if flaw else {})
    kinds = [record["kind"] for record in _journal(project, reference.json["run"])]
    switch = next(
        (
            n
            for n, one in enumerate(_journal(project, reference.json["run"]), 1)
            if one.get("kind") == "step-started" and "switch" in one["step"]
        ),
        1,
    )
    with asking(project) as asker:
        for number in _records(len(kinds), switch):
            _one(project, asker, moment, number, flaw)
    assert asker.failures == []


def _one(project: Any, asker: Any, moment: str, number: int, flaw: str) -> None:
    before = project.release()
    name = f"{moment}-{number}"
    project.write(flaws={flaw: True} if flaw else {})
    (project.folder / "version.txt").write_text(name)
    deploy = ("run", "deploy", "--release", name, "--yes", "--json")
    killed = project.ospec(f"--{moment}", str(number), "--", *deploy, module="ospec.testing.crash")
    assert killed.code in (-9, 0, 1), killed.err
    assert asker.failures == [], f"while killed {moment} {number}"
    resumed = project.ospec("resume", "--json")
    assert resumed.code in (0, 1), resumed.err
    serving = project.release()
    assert serving in (before, name), f"{moment} {number}"
    if flaw:
        assert serving == before
    elif resumed.json["run"]:
        assert serving == name, f"{moment} {number}: {resumed.err}"
    status = project.status()
    stable = [slot for slot in status["slots"] if slot["role"] == "stable"]
    assert [(slot["weight_percent"], slot["ready"], slot["wanted"]) for slot in stable] == [(100.0, 2, 2)]
    assert status["open_run"] is None
    assert status["problems"] == []
    assert len(_servers(project)) == 2 * len(status["slots"]), f"{moment} {number}: an instance too many"
    began = (project.folder / ".ospec" / "began.txt").read_text().count("\n")
    ended = (project.folder / ".ospec" / "ended.txt").read_text().count("\n")
    assert began - ended <= 1 + number, "a cut script is ended before it runs again"


def _servers(project: Any) -> list[Any]:
    return [one for one in project.processes() if "server.py" in one.cmdline()]


def _journal(project: Any, run: str) -> list[dict[str, Any]]:
    import json

    shown = project.ospec("show", run, "--records")
    return [json.loads(line) for line in shown.out.splitlines()]


def test_a_script_that_was_running_is_ended_before_it_runs_again(project: Any, until: Callable[..., None]) -> None:
    script = "echo $$ >> ../../../began.txt; while [ ! -f ../../../go ]; do sleep 0.05; done"
    project.write(scripts=f"test = '{script}'")
    began = project.folder / ".ospec" / "began.txt"
    with project.start("run", "deploy", "--release", "v1", "--yes") as process:
        until(lambda: began.exists() and began.read_text().strip())
        process.kill()
        process.communicate()
    first = int(began.read_text().split()[0])
    assert os.path.exists(f"/proc/{first}"), "it outlived the deploy"  # noqa: PTH110
    with project.start("resume", "--json") as process:
        until(lambda: len(began.read_text().split()) == 2)
        assert not os.path.exists(f"/proc/{first}"), "the first one was ended before the second began"  # noqa: PTH110
        (project.folder / ".ospec" / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert project.release() == "v1"
