"""Any part killed at any time: the others go on, and it comes back by itself or with the next command."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec_plugin_local import pids, wire
from ospec_plugin_local.residents import Residents

SHOWS_VARIABLE = "import os; print('greeting is', os.environ.get('GREETING'), flush=True)\n"


def everything(service: Any) -> dict[str, int]:
    """The pids of all programs of the service, by name."""
    return {path.stem: service.record(path.stem)["pid"] for path in service.place.run.glob("*.json")}


def kill_everything(service: Any) -> None:
    """What a power cut leaves: files, and no process or socket that works."""
    records = [pids.read_record(path) for path in service.place.run.glob("*.json")]
    service.kill("supervisord")
    for record in records:
        pids.kill_group(record)
    for record in records:
        pids.end_group(record, 0.0)


def test_a_killed_instance_is_started_again_and_no_request_is_lost(service: Any, load: Any, until: Any) -> None:
    service.serve("v1")
    name = f"{service.slot_key('blue')}.web-0"
    with load(service.port) as clients:
        first = service.kill(name)
        until(lambda: service.record(name)["pid"] != first["pid"])
        until(lambda: service.observe().stable.ready == 2)
        clients.more()
    assert clients.failures == []
    assert service.observe().stable.instances[0].detail.startswith("started ")


def test_a_killed_proxy_is_started_again(service: Any, until: Any) -> None:
    service.serve("v1")
    first = service.kill("envoy")
    until(lambda: service.record("envoy")["pid"] != first["pid"])
    until(lambda: service.observe().problems == ())

    def serves() -> bool:
        try:
            return bool(service.ask() == (200, "v1"))
        except OSError:
            return False

    until(serves)
    service.serve("v2", "green")
    assert service.ask() == (200, "v2")


def test_a_killed_keeper_learns_again_what_the_instances_were_given(service: Any, until: Any) -> None:
    service.target = evolve(service.target, variables={"GREETING": "good day"})
    service.serve("v1")
    key = service.slot_key("blue")
    first = service.kill("keeper")
    until(lambda: service.record("keeper")["pid"] != first["pid"])

    def knows() -> bool:
        try:
            return bool(wire.ask(str(service.place.keeper_socket), {"op": "get", "key": key})["environment"])
        except wire.KeeperUnreachableError:
            return False

    until(knows)
    answer = wire.ask(str(service.place.keeper_socket), {"op": "get", "key": key})
    assert answer["environment"]["GREETING"] == "good day"


def test_without_a_supervisor_everything_serves_and_the_next_deployment_takes_it_over(
    service: Any, load: Any, until: Any
) -> None:
    service.serve("v1")
    before = everything(service)
    with load(service.port) as clients:
        service.kill("supervisord")
        assert any("supervisor" in problem for problem in service.observe().problems)
        assert service.observe().stable.ready == 2
        clients.more()
        service.deploy("v2", "green")
        service.healthy("v2", "green")
        after = everything(service)
        assert {name: after[name] for name in before if name != "supervisord"} == {
            name: pid for name, pid in before.items() if name != "supervisord"
        }
        assert service.observe().problems == ()
        service.switch({"green": 100.0})
        service.retire("blue")
        clients.more()
    assert clients.failures == []
    assert not any(pids.start_time(pid) for name, pid in before.items() if name.startswith("blue"))


@pytest.mark.parametrize("program", ["envoy", "keeper", "web-0"])
def test_what_was_taken_over_is_kept_up_too(service: Any, until: Any, program: str) -> None:
    service.serve("v1")
    service.kill("supervisord")
    assert service.rollback("v1", "blue").changed
    name = f"{service.slot_key('blue')}.{program}" if program.startswith("web") else program
    first = service.kill(name)
    until(lambda: service.record(name)["pid"] != first["pid"])
    until(lambda: service.observe().problems == ())
    assert service.ask() == (200, "v1")


def test_taken_away_without_a_supervisor_nothing_is_left(service: Any, listens: Any, left_of: Any) -> None:
    service.serve("v1")
    service.kill("supervisord")
    service.retire()
    assert left_of(service.folder) == []
    assert not listens(service.port)
    assert not service.place.runtime.exists()


@pytest.mark.parametrize("supervisor", ["lives", "killed"])
@pytest.mark.parametrize("content", ["", "{", '{"version": 1, "host": 3}', None], ids=str)
def test_taken_away_without_a_state_that_can_be_read_nothing_is_left(
    service: Any, until: Any, listens: Any, left_of: Any, content: str | None, supervisor: str
) -> None:
    """Another state than the one that what runs was started from; None: the file is gone."""
    service.serve("v1")
    service.deploy("v2", "green")
    if supervisor == "killed":
        service.kill("supervisord")
    if content is None:
        service.place.state.unlink()
    else:
        service.place.state.write_text(content)
    told: list[str] = []
    service.retire(log=told.append)
    until(lambda: left_of(service.folder) == [])  # a launcher that had just begun ends by itself
    assert not listens(service.port)
    aside = list(service.place.root.glob("state.json.broken-*"))
    assert [path.read_text() for path in aside] == ([] if content is None else [content])
    assert all(str(path) in told[0] for path in aside)
    service.serve("v3")
    assert service.ask() == (200, "v3")


def test_a_slot_is_taken_away_without_a_supervisor(service: Any) -> None:
    service.serve("v1")
    service.serve("v2", "green")
    old = service.record(f"{service.slot_key('blue')}.web-0")
    service.kill("supervisord")
    service.retire("blue")
    assert not pids.same(old)
    assert service.ask() == (200, "v2")
    assert [slot.id for slot in service.observe().slots] == ["green"]


def test_after_a_power_cut_the_stable_release_comes_back(service: Any, until: Any) -> None:
    service.target = evolve(service.target, variables={"GREETING": "good day"})
    slot = service.deploy("v1", program=SHOWS_VARIABLE + service.server).slot.id
    service.healthy("v1", slot)
    service.switch({slot: 100.0})
    kill_everything(service)
    shutil.rmtree(service.place.runtime)
    live = service.observe()
    assert (live.stable.label, live.stable.weight_percent, live.stable.ready) == ("blue", 100.0, 0)
    assert any("proxy" in problem for problem in live.problems)
    assert service.rollback("v1", "blue", as_it_is=True).changed
    service.healthy("v1", "blue")
    service.switch({"blue": 100.0})
    assert service.ask() == (200, "v1")
    assert service.observe().problems == ()
    assert [line.text for line in service.logs() if "greeting" in line.text][-1] == "greeting is good day"


def test_a_port_that_was_taken_meanwhile_is_left_to_its_new_owner(service: Any, until: Any) -> None:
    import socket

    service.serve("v1")
    port = service.observe().stable.instances[0].port
    kill_everything(service)
    with socket.create_server(("127.0.0.1", port)):
        service.rollback("v1", "blue")
        service.healthy("v1", "blue")
        service.switch({"blue": 100.0})
        assert service.ask() == (200, "v1")
        assert port not in [one.port for one in service.observe().stable.instances]


def test_sockets_that_vanished_are_made_again(service: Any, until: Any) -> None:
    service.serve("v1")
    instances = [one.pid for one in service.observe().stable.instances]
    shutil.rmtree(service.place.runtime)
    assert service.rollback("v1", "blue").changed
    until(lambda: service.observe().problems == ())
    assert service.ask() == (200, "v1")
    assert [one.pid for one in service.observe().stable.instances] == instances


@pytest.mark.parametrize("gone", ["sockets", "supervisord"])
def test_a_warm_slot_makes_room_though_nothing_can_be_asked(service: Any, until: Any, gone: str) -> None:
    service.serve("v1")
    service.serve("v2", "green")
    if gone == "sockets":
        shutil.rmtree(service.place.runtime)
    else:
        service.kill("supervisord")
    assert service.deploy("v3", "blue").slot.id == "blue"
    service.healthy("v3", "blue")
    service.switch({"blue": 100.0})
    until(lambda: service.observe().problems == ())
    assert service.ask() == (200, "v3")


def alone(service: Any) -> None:
    """One instance a slot: once it is gone, a keeper that starts again learns its variables from nobody."""
    web = service.target.processes["web"]
    service.target = evolve(service.target, processes={"web": evolve(web, instances=1)})


def kill_at_once(service: Any, until: Any, *programs: str) -> None:
    """SIGKILL programs before one of them can be started again, which then happens at once: none ended young."""
    supervisor = Residents(service.place).supervisor
    until(lambda: {one["statename"] for one in supervisor.programs().values()} == {"RUNNING"})
    for pid in [service.record(program)["pid"] for program in programs]:
        os.kill(pid, signal.SIGKILL)


def test_a_launcher_that_waits_for_its_variables_is_known_and_taken_away(
    service: Any, until: Any, left_of: Any
) -> None:
    """Keeper, instances and supervisor go one after the other: instances that begin again meet none of them."""
    alone(service)
    service.serve("v1")
    service.serve("v2", "green")
    keys = [service.slot_key(label) for label in ("blue", "green")]
    kill_at_once(service, until, "keeper", *(f"{key}.web-0" for key in keys))
    time.sleep(0.15)
    service.kill("supervisord")
    assert service.rollback("v2", "green").changed
    service.healthy("v2", "green")
    service.retire()
    assert left_of(service.folder) == []


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05, 0.1])
def test_an_instance_that_begins_while_its_supervisor_ends_is_there_once(
    service: Any, until: Any, left_of: Any, pause: float
) -> None:
    """Every recorded process is killed, the supervisor later than instances, which it starts again until then."""
    alone(service)
    service.serve("v1")
    kill_at_once(service, until, *(name for name in everything(service) if name != "supervisord"))
    time.sleep(pause)
    service.kill("supervisord")
    assert service.rollback("v1", "blue").changed
    service.healthy("v1", "blue")
    service.switch({"blue": 100.0})
    until(lambda: service.observe().problems == ())
    assert len([line for line in left_of(service.folder) if "server.py" in line]) == 1
    service.retire()
    assert left_of(service.folder) == []


@pytest.mark.parametrize("pause", [0.0, 0.03, 0.08])
def test_sockets_that_vanish_while_instances_begin_lose_nobody(
    service: Any, until: Any, left_of: Any, pause: float
) -> None:
    alone(service)
    service.serve("v1")
    kill_at_once(service, until, "keeper", f"{service.slot_key('blue')}.web-0")
    time.sleep(pause)
    shutil.rmtree(service.place.runtime)
    service.rollback("v1", "blue")
    service.healthy("v1", "blue")
    until(lambda: service.observe().problems == ())
    assert service.ask() == (200, "v1")
    assert len([line for line in left_of(service.folder) if "server.py" in line]) == 1
    service.retire()
    assert left_of(service.folder) == []


def test_the_end_of_the_command_and_its_terminal_touch_nothing(service: Any) -> None:
    """supervisord and all below it are in sessions of their own and hold no file of the command that started them."""
    inherited = (service.folder / "held").open("w")
    os.set_inheritable(inherited.fileno(), True)
    try:
        service.serve("v1")
    finally:
        inherited.close()
    for name, pid in everything(service).items():
        assert os.getsid(pid) != os.getsid(0), name
        assert os.getpgid(pid) != os.getpgid(0), name
        held = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert not [path for path in held if path.endswith(("/held", "/lock")) or "/dev/pts" in path], name


def test_a_deployment_cut_at_any_write_is_finished_by_the_next_try(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends (here: an exception that nothing catches) before each change, then the hook is called again."""
    from ospec_plugin_local import slots

    service.serve("v1")
    steps = ["write_specs", "save_state"]
    for step in steps:
        with monkeypatch.context() as patched:
            patched.setattr(slots, step, _cut)
            with pytest.raises(KeyboardInterrupt):
                service.deploy("v2", "green")
    for step in ("bring_up", "ask_keeper", "start_programs", "tell_clusters", "tell_slot"):
        with monkeypatch.context() as patched:
            patched.setattr(Residents, step, _cut)
            with pytest.raises(KeyboardInterrupt):
                service.deploy("v2", "green")
        assert service.ask() == (200, "v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")
    for step in ("tell_slot", "stop_programs", "tell_clusters"):
        service.switch({"green": 100.0})
        with monkeypatch.context() as patched:
            patched.setattr(Residents, step, _cut)
            with pytest.raises(KeyboardInterrupt):
                service.retire("blue")
    service.retire("blue")
    assert [(slot.id, slot.ready) for slot in service.observe().slots] == [("green", 2)]
    assert sorted(path.stem.partition(".")[0] for path in service.place.programs.glob("*.json")) == sorted(
        ["envoy", "keeper", service.slot_key("green"), service.slot_key("green")]
    )


def _cut(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
