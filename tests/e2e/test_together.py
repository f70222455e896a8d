"""Several at once: deploys, clones, services, environments; and what is long under way when traffic moves."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest


def test_two_deploys_at_once(project: Any, until: Callable[..., None]) -> None:
    assert project.deploy("v1").code == 0
    project.write(guard=3)
    with project.start("run", "deploy", "--release", "v2", "--yes", "--json") as first:
        until(lambda: project.release() == "v2")
        second = project.ospec("run", "deploy", "--release", "v3", "--yes", "--json")
        out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert second.code == 5
    assert second.json["outcome"] == "refused"
    assert second.json["error"]["code"] == "open-run"
    assert json.loads(out)["run"] in second.json["error"]["message"]
    assert project.release() == "v2"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, "abort"], ids=str)
def test_an_abort_returns_within_a_moment(
    project: Any, asking: Callable[..., Any], until: Callable[..., None], how: Any
) -> None:
    assert project.deploy("v1").code == 0
    project.write(guard=60)
    with asking(project) as asker, project.start("run", "deploy", "--release", "v2", "--yes", "--json") as deploy:
        until(lambda: project.release() == "v2")
        if how == "abort":
            assert project.ospec("abort").code == 0
        else:
            deploy.send_signal(how)
        out, err = deploy.communicate(timeout=30)
    assert deploy.returncode == 130, err
    assert '"outcome": "aborted"' in out
    assert project.release() == "v1"
    assert asker.failures == []


def test_supersede_ends_the_other_and_starts(project: Any, until: Callable[..., None]) -> None:
    assert project.deploy("v1").code == 0
    project.write(guard=60)
    with project.start("run", "deploy", "--release", "v2", "--yes", "--json") as first:
        until(lambda: project.release() == "v2")
        second = project.deploy("v3", "--supersede", guard=0)
        first.communicate(timeout=30)
    assert first.returncode == 130
    assert second.code == 0, second.err
    assert project.release() == "v3"


def test_two_clones_on_one_port(make_project: Callable[..., Any]) -> None:
    one = make_project("one")
    two = make_project("two", port=one.port)
    assert one.deploy("v1").code == 0
    done = two.deploy("v1")
    assert done.code in (1, 5), done.err
    assert str(one.port) in done.json["error"]["message"]
    assert one.release() == "v1"
    assert two.processes() == []


def test_two_services_and_two_environments_live_side_by_side(make_project: Callable[..., Any]) -> None:
    shop, blog = make_project("shop"), make_project("blog", service="blog")
    document = shop.folder / "ospec.toml"
    document.write_text(document.read_text() + f"[environments.staging.plugins.local]\nport = {blog.port + 500}\n")
    for project, arguments in ((shop, ()), (blog, ()), (shop, ("-e", "staging"))):
        done = project.ospec("run", "deploy", "--release", "v1", "--yes", "--json", *arguments)
        assert done.code == 0, done.err
    assert shop.release() == blog.release() == "v1"
    assert shop.ospec("down", "--yes").code == 0
    assert blog.release() == "v1"
    staging = shop.ospec("status", "-e", "staging", "--json").json
    assert staging["slots"][0]["ready"] == 2
    assert shop.ospec("down", "-e", "staging", "--yes").code == 0


def test_event_streams_and_long_downloads_go_on_over_a_switch(project: Any) -> None:
    """An open stream stays with the release it began on until it ends (at most `drain_seconds`)."""
    project.write(keep=0)
    assert project.deploy("v1").code == 0
    events: list[bytes] = []

    def listen() -> None:
        connection = HTTPConnection("127.0.0.1", project.port, timeout=30)
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        while line := answer.readline():
            events.append(line)
        connection.close()

    listener = threading.Thread(target=listen)
    listener.start()
    deadline = time.monotonic() + 10
    while not events:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    done = project.deploy("v2")
    listener.join()
    assert done.code == 0, done.err
    assert [one for one in events if one.startswith(b"data")][-1] == b"data: 19\n"


def test_the_working_tree_is_not_what_serves(project: Any) -> None:
    assert project.deploy("v1").code == 0
    (project.folder / "server.py").write_text("raise SystemExit('edited')")
    for process in [one for one in project.processes() if "server.py" in one.cmdline()]:
        process.kill()
    deadline = time.monotonic() + 20
    while project.status()["slots"][0]["ready"] != 2:
        assert time.monotonic() < deadline
    assert project.release() == "v1"


def test_unchanged_redeploy_and_rollback(project: Any, asking: Callable[..., Any]) -> None:
    assert project.deploy("v1").code == 0
    with asking(project) as asker:
        again = project.deploy("v1")
        assert (again.code, again.json["outcome"]) == (0, "unchanged")
        assert again.json["address"] == f"http://127.0.0.1:{project.port}"
        redeployed = project.deploy("v1", "--redeploy")
        assert redeployed.json["release"] == "v1-r2"
        assert project.deploy("v2").code == 0
        back = project.ospec("run", "rollback", "--yes", "--json")
        assert (back.code, back.json["release"]) == (0, "v1-r2")
        cold = project.ospec("run", "rollback", "--to", "v1", "--yes", "--json")
        assert cold.code == 0, cold.err
    assert project.release() == "v1"
    assert asker.failures == []
    other = project.ospec("run", "deploy", "--release", "v2", "--yes", "--json")
    (project.folder / "more.txt").write_text("more")
    other = project.ospec("run", "deploy", "--release", "v2", "--yes", "--json")
    assert (other.code, other.json["error"]["code"]) == (5, "release-name-taken")


def test_a_read_only_state_folder_is_said_first(project: Any, tmp_path: Path) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    done = project.ospec("run", "deploy", "--yes", "--json", environ={"OSPEC_HOME": str(file / "home")})
    assert done.code == 1
    assert done.json["error"]["code"] == "store-broken"
    assert "OSPEC_HOME" in " ".join(done.json["error"]["hints"])
