"""What every store owes the engine, held against SQLite and against a second implementation."""

from __future__ import annotations

from typing import Any

import pytest
from ospec.errors import OspecError
from ospec.models.run import RunHeader


@pytest.fixture(params=["sqlite_store", "memory_store"])
def store(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def header(run: str, environment: str = "default", at: float = 1.0) -> RunHeader:
    return RunHeader(run, "shop", environment, "deploy", "v1", "1" * 64, at)


def refused(code: str) -> Any:
    return pytest.raises(OspecError, check=lambda error: error.code == code)


def test_one_lease_at_a_time_and_tokens_grow(store: Any) -> None:
    first = store.acquire("shop", "default")
    assert store.acquire("shop", "default") is None
    assert store.owner("shop", "default")
    assert store.acquire("shop", "staging") is not None, "another environment is another lock"
    first.release()
    first.release()
    assert store.owner("shop", "default") is None
    assert store.acquire("shop", "default").token > first.token


def test_records_come_back_in_order(store: Any) -> None:
    lease = store.acquire("shop", "default")
    assert store.open_run(header("r1"), {"plan": {"ü": [1, 2.5, None, True]}}, lease).seq == 1
    assert store.append("r1", 1, "step-started", {"step": "01"}, lease).seq == 2
    store.close_run("r1", 2, "promoted", 0, {"outcome": "promoted"}, lease)
    found = store.records("r1")
    assert [record.kind for record in found] == ["run-started", "step-started", "run-finished"]
    assert found[0].body == {"plan": {"ü": [1, 2.5, None, True]}}
    assert [record.seq for record in store.records("r1", after=2)] == [3]
    assert (store.header("r1").outcome, store.header("r1").exit_code) == ("promoted", 0)


def test_a_gap_or_a_second_writer_is_refused(store: Any) -> None:
    lease = store.acquire("shop", "default")
    store.open_run(header("r1"), {}, lease)
    store.append("r1", 1, "step-note", {}, lease)
    for expected in (0, 1, 3):
        with refused("wrong-sequence"):
            store.append("r1", expected, "step-note", {}, lease)
    assert len(store.records("r1")) == 2


def test_an_owner_that_lost_its_lease_is_fenced_out(store: Any) -> None:
    old = store.acquire("shop", "default")
    store.open_run(header("r1"), {}, old)
    old.release()
    new = store.acquire("shop", "default")
    with refused("stale-writer"):
        store.append("r1", 1, "step-note", {}, old)
    store.append("r1", 1, "step-note", {}, new)


def test_one_open_run_per_service_and_environment(store: Any) -> None:
    lease, other = store.acquire("shop", "default"), store.acquire("shop", "staging")
    store.open_run(header("r1"), {}, lease)
    with pytest.raises(OspecError) as caught:
        store.open_run(header("r2"), {}, lease)
    assert (caught.value.code, "r1" in caught.value.message) == ("open-run", True)
    store.open_run(header("r3", "staging"), {}, other)
    store.close_run("r1", 1, "failed", 1, {}, lease)
    with refused("wrong-sequence"):
        store.append("r1", 2, "step-note", {}, lease)
    store.open_run(header("r2"), {}, lease)
    assert store.open_header("shop", "default").run == "r2"


def test_runs_are_found_by_prefix_and_listed_newest_first(store: Any) -> None:
    lease = store.acquire("shop", "default")
    for number in (1, 2, 3):
        store.open_run(header(f"2026-{number}", at=float(number)), {}, lease)
        store.close_run(f"2026-{number}", 1, "promoted", 0, {}, lease)
    assert [run.run for run in store.runs(limit=2)] == ["2026-3", "2026-2"]
    assert store.header("2026-2").run == "2026-2"
    for wrong in ("2026-", "nope", "%"):
        with refused("unknown-run"):
            store.header(wrong)
    assert store.forget_runs(before=10.0, keep=2) == 1
    assert [run.run for run in store.runs()] == ["2026-3", "2026-2"]


def test_releases_keep_their_names(store: Any) -> None:
    def release(name: str, digit: str) -> dict[str, Any]:
        return {
            "release": {"name": name, "id": digit * 64, "service": "shop", "environment": "default"},
            "target": {},
        }

    store.put_release(release("v1", "1"))
    store.put_release(release("v2", "2"))
    with refused("release-name-taken"):
        store.put_release(release("v1", "3"))
    store.put_release(release("v1", "1"))
    names = [one["release"]["name"] for one in store.releases("shop", "default")]
    assert names == ["v1", "v2"], "put again: newest again"
    store.drop_release("shop", "default", "1" * 64)
    store.put_release(release("v1", "3"))
    assert store.releases("shop", "other") == []


def test_messages_wait_for_their_run_and_go_with_it(store: Any) -> None:
    lease = store.acquire("shop", "default")
    store.open_run(header("r1"), {}, lease)
    first = store.send("r1", "abort", {"by": "me"})
    assert [message.kind for message in store.messages("r1")] == ["abort"]
    assert store.messages("r1", after=first.id) == []
    store.close_run("r1", 1, "aborted", 130, {}, lease)
    assert store.messages("r1") == []


def test_timers_are_set_moved_and_forgotten(store: Any) -> None:
    store.set_timer("shop", "default", "blue", 5.0)
    store.set_timer("shop", "default", "blue", 6.0)
    assert store.timers("shop", "default") == {"blue": 6.0}
    store.set_timer("shop", "default", "blue", None)
    store.set_timer("shop", "default", "never", None)
    assert store.timers("shop", "default") == {}
