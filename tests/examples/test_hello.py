"""The example of the README: deployed, changed, deployed again, gone."""

from __future__ import annotations

import urllib.error
from typing import Any

import pytest


def test_deploy_change_deploy_down(example: Any) -> None:
    copy = example("hello")
    first = copy.deploy("one")
    assert first["previous_release"] is None
    server = copy.folder / "server.py"
    server.write_text(server.read_text().replace("Hello!", "Good morning!"))
    assert copy.get("/")[1]["message"] == "Hello!", "editing the files changed what serves"
    second = copy.deploy("two")
    assert second["previous_release"] == "one"
    release, body = copy.get("/")
    assert (release, body["release"], body["message"]) == ("two", "two", "Good morning!")
    assert copy.ospec("run", "deploy", "--release", "two", "--yes")["outcome"] == "unchanged"
    copy.ospec("down", "--yes")
    with pytest.raises(urllib.error.URLError):
        copy.get("/")


def test_a_smoke_test_that_fails_reaches_no_user(example: Any) -> None:
    copy = example("hello")
    copy.deploy("good")
    (copy.folder / "smoke.py").write_text("raise SystemExit('this release is not the one')\n")
    report = copy.ospec("run", "deploy", "--release", "bad", "--yes", code=1)
    assert report["outcome"] == "restored"
    assert report["error"]["code"] == "script-failed"
    assert copy.get("/")[0] == "good"
    assert not any(step["kind"] == "switch" and step["status"] == "ok" for step in report["steps"])
