"""Canary, rolling and recreate by the command line, behind the real proxy, under load."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

import pytest
from ospec.testing.load import Load

ANALYSIS = "analysis = { limit_seconds = 60 }"


@pytest.fixture
def canary(shop: Any) -> Any:
    shop.settings |= {
        "strategy": "canary",
        "plugins": '"canary", "judge-sequential"',
        "deployment": f"{ANALYSIS}\nsteps = [{{ weight = 20, hold_seconds = 1 }}, {{ weight = 50, hold_seconds = 1 }}]",
        "window": 1,
    }
    shop.deploy("v1")
    return shop


def steps(report: Any, kind: str) -> list[Any]:
    return [step for step in report["steps"] if step["kind"] == kind]


def test_a_canary_grows_under_load_and_is_promoted(canary: Any) -> None:
    with Load(canary.url + "/", rate=300, connections=16, fresh_share=0.1) as load:
        report = canary.deploy("v2")
    result = load.stop()
    assert (report["outcome"], result.failed) == ("promoted", 0)
    canary.serves("v2")
    shares = [step["result"] for step in steps(report, "verify") if "standard_errors" in step["result"]]
    assert [one["percent"] for one in shares] == [20, 50]
    assert all(one["standard_errors"] <= 4.1 and one["asked"] >= 1000 for one in shares)
    judged = [step["result"].get("verdict") for step in steps(report, "analyze")]
    assert judged[1] == "pass", "shown before everybody gets it"
    again = canary.ospec("judge", "replay", report["run"])
    assert again["looks"] >= 4
    assert again["differing"] == []


def test_a_canary_that_fails_some_requests_is_sent_back(canary: Any) -> None:
    with Load(canary.url + "/error", rate=300, connections=16):
        report = canary.deploy("v2", "some-errors", code=1)
    assert (report["outcome"], report["error"]["code"]) == ("restored", "regressed")
    assert "v2 failed" in report["error"]["message"]
    canary.serves("v1")
    assert canary.ospec("show", report["run"], "--explain")["looks"][-1]["verdict"]["outcome"] == "regress"


def test_silence_promotes_nobody(canary: Any) -> None:
    """What ospec itself asks says nothing of how users are served."""
    canary.settings["deployment"] = canary.settings["deployment"].replace("limit_seconds = 60", "limit_seconds = 3")
    report = canary.deploy("v2", code=1)
    assert (report["outcome"], report["error"]["code"]) == ("restored", "no-verdict")
    assert "not enough data" in report["error"]["message"]
    canary.serves("v1")


def test_load_in_users_stead_gives_a_quiet_canary_its_verdict(canary: Any) -> None:
    canary.settings["deployment"] = canary.settings["deployment"].replace(
        "limit_seconds = 60",
        'limit_seconds = 60, load = { rps = 150, requests = [{ path = "/" }, { path = "/error" }] }',
    )
    assert canary.deploy("v2")["outcome"] == "promoted"
    report = canary.deploy("v3", "some-errors", code=1)
    assert (report["outcome"], report["error"]["code"]) == ("restored", "regressed")
    looks = canary.ospec("show", report["run"], "--explain")["looks"]
    assert {one["source"] for look in looks for one in look["given"]["bins"] if one["metric"] == "requests"} == {"load"}
    canary.serves("v2")


def test_a_release_that_is_worse_under_the_same_load_reaches_nobody(canary: Any) -> None:
    canary.settings["validation"] = ', "performance_baseline"'
    report = canary.deploy("v2", "slow", code=1)
    assert (report["outcome"], report["error"]["code"]) == ("restored", "performance-regressed")
    assert steps(report, "switch")[0]["status"] == "skipped", "nobody was exposed, so there was nothing to switch back"
    canary.serves("v1")


def ask(shop: Any, **headers: str) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=10)
    try:
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.headers["x-ospec-release"]
    finally:
        connection.close()


def test_a_closed_canary_is_seen_by_header_until_a_person_lets_it_go_on(
    canary: Any, until: Callable[..., None], finished: Callable[..., Any]
) -> None:
    canary.settings["deployment"] = (
        f"{ANALYSIS}\nsteps = [{{ weight = 0, pause = true, analysis = false }}, {{ weight = 50, hold_seconds = 1 }}]"
    )
    canary.write()
    (canary.folder / "release.txt").write_text("v2\n")
    process = canary.begin("run", "deploy", "--release", "v2", "--yes", "--json")
    until(lambda: ask(canary, canary="true") == "v2", 60)
    assert {ask(canary) for _ in range(20)} == {"v1"}
    assert ask(canary, canary="false") == "v1"
    status = canary.ospec("status")
    assert status["open_run"]
    with Load(canary.url + "/", rate=300, connections=16) as load:
        assert canary.ospec("promote")["order"] == "promote"
        report = finished(process)
    assert (report["outcome"], load.stop().failed) == ("promoted", 0)


def test_an_aborted_canary_is_gone(canary: Any, until: Callable[..., None], finished: Callable[..., Any]) -> None:
    canary.settings["deployment"] = f"{ANALYSIS}\nsteps = [{{ weight = 50, pause = true }}]"
    canary.write()
    (canary.folder / "release.txt").write_text("v2\n")
    with Load(canary.url + "/", rate=100, connections=8) as load:
        process = canary.begin("run", "deploy", "--release", "v2", "--yes", "--json")
        until(lambda: "v2" in {ask(canary) for _ in range(8)}, 60)
        assert canary.ospec("abort")["outcome"] == "aborted"
        assert finished(process, 130)["outcome"] == "aborted"
        assert {ask(canary) for _ in range(20)} == {"v1"}
    assert load.stop().failed == 0
    canary.serves("v1")


@pytest.fixture
def rolling(shop: Any) -> Any:
    shop.settings |= {
        "strategy": "rolling",
        "plugins": '"rolling"',
        "deployment": "max_unavailable = 1\nmax_surge = 1\ngrace_seconds = 0.5",
        "instances": 4,
    }
    shop.deploy("v1")
    return shop


def test_rolling_replaces_a_few_at_a_time_also_when_one_dies(rolling: Any, until: Callable[..., None]) -> None:
    with Load(rolling.url + "/", rate=200, connections=16, fresh_share=0.1) as load:
        old = rolling.processes("v1")
        rolling.write()
        (rolling.folder / "release.txt").write_text("v2\n")
        process = rolling.begin("run", "deploy", "--release", "v2", "--yes", "--json")
        until(lambda: "v2" in {ask(rolling) for _ in range(8)}, 60)
        alive = [one for one in old if one.is_running()]
        if alive:
            alive[-1].kill()
        output, told = process.communicate(timeout=120)
    assert process.returncode == 0, output + told
    assert load.stop().failed == 0
    rolling.serves("v2")
    assert len({slot["label"] for slot in rolling.ospec("status")["slots"]}) == 1


def test_a_bad_release_rolls_back_batch_by_batch(rolling: Any) -> None:
    rolling.settings["startup_seconds"] = 3
    with Load(rolling.url + "/", rate=200, connections=16) as load:
        report = rolling.deploy("v2", "never-healthy", code=1)
    assert report["outcome"] == "restored"
    assert load.stop().failed == 0
    back = [step for step in report["steps"] if step["id"].startswith("f") and step["kind"] == "rollback"]
    assert len(back) >= 2
    assert {step["status"] for step in back} == {"ok"}
    rolling.serves("v1")
    assert len(rolling.processes("v1")) == 4


@pytest.fixture
def recreate(shop: Any) -> Any:
    (shop.folder / "down.html").write_text("<p>back soon</p>")
    shop.settings |= {
        "strategy": "recreate",
        "plugins": '"recreate"',
        "deployment": 'maintenance = { retry_after_seconds = 7, page = "down.html" }',
        "instances": 2,
    }
    shop.deploy("v1")
    return shop


def test_recreate_runs_never_two_releases_and_tells_its_downtime(recreate: Any, until: Callable[..., None]) -> None:
    answers: list[tuple[int, str | None, str | None]] = []
    recreate.write()
    (recreate.folder / "release.txt").write_text("v2\n")
    process = recreate.begin("run", "deploy", "--release", "v2", "--yes", "--json")
    while process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", recreate.port, timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read().decode()
        answers.append((answer.status, answer.headers["retry-after"], body if answer.status == 503 else ""))
        connection.close()
        assert not (recreate.processes("v1") and recreate.processes("v2"))
    import json

    report = json.loads(process.communicate()[0])
    assert report["outcome"] == "promoted"
    assert set(answers) == {(200, None, ""), (503, "7", "<p>back soon</p>")}
    assert report["evidence"]["failed"] == 0
    assert report["evidence"]["maintenance"] > 0
    assert 0 < report["evidence"]["downtime_seconds"] < report["seconds"]
    recreate.serves("v2")


def test_recreate_goes_back_when_the_new_release_is_bad_and_on_request(recreate: Any) -> None:
    recreate.settings["startup_seconds"] = 3
    assert recreate.deploy("v2", "never-healthy", code=1)["outcome"] == "restored"
    recreate.serves("v1")
    recreate.settings["startup_seconds"] = 20
    recreate.deploy("v3")
    back = recreate.ospec("run", "rollback", "--yes")
    assert (back["outcome"], back["release"]) == ("promoted", "v1")
    assert back["evidence"]["downtime_seconds"] > 0, "also on the way back the two never run beside each other"
    recreate.serves("v1")
