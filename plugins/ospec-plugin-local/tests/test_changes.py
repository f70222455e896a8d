"""Settings that change between two deployments: what serves notices nothing."""

from __future__ import annotations

from typing import Any

from attrs import evolve


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
