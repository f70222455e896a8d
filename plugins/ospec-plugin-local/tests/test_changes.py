"""Settings that change between two deployments: what serves notices nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from attrs import evolve
from ospec.errors import RefusedError
from ospec.models.context import Deadline
from ospec_plugin_local import hooks, pids
from ospec_plugin_local.ports import free_ports

STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def everything(service: Any) -> dict[str, int]:
    """The pids of all programs of the service, by name."""
    return {path.stem: service.record(path.stem)["pid"] for path in service.place.run.glob("*.json")}


def change(service: Any, **settings: Any) -> None:
    """Write something else into `[plugins.local]`."""
    local = {**service.target.plugins["local"], **settings}
    service.target = evolve(service.target, plugins={"local": local})


def test_another_time_to_stop_ends_nothing_that_runs(service: Any, load: Any) -> None:
    service.serve("v1")
    before = everything(service)
    with load(service.port) as clients:
        change(service, stop_seconds=7.0)
        service.serve("v2", "green")
        between = everything(service)
        change(service, stop_seconds=2.0)
        service.rollback("v1", "blue")
        service.switch({"blue": 100.0, "green": 0.0})
        clients.more()
        after = everything(service)
    assert clients.failures == []
    assert {name: between[name] for name in before} == before
    assert after == between


def test_the_time_of_the_call_is_longer_than_any_time_to_stop(service: Any) -> None:
    """The instances were started with far more time to end than whoever takes them away has."""
    change(service, stop_seconds=60.0)
    slot = service.deploy("v1", program=STUBBORN + service.server).slot.id
    service.healthy("v1", slot)
    records = [service.record(f"{service.slot_key(slot)}.{name}") for name in ("web-0", "web-1")]
    began = time.monotonic()
    service.retire(slot, deadline=Deadline.after(6.0))
    assert time.monotonic() - began < 6.0
    assert not any(pids.group_lives(record) for record in records)
    assert service.observe().slots == ()


def test_what_ignores_its_end_is_taken_down_in_time(service: Any, left_of: Any) -> None:
    change(service, stop_seconds=60.0)
    service.deploy("v1", program=STUBBORN + service.server)
    service.healthy("v1", "blue")
    began = time.monotonic()
    service.retire(deadline=Deadline.after(6.0))
    assert time.monotonic() - began < 6.0
    assert left_of(service.folder) == []


def test_the_core_is_told_how_long_instances_take_to_end(service: Any) -> None:
    (platform,) = hooks.register_platforms()
    assert platform.stop_seconds(evolve(service.target, plugins={})) == 10.0
    change(service, stop_seconds=50)
    assert platform.stop_seconds(service.target) == 50.0


@pytest.mark.parametrize("setting", ["port", "host"])
def test_the_front_door_does_not_move_under_what_serves(service: Any, load: Any, setting: str) -> None:
    change(service, **{setting: service.port if setting == "port" else "127.0.0.1"})
    service.serve("v1")
    before = service.observe()
    assert before.obstacles == ()
    with load(service.port) as clients:
        change(service, **{setting: free_ports(1, ())[0] if setting == "port" else "127.0.0.2"})
        (obstacle,) = service.observe().obstacles
        assert (obstacle.code, obstacle.where, obstacle.of_document) == (
            "address-changed", f"plugins.local.{setting}", True
        )  # fmt: skip
        assert any("ospec down" in hint for hint in obstacle.hints)
        with pytest.raises(RefusedError) as caught:
            service.deploy("v2", "green")
        assert (caught.value.code, caught.value.message) == (obstacle.code, obstacle.message)
        clients.more()
    assert clients.failures == []
    assert evolve(service.observe(), obstacles=()) == before


def test_a_return_keeps_the_address_that_users_know(service: Any, load: Any) -> None:
    first = service.port
    service.serve("v1")
    service.retire()
    change(service, port=free_ports(1, (first,))[0])
    service.port = service.target.plugins["local"]["port"]
    service.serve("v2")
    with load(service.port) as clients:
        change(service, port=first)
        service.rollback("v1", "green")
        service.healthy("v1", "green")
        service.switch({"green": 100.0, "blue": 0.0})
        clients.more()
    assert clients.failures == []
    assert service.observe().address == f"http://127.0.0.1:{service.port}"


def test_where_nothing_serves_the_front_door_may_move(service: Any, listens: Any) -> None:
    service.deploy("v1")
    first = service.port
    change(service, port=free_ports(1, (first,))[0])
    service.port = service.target.plugins["local"]["port"]
    service.serve("v2")
    assert service.ask() == (200, "v2")
    assert not listens(first)


def test_other_limits_of_logs_are_kept_by_the_keeper_that_runs(service: Any, until: Any) -> None:
    service.serve("v1")
    keeper = service.record("keeper")
    log = service.place.logs / f"{service.slot_key('blue')}.web-0.log"
    with log.open("ab") as file:
        file.write(b"x" * (2 << 20))
    time.sleep(1.5)
    assert log.stat().st_size > 2 << 20, "less than the limit, which is 10 MB"
    change(service, log_megabytes=1, log_files=1)
    service.deploy("v2", "green")
    until(lambda: log.stat().st_size < 1 << 20)
    assert log.with_name(f"{log.name}.1").stat().st_size > 2 << 20
    assert service.record("keeper") == keeper
