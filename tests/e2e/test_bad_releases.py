"""Releases that are bad in every way a release can be: the one before serves again, and nobody noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("flaws", "code", "says"),
    [
        ({"never_healthy": True}, "not-healthy", "status 500"),
        ({"exits": True}, "not-healthy", "no database: giving up"),
        ({"hangs": True}, "not-healthy", ""),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_one_that_never_becomes_healthy_reaches_nobody(
    project: Any, asking: Callable[..., Any], flaws: dict[str, bool], code: str, says: str
) -> None:
    assert project.deploy("v1").code == 0
    with asking(project) as asker:
        done = project.deploy("v2", flaws=flaws, startup=4)
    assert done.code == 1, done.err
    assert done.json["outcome"] == "restored"
    assert done.json["error"]["code"] == code
    assert says in done.json["error"]["message"]
    assert project.release() == "v1"
    assert asker.failures == []
    assert set(asker.releases) == {"v1"}
    assert [slot["label"] for slot in project.status()["slots"]] == ["blue"]


@pytest.mark.parametrize("flaw", ["breaks_later", "crashes_later"])
def test_one_that_breaks_after_the_switch_is_sent_back(project: Any, until: Callable[..., None], flaw: str) -> None:
    project.write(guard=30)
    assert project.deploy("v1").code == 0
    project.write(flaws={flaw: True})
    (project.folder / "version.txt").write_text("v2")
    with project.start("run", "deploy", "--release", "v2", "--yes", "--json") as process:
        until(lambda: project.release() == "v2")
        project.switched.touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert '"outcome": "restored"' in out
    assert project.release() == "v1"
    assert [slot["label"] for slot in project.status()["slots"]] == ["blue"]


def test_one_that_ignores_sigterm_is_ended_all_the_same(project: Any) -> None:
    project.write(keep=0)
    assert project.deploy("v1", flaws={"ignores_sigterm": True}).code == 0
    old = {slot["label"]: [one["pid"] for one in slot["instances"]] for slot in project.status()["slots"]}["blue"]
    done = project.deploy("v2")
    assert done.code == 0, done.err
    assert project.release() == "v2"
    alive = {process.pid for process in project.processes()}
    assert not alive & set(old)


def test_a_first_release_that_fails_leaves_nothing(project: Any) -> None:
    done = project.deploy("v1", flaws={"exits": True})
    assert (done.code, done.json["outcome"]) == (1, "failed")
    assert "no database: giving up" in done.json["error"]["message"]
    assert project.status()["slots"] == []
    assert project.processes() == []


def test_a_command_that_does_not_exist_is_said_first(project: Any) -> None:
    document = project.folder / "ospec.toml"
    lines = document.read_text().splitlines()
    document.write_text("\n".join('start = "no-such-program --x"' if "start =" in one else one for one in lines))
    done = project.ospec("run", "deploy", "--release", "v1", "--yes", "--json")
    assert done.code == 1
    assert "no-such-program" in done.json["error"]["message"]
    assert project.processes() == []


def test_a_failing_smoke_test_keeps_users_on_the_old_release(project: Any, asking: Callable[..., Any]) -> None:
    smoke = 'smoke_test = "echo asked $OSPEC_URL; exit 4"'
    assert project.deploy("v1").code == 0
    project.write(scripts=smoke)
    document = project.folder / "ospec.toml"
    document.write_text(document.read_text().replace('["health_check"]', '["health_check", "smoke_tests"]'))
    with asking(project) as asker:
        done = project.ospec("run", "deploy", "--release", "v2", "--yes", "--json")
    assert (done.code, done.json["outcome"]) == (1, "restored")
    assert "asked http://127.0.0.1:" in done.json["error"]["message"]
    assert set(asker.releases) == {"v1"}
    assert asker.failures == []
