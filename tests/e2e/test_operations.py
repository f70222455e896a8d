"""A day with a service: deploy, the same again, roll back, abort, take over, look, take down, bring back."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from ospec.testing.load import Load


def test_deploys_and_returns_without_a_lost_request(shop: Any) -> None:
    shop.write(keep_seconds=600)
    first = shop.deploy("v1")
    assert (first["outcome"], first["previous_release"], first["address"]) == ("promoted", None, shop.url)
    with Load(shop.url + "/", rate=300, fresh_share=0.2) as load:
        second = shop.deploy("v2")
        back = shop.ospec("run", "rollback", "--yes")
        forward = shop.ospec("run", "rollback", "--to", "v2", "--yes")
    result = load.stop()
    assert second["previous_release"] == "v1"
    assert back["release"] == "v1"
    assert "rollback" not in [step["kind"] for step in back["steps"]], "it was warm: nothing had to start"
    assert forward["release"] == "v2"
    assert result.failed == 0, result.errors
    evidence = second["evidence"]
    assert evidence["requests"] > 0
    assert evidence["failed"] == 0
    assert set(evidence["by_release"]) <= {"v1", "v2"}
    assert 0 < evidence["seconds_to_verified"] < 30
    shop.serves("v2")


def test_the_same_release_is_unchanged_and_its_name_is_taken(shop: Any) -> None:
    shop.deploy("v1")
    again = shop.deploy("v1")
    assert (again["outcome"], again["address"]) == ("unchanged", shop.url)
    assert shop.deploy("v1", "good", "--redeploy")["release"] == "v1-r2"
    (shop.folder / "more.txt").write_text("other content\n")
    taken = shop.deploy("v1-r2", code=5)
    assert taken["error"]["code"] == "release-name-taken"
    shop.serves("v1-r2")


def test_a_release_that_serves_but_is_not_whole_is_repaired(shop: Any, until: Any) -> None:
    shop.deploy("v1")
    for process in shop.processes():
        process.kill()
    until(lambda: not shop.processes())
    assert shop.ospec("status", code=1)["problems"]
    repaired = shop.deploy("v1")
    assert (repaired["outcome"], repaired["action"]) == ("promoted", "up")
    shop.serves("v1")


def test_up_after_everything_was_killed(shop: Any, until: Any) -> None:
    shop.write(keep_seconds=600)
    shop.deploy("v1")
    shop.deploy("v2")
    for process in shop.processes():
        process.kill()
    until(lambda: not shop.processes())
    assert shop.ospec("up")["release"] == "v2"
    shop.serves("v2")


def test_down_ends_everything_though_the_state_is_damaged(shop: Any) -> None:
    shop.deploy("v1")
    state = next((shop.home / "local").glob("*/state.json"))
    state.write_text("{")
    assert shop.ospec("status", code=1)["error"]["code"] == "state-broken"
    down = shop.begin("down", "--yes")
    _, told = down.communicate(timeout=60)
    assert down.returncode == 0
    assert f"{state}.broken-" in told
    assert shop.processes() == []
    assert shop.deploy("v2")["outcome"] == "promoted"
    shop.serves("v2")


def test_what_the_document_cannot_do_is_refused_and_hinders_no_return(shop: Any) -> None:
    shop.deploy("v1")
    shop.deploy("v2")
    document = shop.folder / "ospec.toml"
    good = document.read_text()
    no_start = good.replace("\nstart =", "\nstrat =") + '[processes.w]\nstart = "sleep 1000"\nport = false\n'
    moved = good.replace(f"port = {shop.port}", f"port = {shop.port + 3000}")
    with Load(shop.url + "/", rate=200) as load:
        for wrong, code in ((no_start, "no-process"), (moved, "address-changed")):
            document.write_text(wrong)
            for command in (("plan",), ("run", "deploy", "--yes")):
                assert shop.ospec(*command, code=5)["error"]["code"] == code
        assert shop.ospec("run", "rollback", "--yes")["release"] == "v1"
    assert load.stop().failed == 0
    document.write_text(good)
    shop.serves("v1")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, None], ids=["SIGINT", "SIGTERM", "abort"])
def test_an_abort_returns_without_a_lost_request(shop: Any, until: Any, finished: Any, how: Any) -> None:
    shop.deploy("v1")
    shop.write("good", window=60)
    with Load(shop.url + "/", rate=200) as load:
        deploy = shop.begin("run", "deploy", "--release", "v2", "--yes", "--json")
        until(lambda: shop.ask()[1] == "v2")
        if how is None:
            assert shop.ospec("abort")["outcome"] == "aborted"
        else:
            deploy.send_signal(how)
        report = finished(deploy, 130)
    assert load.stop().failed == 0
    assert report["outcome"] == "aborted"
    shop.serves("v1")


def test_supersede_returns_from_the_open_run_and_goes_on(shop: Any, until: Any, finished: Any) -> None:
    shop.deploy("v1")
    shop.write("good", window=60)
    deploy = shop.begin("run", "deploy", "--release", "v2", "--yes", "--json")
    until(lambda: shop.ask()[1] == "v2")
    shop.write("good", window=0)
    shop.ospec("run", "deploy", "--release", "v3", "--yes", "--supersede")
    assert finished(deploy, 130)["outcome"] == "aborted"
    shop.serves("v3")


def test_rollback_during_a_run_returns_from_it(shop: Any, until: Any, finished: Any) -> None:
    shop.deploy("v1")
    shop.write("good", window=60)
    deploy = shop.begin("run", "deploy", "--release", "v2", "--yes", "--json")
    until(lambda: shop.ask()[1] == "v2")
    deploy.kill()
    deploy.communicate()
    shop.ospec("run", "rollback", "--yes", code=130)
    shop.serves("v1")


def test_editing_the_folder_changes_nothing_that_serves(shop: Any, until: Any) -> None:
    shop.deploy("v1")
    (shop.folder / "server.py").write_text("raise SystemExit('edited')\n")
    for process in shop.processes("v1"):
        process.kill()
    until(lambda: len(shop.processes("v1")) == 2 and shop.ask() == (200, "v1"))
    shop.serves("v1")


def test_logs_and_status_name_slots_and_instances(shop: Any) -> None:
    shop.write(keep_seconds=600)
    shop.deploy("v1")
    shop.deploy("v2")
    live = shop.ospec("status")
    roles = {slot["label"]: (slot["role"], slot["weight_percent"], slot["ready"]) for slot in live["slots"]}
    assert roles == {"blue": ("idle", 0.0, 2), "green": ("stable", 100.0, 2)}
    assert live["retire_at"].keys() == {"blue"}
    instances = [one for slot in live["slots"] for one in slot["instances"]]
    assert len({one["port"] for one in instances}) == 4
    assert all(one["pid"] for one in instances)
    process = shop.begin("logs", "--slot", "green", "--lines", "5")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "listening on" in output
    assert "blue" not in output
    process = shop.begin("logs", "--slot", "green", "--lines", "1", "--json")
    lines = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
    assert {(one["schema"], one["slot"], one["release"]) for one in lines} == {("ospec.log/1", "green", "v2")}
    assert {one["instance"] for one in lines} == {"web-0", "web-1"}
    with shop.begin("logs", "-f") as following:  # alone it follows; with a file it names the document
        assert "listening on" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=60)
    assert following.returncode == 0


def test_environments_have_their_own_front_doors(shop: Any) -> None:
    document = shop.folder / "ospec.toml"
    shop.deploy("v1")
    document.write_text(document.read_text() + f"[environments.staging.plugins.local]\nport = {shop.port + 3000}\n")
    staging = shop.ospec("run", "deploy", "-e", "staging", "--release", "s1", "--yes")
    assert staging["address"].endswith(str(shop.port + 3000))
    assert shop.ask() == (200, "v1")
    shop.ospec("down", "-e", "staging", "--yes")
    shop.serves("v1")


def test_what_every_instance_and_script_is_told(shop: Any) -> None:
    told = shop.folder.parent / "told.json"
    smoke = (
        "import json, os, urllib.request as r; u = os.environ['OSPEC_URL']; "
        f"a = r.urlopen(u + '/'); json.dump([u, a.headers['x-ospec-release'], dict(os.environ)], open('{told}', 'w'))"
    )
    (shop.folder / "smoke.py").write_text(smoke)
    shop.write(scripts='smoke_test = "python3 smoke.py"', validation=', "smoke_tests"')
    shop.deploy("v1")
    shop.deploy("v2")
    url, release, environment = json.loads(told.read_text())
    assert url != shop.url, "before the switch the candidate has an address of its own"
    assert release == "v2" == environment["OSPEC_RELEASE"]
    assert environment["HEALTH_CHECK_URL"] == url
    assert environment["APP_URL"] == shop.url
    assert {"OSPEC_SERVICE", "OSPEC_ENVIRONMENT", "OSPEC_RUN_ID", "OSPEC_STEP_ID", "OSPEC_SLOT"} <= set(environment)


def test_a_missing_command_is_said_before_anything_is_touched(shop: Any) -> None:
    shop.write(start='"no-such-program --port 1"')
    refused = shop.ospec("run", "deploy", "--release", "v1", "--yes", code=5)
    assert refused["error"]["code"] == "missing-command"
    assert "no-such-program" in refused["error"]["message"]
    assert shop.ospec("history")["runs"] == []
    assert not list(Path(shop.home).glob("files/*"))


def test_values_of_the_environment_reach_the_programs_and_nothing_else(shop: Any) -> None:
    """A password that is no declared secret: it stands in the environment, and a variable refers to it."""
    canary = "canary-7f3a-value"
    shop.variables["DATABASE_PASSWORD"] = canary
    document = "[variables]\nPASSWORD = 'p:${DATABASE_PASSWORD}'\nPRICE = '5 $$'\n"
    shop.write(scripts='smoke_test = "test \\"$PASSWORD\\" = p:$DATABASE_PASSWORD"', validation=', "smoke_tests"')
    (shop.folder / "ospec.toml").write_text((shop.folder / "ospec.toml").read_text() + document)
    printed = shop.begin("plan", "--json").communicate(timeout=60)
    deployed = shop.begin("run", "deploy", "--release", "v1", "--yes", "--json")
    printed += deployed.communicate(timeout=60)
    assert deployed.returncode == 0, printed
    shop.serves("v1")
    (server, *_) = shop.processes("v1")
    assert server.environ()["PASSWORD"] == f"p:{canary}"
    assert server.environ()["PRICE"] == "5 $"
    printed += shop.begin("show", "--records").communicate(timeout=60)
    assert canary not in "".join(printed)
    assert not [one for one in shop.processes() if canary in " ".join(one.cmdline())]
    files = [file for file in shop.folder.parent.rglob("*") if file.is_file()]
    assert not [file for file in files if canary.encode() in file.read_bytes()]
    del shop.variables["DATABASE_PASSWORD"]
    refused = shop.ospec("run", "deploy", "--release", "v2", "--yes", code=2)
    assert refused["error"]["code"] == "unset-variable"
    assert "DATABASE_PASSWORD" in refused["error"]["message"]
    shop.serves("v1")
