"""A published application with a real database, from one released version to another, while people read."""

from __future__ import annotations

from typing import Any

from ospec.testing.load import Load

OLD, NEW = "0.65.1", "0.65.5"


def pin(copy: Any, version: str) -> None:
    """Write the version of Datasette into the example's requirements."""
    (copy.folder / "requirements.txt").write_text(f"datasette=={version}\n")


def version(copy: Any) -> tuple[str | None, str]:
    """(release, version of Datasette) as the front door answers."""
    release, body = copy.get("/-/versions.json")
    return release, body["datasette"]["version"]


def test_from_one_version_to_the_next_and_back_without_a_lost_request(example: Any) -> None:
    copy = example("datasette")
    pin(copy, OLD)
    copy.deploy("planets-1")
    assert version(copy) == ("planets-1", OLD)
    pin(copy, NEW)
    with Load(f"{copy.url}/planets/moons.json?_shape=array", rate=40, connections=8, fresh_share=0.2) as load:
        report = copy.deploy("planets-2")
        assert version(copy) == ("planets-2", NEW)
        back = copy.ospec("run", "rollback", "--yes")
        assert version(copy) == ("planets-1", OLD)
    result = load.stop()
    assert result.failed == 0, result.samples.failures()[:5]
    assert set(result.by_release) == {"planets-1", "planets-2"}
    assert report["previous_release"] == "planets-1"
    assert back["release"] == "planets-1"
    for one in (report, back):
        assert one["evidence"]["requests"] > 0
        assert one["evidence"]["failed"] == 0
