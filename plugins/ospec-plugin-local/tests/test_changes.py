"""Settings that change between two deployments: what serves notices nothing."""

from __future__ import annotations

import time
from typing import Any

from attrs import evolve
from ospec.models.context import Deadline
from ospec_plugin_local import hooks, pids

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
