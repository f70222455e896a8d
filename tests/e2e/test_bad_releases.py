"""Whatever is wrong with a release, the run ends with exit code 1 and the previous release verified serving."""

from __future__ import annotations

import html
import time
from pathlib import Path
from typing import Any

import pytest
from ospec.testing.load import Load

NO_USER_SEES = ["never-healthy", "hangs", "exits", "leaks-port", "ignores-sigterm"]
AFTER_THE_SWITCH = ["errors-after-switch", "crashes-after-switch"]


@pytest.mark.parametrize("behaviour", NO_USER_SEES)
def test_reaches_no_user(shop: Any, behaviour: str) -> None:
    shop.deploy("good")
    shop.settings["startup_seconds"] = 1
    with Load(shop.url + "/", rate=100, connections=8, fresh_share=0.1) as load:
        report = shop.deploy("bad", behaviour, code=1)
    result = load.stop()
    assert (report["outcome"], report["previous_release"]) == ("restored", "good")
    assert report["error"]["code"] == "not-healthy"
    assert (result.failed, set(result.by_release)) == (0, {"good"})
    everything_is_as_before(shop)


@pytest.mark.parametrize("behaviour", AFTER_THE_SWITCH)
def test_is_taken_back_after_the_switch(shop: Any, behaviour: str) -> None:
    shop.deploy("good")
    shop.settings["window"] = 30
    with Load(shop.url + "/", rate=100, connections=8) as load:
        report = shop.deploy("bad", behaviour, code=1)
        ended = time.time()
        answered = {shop.ask() for _ in range(20)}
    result = load.stop()
    assert (report["outcome"], report["previous_release"]) == ("restored", "good")
    assert report["error"]["code"] in ("not-healthy", "error-rate", "not-verified")
    assert not any(step["kind"] == "analyze" and step["status"] == "ok" for step in report["steps"])
    page = Path(shop.folder, shop.ospec("report", report["run"])["file"]).read_text()
    assert "bad was sent back. good serves." in page
    assert html.escape(report["error"]["message"].splitlines()[0]) in page
    assert [one for one in result.samples.failures() if one.scheduled_at > ended] == []
    assert result.samples.sent_after(ended, "bad") == []
    assert answered == {(200, "good")}
    everything_is_as_before(shop)


def test_a_program_that_ends_now_and_then_is_taken_back(shop: Any) -> None:
    """It is back, and answers well, before anybody has asked it three times."""
    shop.deploy("good")
    shop.settings["window"] = 30
    with Load(shop.url + "/", rate=50, connections=4) as load:
        report = shop.deploy("bad", "crashes-now-and-then", code=1)
    load.stop()
    assert (report["outcome"], report["previous_release"]) == ("restored", "good")
    assert report["error"]["code"] == "not-healthy"
    failed = next(step for step in report["steps"] if step["status"] != "ok")
    assert failed["kind"] == "analyze"
    everything_is_as_before(shop)


def test_errors_on_one_page_end_the_guard_window(shop: Any) -> None:
    shop.deploy("good")
    shop.settings["window"] = 60
    with Load(shop.url + "/", rate=50, connections=4) as pages, Load(shop.url + "/error", rate=50) as errors:
        report = shop.deploy("bad", "error-page", code=1)
        ended = time.time()
    assert (report["outcome"], report["error"]["code"]) == ("restored", "error-rate")
    assert pages.stop().failed == 0, "no page but the broken one failed, also on the way back"
    failures = errors.stop().samples.failures()
    assert {(one.error, one.release) for one in failures} == {("status-500", "bad")}
    assert [one for one in failures if one.scheduled_at > ended] == []
    everything_is_as_before(shop)


def test_a_first_release_that_is_bad_leaves_nothing(shop: Any) -> None:
    shop.settings["startup_seconds"] = 1
    report = shop.deploy("bad", "never-healthy", code=1)
    assert (report["outcome"], report["previous_release"]) == ("failed", None)
    assert shop.processes() == []


def test_the_next_good_release_is_deployed(shop: Any) -> None:
    shop.deploy("good")
    shop.settings["startup_seconds"] = 1
    shop.deploy("bad", "leaks-port", code=1)
    shop.settings["startup_seconds"] = 20
    assert shop.deploy("better")["outcome"] == "promoted"
    shop.serves("better")


def everything_is_as_before(shop: Any) -> None:
    shop.serves("good")
    assert shop.processes("bad") == [], "something of the bad release is left"
    assert len(shop.processes("good")) == 2
