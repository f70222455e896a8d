"""Two at once: deploys of one service, clones of one project, services and environments side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ospec.testing.load import Load


def test_a_second_deploy_is_refused_with_the_first_ones_run(shop: Any, until: Any, finished: Any) -> None:
    shop.write(window=4)
    first = shop.begin("run", "deploy", "--release", "first", "--yes", "--json")
    until(lambda: (shop.home / "journal.sqlite").exists() and shop.ospec("history")["runs"])
    (opened,) = shop.ospec("history")["runs"]
    refused = shop.ospec("run", "deploy", "--release", "second", "--yes", code=5)
    assert (refused["outcome"], refused["error"]["code"]) == ("refused", "open-run")
    assert opened["run"] in refused["error"]["message"]
    assert any(opened["run"] in hint for hint in refused["error"]["hints"])
    report = finished(first)
    assert (report["outcome"], report["run"]) == ("promoted", opened["run"])
    shop.serves("first")


def test_of_two_that_start_together_one_wins(shop: Any) -> None:
    shop.deploy("before")
    shop.write("good", window=3)
    (shop.folder / "more.txt").write_text("another release\n")
    both = [shop.begin("run", "deploy", "--release", name, "--yes", "--json") for name in ("left", "right")]
    outputs = [one.communicate(timeout=120) for one in both]
    assert sorted(one.returncode for one in both) == [0, 5], outputs
    shop.serves("left" if both[0].returncode == 0 else "right")


def test_two_clones_of_one_project_do_not_share_a_port(shops: Callable[..., Any]) -> None:
    one = shops("one")
    one.deploy("v1")
    two = shops("two", port=one.port)
    with Load(one.url + "/", rate=50) as load:
        refused = two.ospec("run", "deploy", "--release", "v2", "--yes", code=5)
    result = load.stop()
    assert refused["error"]["code"] == "port-busy"
    assert str(one.port) in refused["error"]["message"]
    assert (result.failed, set(result.by_release)) == (0, {"v1"})
    assert two.processes() == []
    one.serves("v1")


def test_two_services_live_side_by_side(shops: Callable[..., Any]) -> None:
    one, two = shops("one"), shops("two")
    one.deploy("a1")
    two.deploy("b1")
    one.deploy("a2")
    assert one.ports() & two.ports() == set()
    two.serves("b1")
    two.ospec("down", "--yes")
    one.serves("a2")
