"""Deployments through the hooks: real programs, a real Envoy, and clients that ask all the time."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.errors import FatalError
from ospec.models.document import SlotSettings
from ospec.models.live import LiveState
from ospec.models.target import Process
from ospec_plugin_local import pids

BAD_ANSWERS = (
    "import http.server, os\n"
    + """
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(500, "no database")
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
)


def roles(live: LiveState) -> dict[str, tuple[str, float]]:
    return {slot.label: (slot.role, slot.weight_percent) for slot in live.slots}


def test_before_the_first_deployment_there_is_nothing(service: Any) -> None:
    assert service.observe() == LiveState()
    assert not (service.home / "local").exists()
    service.retire()


def test_the_first_release_serves_at_its_own_address_before_the_switch_and_at_the_front_door_after(
    service: Any,
) -> None:
    made = service.deploy("v1")
    assert (made.slot.id, made.changed, made.slot.wanted) == ("blue", True, 2)
    service.healthy("v1", "blue")
    assert roles(service.observe()) == {"blue": ("candidate", 0.0)}
    assert service.ask()[0] == 503
    assert service.ask(address=made.slot.address) == (200, "v1")
    answer = service.switch({"blue": 100.0})
    assert (answer.weights, answer.address) == ({"blue": 100.0}, f"http://127.0.0.1:{service.port}")
    assert service.ask() == (200, "v1")
    live = service.observe()
    assert roles(live) == {"blue": ("stable", 100.0)}
    assert (live.stable.ready, live.problems) == (2, ())


def test_two_deployments_under_load_lose_no_request(service: Any, load: Any) -> None:
    service.serve("v1")
    with load(service.port) as clients:
        for name in ("v2", "v3", "v4"):
            idle = next(slot for slot in ("blue", "green") if slot != service.observe().stable.id)
            service.serve(name, idle)
            switched = len(clients.answers)
            service.retire("blue" if idle == "green" else "green")
            clients.more()
            assert {release for _, release in clients.answers[switched + clients.count :]} == {name}
    assert clients.failures == []
    assert {release for _, release in clients.answers} == {"v1", "v2", "v3", "v4"}


def test_every_hook_does_nothing_the_second_time(service: Any) -> None:
    service.serve("v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")
    before = service.observe()
    again = service.deploy("v2", "green")
    assert (again.changed, again.slot) == (False, before.slot("green"))
    assert not service.rollback("v1", "blue").changed
    first, second = service.switch({"green": 100.0}), service.switch({"green": 100.0})
    assert (first.weights, first.generation) == (second.weights, second.generation)
    assert service.observe() == service.observe()
    service.retire("blue")
    service.retire("blue")
    assert roles(service.observe()) == {"green": ("stable", 100.0)}


def test_a_split_is_what_users_get_and_the_old_slot_stays_stable_until_another_has_it_all(service: Any) -> None:
    service.serve("v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")
    assert service.switch({"blue": 75.0, "green": 25.0}).weights == {"blue": 75.0, "green": 25.0}
    assert roles(service.observe()) == {"blue": ("stable", 75.0), "green": ("candidate", 25.0)}
    answered = [service.ask()[1] for _ in range(200)]
    assert 15 < answered.count("v2") < 95  # four standard deviations around 50
    service.switch({"blue": 0.0, "green": 100.0})
    assert roles(service.observe()) == {"blue": ("idle", 0.0), "green": ("stable", 100.0)}
    service.switch({"blue": 100.0, "green": 0.0})
    assert service.ask() == (200, "v1")


@pytest.mark.parametrize("weights", [{"green": 100.0}, {"blue": 40.0}, {}], ids=str)
def test_a_split_that_cannot_be_is_refused(service: Any, weights: dict[str, float]) -> None:
    service.serve("v1")
    with pytest.raises(FatalError) as caught:
        service.switch(weights)
    assert caught.value.code == "bad-split"
    assert service.ask() == (200, "v1")


def test_nothing_takes_a_slot_away_that_serves(service: Any) -> None:
    service.serve("v1")
    with pytest.raises(FatalError) as retired:
        service.retire("blue")
    with pytest.raises(FatalError) as replaced:
        service.deploy("v2", "blue")
    assert (retired.value.code, replaced.value.code) == ("slot-serves", "slot-serves")
    assert service.ask() == (200, "v1")


def test_a_release_replaces_what_an_idle_slot_holds(service: Any) -> None:
    service.serve("v1")
    service.deploy("v2", "green")
    pids = [one.pid for one in service.observe().slot("green").instances]
    service.deploy("v3", "green")
    service.healthy("v3", "green")
    live = service.observe()
    assert live.slot("green").release.name == "v3"
    assert not set(pids) & {one.pid for one in live.slot("green").instances}
    assert service.ask(address=live.slot("green").address) == (200, "v3")


def test_instances_know_who_they_are(service: Any) -> None:
    import json
    import urllib.request

    service.serve("v1")
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/") as answer:
        told = json.load(answer)
    instance = next(one for one in service.observe().stable.instances if one.pid == told["pid"])
    assert told == {
        "OSPEC_SERVICE": "hello",
        "OSPEC_ENVIRONMENT": "production",
        "OSPEC_RELEASE": "v1",
        "OSPEC_SLOT": "blue",
        "OSPEC_PROCESS": "web",
        "PORT": str(instance.port),
        "pid": instance.pid,
    }


def test_the_number_of_instances_is_the_calls_or_the_slots_or_the_processes(service: Any) -> None:
    settings = evolve(service.target.deployment, environments={"green": SlotSettings(instances=3)})
    service.target = evolve(service.target, deployment=settings)
    assert service.deploy("v1", "blue").slot.wanted == 2
    assert service.deploy("v1", "green").slot.wanted == 3
    assert service.deploy("v1", "green", instances=1).slot.wanted == 1


def test_instances_are_added_to_a_slot_that_serves_without_a_lost_request(service: Any, load: Any) -> None:
    service.serve("v1")
    with load(service.port) as clients:
        made = service.deploy("v1", "blue", instances=3)
        assert (made.changed, made.slot.weight_percent, made.slot.ready) == (True, 100.0, 3)
        clients.more()
    assert clients.failures == []


def test_workers_and_further_processes_live_and_go_with_their_release(service: Any) -> None:
    worker = Process(
        "worker", (sys.executable, "-c", "import time; print('at work', flush=True); time.sleep(600)"), 1, False
    )
    admin = Process("admin", (sys.executable, "server.py"), 1)
    service.target = evolve(service.target, processes={**service.target.processes, "worker": worker, "admin": admin})
    slot = service.serve("v1")
    live = service.observe()
    assert [(one.id, one.port is None, one.ready) for one in live.slot(slot).instances] == [
        ("web-0", False, True),
        ("web-1", False, True),
        ("worker-0", True, True),
        ("admin-0", False, True),
    ]
    checks = {one.instance: one.name for one in service.health("v1", slot)}
    assert checks == {"web-0": "GET /health", "web-1": "GET /health", "worker-0": "running", "admin-0": "connect"}
    admin_port = next(one.port for one in live.slot(slot).instances if one.process == "admin")
    import json
    import urllib.request

    for _ in range(20):
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/") as answer:
            assert json.load(answer)["PORT"] != str(admin_port)


def test_a_program_that_ends_at_once_is_gone_and_says_why(service: Any, until: Any) -> None:
    service.deploy("v1", program="import sys; sys.exit('no database here')\n")
    until(lambda: any(one.gone for one in service.health("v1", "blue")))
    gone = [one for one in service.health("v1", "blue") if not one.healthy]
    assert len(gone) == 2
    until(lambda: all("no database here" in one.detail for one in service.health("v1", "blue")))


def test_a_program_that_starts_slowly_is_starting(service: Any) -> None:
    service.deploy("v1", program="import time; time.sleep(600)\n")
    assert {(one.healthy, one.starting, one.gone) for one in service.health("v1", "blue")} == {(False, True, False)}


def test_a_program_that_ended_after_it_was_well_is_gone_until_it_has_lived_for_a_while(
    service: Any, until: Any
) -> None:
    slot = service.deploy("v1").slot.id
    service.healthy("v1", slot)
    until(lambda: all(one.healthy for one in service.health("v1", slot)))
    time.sleep(1.1)  # a program that ends within a second is started again a second later
    first = service.kill(f"{service.slot_key(slot)}.web-0")
    until(lambda: pids.same(service.record(f"{service.slot_key(slot)}.web-0")))
    until(lambda: all(one.starting or one.healthy for one in service.health("v1", slot)))
    one, other = service.health("v1", slot)
    assert (one.healthy, one.gone, other.healthy) == (False, True, True), first
    assert "started 2 times" in one.detail
    service.healthy("v1", slot)


def test_a_program_that_ends_before_it_was_ever_well_may_do_so(service: Any, until: Any) -> None:
    """It finds something missing that it needs, and is well at its second start."""
    impatient = (
        "import pathlib, os\n"
        "mark = pathlib.Path(os.environ['MARK'] + os.environ['PORT'])\n"
        "if not mark.exists():\n    mark.touch()\n    raise SystemExit(1)\n"
    )
    service.target = evolve(service.target, variables={"MARK": str(service.folder / "mark")})
    slot = service.deploy("v1", program=impatient + service.server).slot.id
    until(lambda: all(service.record(f"{service.slot_key(slot)}.web-{n}").get("starts") == 2 for n in (0, 1)))
    answers = []

    def well() -> bool:
        answers.append(service.health("v1", slot))
        return all(one.healthy for one in answers[-1])

    until(well)
    assert not [one for results in answers for one in results if one.gone and "it had been well" in one.detail]


def test_a_program_that_answers_badly_is_unhealthy_with_its_answer(service: Any, until: Any) -> None:
    service.deploy("v1", program=BAD_ANSWERS)
    until(lambda: all(not one.starting for one in service.health("v1", "blue")))
    found = service.health("v1", "blue")
    assert all("status 500" in one.detail and not one.gone for one in found), found


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(service: Any, until: Any) -> None:
    stubborn = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '600'], preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))\n"
    )
    service.target = evolve(service.target, plugins={"local": {"port": service.port, "stop_seconds": 1.0}})
    slot = service.deploy("v1", program=stubborn + service.server).slot
    service.healthy("v1", slot.id)
    groups = [service.record(f"{service.slot_key(slot.id)}.{one.id}") for one in slot.instances]
    assert all(len(list(pids.members(group["pid"]))) == 2 for group in groups)
    service.retire(slot.id)
    assert not any(pids.group_lives(group) for group in groups)


def test_what_a_killed_instance_left_behind_does_not_hold_its_port(service: Any, until: Any) -> None:
    """The instance forks a child that inherits the listening socket, then is killed alone."""
    forking = service.server.replace("Server((", "server = Server((").replace(
        ").serve_forever()", ")\nif os.fork() == 0:\n    time.sleep(600)\nserver.serve_forever()"
    )
    slot = service.deploy("v1", program=forking).slot.id
    service.healthy("v1", slot)
    first = service.observe().slot(slot).instances[0]
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: service.observe().slot(slot).instances[0].pid not in (None, first.pid))
    service.healthy("v1", slot)


def test_a_long_request_to_the_old_release_ends_before_its_slot_goes(service: Any, until: Any) -> None:
    service.serve("v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(service.ask("/slow?seconds=1.5")))
    asking.start()
    key = service.slot_key("blue")
    until(lambda: service.open_requests(key) == 1)
    service.switch({"green": 100.0})
    assert service.open_requests(key) == 1, "a switch waits for nobody"
    service.retire("blue")
    asking.join()
    assert answers == [(200, "v1")]


def test_a_request_longer_than_the_drain_time_does_not_hold_its_slot(service: Any, until: Any) -> None:
    service.target = evolve(service.target, deployment=evolve(service.target.deployment, drain_seconds=0.1))
    service.serve("v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it may be cut
            service.ask("/slow?seconds=30")

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: service.open_requests(service.slot_key("blue")) == 1)
    service.switch({"green": 100.0})
    lines: list[str] = []
    service.retire("blue", log=lines.append)
    assert [line for line in lines if "still open" in line]
    asking.join()
    assert service.ask() == (200, "v2")


def test_two_environments_live_side_by_side(service: Any, tmp_path: Path) -> None:
    other = service.beside("staging")
    try:
        service.serve("v1")
        other.serve("v2")
        assert (service.ask(), other.ask()) == ((200, "v1"), (200, "v2"))
    finally:
        other.retire()
    assert service.ask() == (200, "v1")


def test_taken_away_nothing_is_left_and_it_can_be_deployed_again(service: Any, listens: Any, left_of: Any) -> None:
    service.serve("v1")
    live, runtime = service.observe(), service.place.runtime
    ports = [service.port, *(one.port for one in live.stable.instances), int(live.stable.address.rpartition(":")[2])]
    assert all(map(listens, ports))
    service.retire()
    assert not any(map(listens, ports))
    assert left_of(service.home) == []
    assert not runtime.exists()
    assert service.observe() == LiveState()
    service.serve("v2")
    assert service.ask() == (200, "v2")
