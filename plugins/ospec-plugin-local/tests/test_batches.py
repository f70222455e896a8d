"""Instances of the slot that serves, replaced a few at a time, under real load."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import Batch, Deadline
from ospec.models.live import Maintenance
from ospec.models.target import Process
from ospec.testing.load import Load
from ospec_plugin_local import pids
from ospec_plugin_local.residents import Residents

STEPS = [(1, 3), (2, 2), (3, 1), (4, 0)]
"""Four instances, one at a time."""
SURGE = [(1, 4), (2, 3), (3, 2), (4, 1), (4, 0)]
"""The same with a fifth one meanwhile."""


@pytest.fixture
def four(service: Any) -> Any:
    """v1 serves with four instances."""
    service.target = evolve(service.target, processes={"web": Process("web", (sys.executable, "server.py"), 4)})
    service.serve("v1")
    return service


def inside(service: Any) -> dict[str, int]:
    """How many instances of each release the slot has."""
    slot = service.observe().slot("blue")
    found: dict[str, int] = {}
    for one in slot.instances:
        name = one.release or slot.release.name
        found[name] = found.get(name, 0) + 1
    return found


def pids_of(service: Any) -> list[int]:
    return sorted(one.pid for one in service.observe().slot("blue").instances)


def roll(service: Any, name: str, steps: list[tuple[int, int]], least_ready: int) -> None:
    for instances, others in steps:
        service.batch(name, instances, others, least_ready)
        service.healthy(name, "blue")


@contextlib.contextmanager
def watched(service: Any) -> Iterator[list[int]]:
    """Counts again and again how many instances are able to serve."""
    counts: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            counts.append(service.observe().stable.ready)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield counts
    finally:
        over.set()
        looking.join()


@pytest.mark.parametrize(("steps", "least_ready"), [(STEPS, 3), (SURGE, 4)], ids=["one less", "one more"])
def test_instances_are_replaced_without_a_lost_request(four: Any, steps: Any, least_ready: int) -> None:
    before = pids_of(four)
    with (
        Load(f"http://127.0.0.1:{four.port}/", rate=300, connections=16, fresh_share=0.1) as load,
        watched(four) as counts,
    ):
        for instances, others in steps:
            made = four.batch("v2", instances, others, least_ready)
            assert made.changed
            assert inside(four) == {name: count for name, count in (("v2", instances), ("v1", others)) if count}
            four.healthy("v2", "blue")
            live = four.observe().stable
            assert (live.id, live.weight_percent, live.ready) == ("blue", 100.0, instances + others)
            assert {release.name for release in live.releases} == ({"v1", "v2"} if others else {"v2"})
    result = load.stop()
    assert result.failed == 0, result.samples.failures()[:5]
    assert set(result.by_release) == {"v1", "v2"}
    assert min(counts) >= least_ready
    assert not set(before) & set(pids_of(four))
    assert four.ask() == (200, "v2")
    assert len({one.id for one in four.observe().stable.instances}) == 4
    assert four.observe().problems == ()


def test_shares_follow_the_instances_that_are_healthy(four: Any) -> None:
    def share(name: str) -> float:
        seen = [four.ask()[1] for _ in range(400)]
        return seen.count(name) / len(seen)

    four.batch("v2", 1, 3)
    four.healthy("v2", "blue")
    assert 0.16 < share("v2") < 0.34  # 4.1 standard errors around a quarter
    four.batch("v2", 3, 1)
    assert share("v2") < 0.62, "instances that were not found healthy yet get more than their share"
    four.healthy("v2", "blue")
    assert 0.66 < share("v2") < 0.84
    seen = {four.ask(address=four.observe().stable.address)[1] for _ in range(50)}
    assert seen == {"v1", "v2"}, "the slot's own address reaches both"


@pytest.mark.parametrize("steps", [STEPS, SURGE], ids=["one less", "one more"])
def test_a_batch_again_and_an_earlier_one_change_nothing(four: Any, steps: Any) -> None:
    for number, (instances, others) in enumerate(steps):
        four.batch("v2", instances, others, 3)
        four.healthy("v2", "blue")
        before = (pids_of(four), four.observe().fingerprint())
        for earlier in steps[: number + 1]:
            assert not four.batch("v2", *earlier, 3).changed
        assert (pids_of(four), four.observe().fingerprint()) == before


@pytest.mark.parametrize("reached", [1, 2, 3, 4])
def test_the_way_back_from_every_batch(four: Any, reached: int) -> None:
    with Load(f"http://127.0.0.1:{four.port}/", rate=200, connections=8) as load:
        roll(four, "v2", STEPS[:reached], 3)
        for instances, others in STEPS[4 - reached :]:
            four.rollback("v1", "blue", batch=Batch(instances, others, 3))
            four.healthy("v1", "blue")
    result = load.stop()
    assert result.failed == 0, result.samples.failures()[:5]
    assert inside(four) == {"v1": 4}
    assert four.observe().stable.release.name == "v1"
    assert four.ask() == (200, "v1")


def test_an_instance_that_dies_on_the_way_keeps_the_promise(four: Any, until: Callable[..., None]) -> None:
    """The only one of the new release, then one of the old: the other release answers, and the next batch waits."""
    with Load(f"http://127.0.0.1:{four.port}/", rate=200, connections=8) as load:
        four.batch("v2", 1, 3, 3)
        four.healthy("v2", "blue")
        for name in ("v2", "v1"):
            victim = next(one for one in four.observe().stable.instances if one.release == name)
            os.kill(victim.pid, signal.SIGKILL)
            if name == "v2":
                four.batch("v2", 2, 2, 3)  # waits until it is back
                assert four.observe().stable.ready >= 3
                four.healthy("v2", "blue")
        roll(four, "v2", STEPS[2:], 3)
    result = load.stop()
    assert result.failed == 0, result.samples.failures()[:5]
    assert inside(four) == {"v2": 4}


def test_too_few_that_serve_until_the_deadline(four: Any, until: Callable[..., None]) -> None:
    broken = "raise SystemExit(1)\n"
    four.batch("v2", 1, 3, 3, program=broken)
    with pytest.raises(FatalError) as caught:
        four.batch("v2", 2, 2, 3, program=broken, deadline=Deadline.after(1.0))
    assert caught.value.code == "too-few-ready"
    assert caught.value.hints
    assert inside(four) == {"v2": 1, "v1": 3}
    four.rollback("v1", "blue", batch=Batch(4, 0, 3))
    four.healthy("v1", "blue")
    assert inside(four) == {"v1": 4}
    assert four.ask() == (200, "v1")


def test_a_batch_that_leaps_goes_by_single_steps(four: Any) -> None:
    with Load(f"http://127.0.0.1:{four.port}/", rate=200, connections=8) as load, watched(four) as counts:
        assert four.batch("v2", 4, 0, 3).changed
    assert load.stop().failed == 0
    assert min(counts) >= 3
    four.healthy("v2", "blue")
    assert inside(four) == {"v2": 4}


def test_requests_under_way_end_before_their_instance_does(four: Any, until: Callable[..., None]) -> None:
    answers: list[tuple[int, str]] = []
    asking = [threading.Thread(target=lambda: answers.append(four.ask("/slow?seconds=1.5"))) for _ in range(8)]
    for one in asking:
        one.start()
    until(lambda: four.open_requests(four.slot_key("blue")) == 8)
    started = time.monotonic()
    four.batch("v2", 4, 0)
    assert time.monotonic() - started > 1.0
    for one in asking:
        one.join()
    assert answers == [(200, "v1")] * 8


EVENTS = """
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        events = self.path == "/events"
        self.send_response(200)
        self.send_header("connection" if events else "content-length", "close" if events else "0")
        self.end_headers()
        for _ in range(100 if events else 0):
            self.wfile.write(b"data: tick\\n\\n")
            time.sleep(0.02)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_streams_go_on_over_batches(service: Any, until: Callable[..., None]) -> None:
    """Four streams, one for each instance, of which three are replaced while they last."""
    service.target = evolve(service.target, processes={"web": Process("web", (sys.executable, "server.py"), 4)})
    service.deploy("v1", program=EVENTS)
    service.healthy("v1", "blue")
    service.switch({"blue": 100.0})
    ticks: list[int] = []

    def listen() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20.0)
        with contextlib.closing(connection):
            connection.request("GET", "/events")
            with connection.getresponse() as answer:
                ticks.append(answer.read().count(b"tick"))

    listening = [threading.Thread(target=listen) for _ in range(4)]
    for one in listening:
        one.start()
    until(lambda: service.open_requests(service.slot_key("blue")) == 4)
    for instances, others in STEPS[:3]:
        service.batch("v2", instances, others, 3, program=EVENTS)
        service.healthy("v2", "blue")
    for one in listening:
        one.join()
    assert ticks == [100] * 4


@pytest.mark.parametrize("program", ["supervisord", "envoy", "keeper"])
@pytest.mark.parametrize("way", ["forward", "back"])
def test_a_resident_killed_between_two_batches(four: Any, until: Callable[..., None], program: str, way: str) -> None:
    roll(four, "v2", STEPS[:2], 3)
    first = four.kill(program)
    if program != "supervisord":
        until(lambda: four.record(program)["pid"] != first["pid"])
    name, steps = ("v2", STEPS[2:]) if way == "forward" else ("v1", STEPS[2:])
    roll(four, name, steps, 3)
    until(lambda: four.observe().problems == (), lambda: four.observe().problems)
    assert inside(four) == {name: 4}
    assert four.ask() == (200, name)
    assert sorted(path.stem for path in four.place.routes.glob("blue-*.json")) == [four.slot_key("blue")]


CUTS = ["tell_clusters", "divide", "stop_programs", "start_programs", "bring_up", "ask_keeper"]


def test_a_batch_cut_anywhere_is_finished_by_the_next_try(four: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends (an exception that nothing catches) at the first, second… call of each step."""
    with Load(f"http://127.0.0.1:{four.port}/", rate=100, connections=8) as load:
        name, other = "v2", "v1"
        for step in CUTS:
            for times in range(4):
                with monkeypatch.context() as patched:
                    cut = _cut_after(times, getattr(Residents, step))
                    patched.setattr(Residents, step, cut)
                    with contextlib.suppress(KeyboardInterrupt):
                        four.batch(name, 2, 2, 2)
                        four.healthy(name, "blue")
                        four.batch(name, 4, 0, 2)
            four.batch(name, 4, 0, 2)
            four.healthy(name, "blue")
            assert inside(four) == {name: 4}, step
            name, other = other, name
    result = load.stop()
    assert result.failed == 0, result.samples.failures()[:5]
    assert len(list(four.place.programs.glob("*.json"))) == 4 + 2


def _cut_after(times: int, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter(range(times + 1))

    def step(*arguments: Any, **named: Any) -> Any:
        if next(calls, times) == times:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    return step


def test_everything_stops_in_maintenance_and_the_next_release_starts(four: Any) -> None:
    with pytest.raises(FatalError) as caught:
        four.batch("v2", 0, 0, least_ready=1, deadline=Deadline.after(0.5))
    assert caught.value.code == "too-few-ready"
    old = [four.record(f"{four.slot_key('blue')}.{one.id}") for one in four.observe().stable.instances]
    four.switch({"blue": 0.0}, maintenance=Maintenance())
    made = four.batch("v2", 0, 0)
    assert made.changed
    assert (made.slot.instances, [one.name for one in made.slot.releases]) == ((), ["v2"])
    assert not any(pids.group_lives(one) for one in old)
    assert not four.batch("v2", 0, 0).changed
    with pytest.raises(FatalError) as caught:
        four.switch({"blue": 100.0})
    assert caught.value.code == "not-ready"
    assert four.deploy("v2", "blue").changed
    four.healthy("v2", "blue")
    four.switch({"blue": 100.0})
    assert four.ask() == (200, "v2")


def test_back_to_the_old_release_after_everything_stopped(four: Any) -> None:
    four.switch({"blue": 0.0}, maintenance=Maintenance())
    four.batch("v2", 0, 0)
    four.rollback("v1", "blue")
    four.healthy("v1", "blue")
    four.switch({"blue": 100.0})
    assert (four.ask(), inside(four)) == ((200, "v1"), {"v1": 4})


def test_everything_stops_though_it_serves_where_nobody_has_to_be_left(four: Any, until: Callable[..., None]) -> None:
    """As a recreate rollout does that answers nothing for maintenance; and its way back."""
    four.batch("v2", 0, 0)
    assert four.ask()[0] == 503
    four.batch("v2", 4, 0)
    four.healthy("v2", "blue")
    assert four.ask() == (200, "v2")
    four.rollback("v1", "blue", batch=Batch(0, 0))
    four.rollback("v1", "blue", batch=Batch(4, 0))
    four.healthy("v1", "blue")
    assert four.ask() == (200, "v1")
    assert four.observe().stable.weight_percent == 100.0


def test_health_asks_only_the_release(four: Any) -> None:
    four.batch("v2", 1, 3)
    four.healthy("v2", "blue")
    assert len(four.health("v2", "blue")) == 1
    assert len(four.health("v1", "blue")) == 3
    four.batch("v2", 4, 0)
    with pytest.raises(FatalError) as caught:
        four.health("v1", "blue")
    assert caught.value.code == "no-slot"


def test_requests_are_counted_by_release_over_batches(four: Any, until: Callable[..., None]) -> None:
    four.batch("v2", 2, 2)
    four.healthy("v2", "blue")
    asked = [four.ask()[1] for _ in range(100)]

    def counted(name: str) -> float:
        return float(sum(one.value for one in four.metrics() if (one.release, one.metric) == (name, "requests")))

    until(lambda: counted("v1") + counted("v2") >= 100)
    assert (counted("v1"), counted("v2")) == (asked.count("v1"), asked.count("v2"))


def test_workers_change_with_the_last_batch(service: Any, until: Callable[..., None]) -> None:
    worker = Process("worker", (sys.executable, "-c", "import time; time.sleep(600)"), 1, port=False)
    service.target = evolve(service.target, processes={**service.target.processes, "worker": worker})
    service.serve("v1")

    def workers() -> list[str]:
        slot = service.observe().slot("blue")
        return [one.release or slot.release.name for one in slot.instances if one.process == "worker"]

    service.batch("v2", 1, 1)
    assert workers() == ["v1"]
    service.healthy("v2", "blue")
    service.batch("v2", 2, 0)
    assert workers() == ["v2"]
    service.healthy("v2", "blue")


def test_what_a_rollout_left_half_done_is_finished_as_a_whole(four: Any) -> None:
    roll(four, "v2", STEPS[:2], 3)
    with Load(f"http://127.0.0.1:{four.port}/", rate=200, connections=8) as load, watched(four) as counts:
        assert four.rollback("v1", "blue").changed
        four.healthy("v1", "blue")
    assert load.stop().failed == 0
    assert min(counts) >= 4
    assert inside(four) == {"v1": 4}
    assert not four.rollback("v1", "blue").changed


def test_another_release_as_a_whole_is_refused_while_the_slot_serves(four: Any) -> None:
    four.batch("v2", 1, 3)
    with pytest.raises(FatalError) as caught:
        four.deploy("v3", "blue")
    assert caught.value.code == "slot-serves"


def test_a_third_release_replaces_two(four: Any) -> None:
    roll(four, "v2", STEPS[:2], 3)
    with Load(f"http://127.0.0.1:{four.port}/", rate=200, connections=8) as load:
        roll(four, "v3", STEPS, 3)
    assert load.stop().failed == 0
    assert inside(four) == {"v3": 4}
