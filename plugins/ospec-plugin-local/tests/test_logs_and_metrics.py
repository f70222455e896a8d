"""What the instances print, and what the proxy counted."""

from __future__ import annotations

import threading
from typing import Any

import psutil
import pytest
from attrs import evolve
from ospec.models.live import LogLine
from ospec_plugin_local.usage import read_ps

TALKATIVE = """\
import os, threading, time
def talk():
    number = 0
    while True:
        print("line", number, "x" * 1000, flush=True)
        number += 1
        time.sleep(0.0005)
threading.Thread(target=talk, daemon=True).start()
"""


def test_the_last_lines_of_each_instance_by_slot_and_instance(service: Any) -> None:
    service.serve("v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")
    told = [(line.slot, line.instance, line.release) for line in service.logs() if "listening" in line.text]
    assert told == [
        ("blue", "web-0", "v1"),
        ("blue", "web-1", "v1"),
        ("green", "web-0", "v2"),
        ("green", "web-1", "v2"),
    ]
    assert [line.instance for line in service.logs(slot="green", instance="web-1")] == ["web-1"]
    assert list(service.logs(lines=0)) == []


def test_logs_of_a_release_that_failed_stay_after_it_was_taken_away(service: Any, until: Any) -> None:
    service.deploy("v1", program="print('no database here'); raise SystemExit(1)\n")
    until(lambda: all("no database here" in one.detail for one in service.health("v1", "blue")))
    service.retire()
    assert LogLine("no database here", "blue", "web-0", "v1") in list(service.logs())


def test_following_gives_what_comes_until_it_is_cancelled(service: Any, until: Any) -> None:
    service.serve("v1")
    cancelled, lines = threading.Event(), []

    def follow() -> None:
        for line in service.logs(follow=True, cancelled=cancelled, lines=0):
            lines.append(line)  # noqa: PERF402 (each as it comes)

    following = threading.Thread(target=follow)
    following.start()
    service.deploy("v2", "green")
    until(lambda: any("listening" in line.text and line.release == "v2" for line in lines))
    cancelled.set()
    following.join(timeout=5.0)
    assert not following.is_alive()


def test_logs_are_rotated_while_they_are_written(service: Any, until: Any) -> None:
    settings = {"port": service.port, "log_megabytes": 1, "log_files": 2}
    service.target = evolve(service.target, plugins={"local": settings})
    slot = service.deploy("v1", program=TALKATIVE + service.server).slot.id
    service.healthy("v1", slot)
    log = service.place.logs / f"{service.slot_key(slot)}.web-0.log"
    until(lambda: log.with_name(log.name + ".2").exists(), seconds=60.0)
    until(lambda: log.stat().st_size < 1 << 20)
    assert not log.with_name(log.name + ".3").exists()
    size = log.stat().st_size
    until(lambda: log.stat().st_size != size)
    assert b"\0" not in log.read_bytes()


def test_requests_errors_and_durations_are_counted_by_release(service: Any, until: Any) -> None:
    service.serve("v1")
    until(lambda: service.ask("/")[0] == 200)
    for _ in range(30):
        service.ask("/")
    for _ in range(10):
        service.ask("/broken")

    def totals(metric: str) -> float:
        return float(sum(one.value for one in service.metrics() if one.metric == metric))

    until(lambda: totals("requests") >= 41)
    assert totals("requests") == 41
    assert totals("errors") == 10
    until(lambda: totals("request_duration_ms") == 41)
    bins = service.metrics()
    assert {(one.release, one.source) for one in bins} == {("v1", "envoy")}
    assert {one.seconds for one in bins if not 0.5 < one.seconds < 3.0} == set()
    timed = [one for one in bins if one.metric == "request_duration_ms"]
    assert all(one.buckets[-1][1] == one.value for one in timed)
    assert all(sorted(count for _, count in one.buckets) == [count for _, count in one.buckets] for one in timed)


def test_nobody_asked_is_no_answer(service: Any) -> None:
    assert service.metrics() == []
    service.deploy("v1")
    assert service.metrics() == []


def test_counts_go_on_after_the_proxy_was_killed(service: Any, until: Any) -> None:
    service.serve("v1")
    service.ask()
    until(lambda: len(service.metrics()) > 0)
    first = service.kill("envoy")
    until(lambda: service.record("envoy")["pid"] != first["pid"] and service.observe().problems == ())
    before = sum(one.value for one in service.metrics() if one.metric == "requests")
    for _ in range(5):
        assert service.ask() == (200, "v1")
    until(lambda: sum(one.value for one in service.metrics() if one.metric == "requests") > before)
    assert all(one.value >= 0 for one in service.metrics())


@pytest.mark.parametrize("since", [0.0, 30.0])
def test_only_bins_of_the_time_that_is_asked_for(service: Any, until: Any, since: float) -> None:
    service.serve("v1")
    service.ask()
    until(lambda: len(service.metrics()) > 0)
    assert bool(service.metrics(since)) == (since > 0)


BUSY = """\
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "held = bytearray(200 << 20)\\nwhile True: pass"])
"""


def test_what_instances_use_is_measured_by_release_over_their_whole_process_groups(service: Any, until: Any) -> None:
    """v1 idles; each instance of v2 has a child that keeps a core busy and holds 200 MiB."""
    service.target = evolve(service.target, processes={"web": evolve(service.target.processes["web"], instances=1)})
    service.serve("v1")
    service.deploy("v2", "green", program=BUSY + service.server)
    service.healthy("v2", "green")

    def values(release: str, metric: str) -> list[float]:
        found = service.measurements()
        return [one.value for one in found if (one.release, one.metric, one.source) == (release, metric, "process")]

    until(lambda: len(values("v2", "memory_usage")) >= 4 and len(values("v1", "cpu_usage")) >= 4)
    memory = psutil.virtual_memory().total
    assert max(values("v2", "cpu_usage")) > 0.2
    assert max(values("v2", "cpu_usage")) < 1.5
    assert sorted(values("v1", "cpu_usage"))[1] < 0.2
    assert 200 << 20 < values("v2", "memory_usage")[-1] * memory < 400 << 20
    assert 1 << 20 < values("v1", "memory_usage")[-1] * memory < 100 << 20
    assert all(0.5 < one.seconds < 3.0 for one in service.measurements() if one.source == "process")


def test_what_ps_tells_where_there_is_no_proc() -> None:
    lines = ["  501  1024   0:01.50", "501 2048 01:02:03", "7 1 2-00:00:01"]
    assert list(read_ps(lines)) == [(501, 1.5, 1 << 20), (501, 3723.0, 2 << 20), (7, 172801.0, 1024)]
