"""The plugin against a real Prometheus and real exporters: what is counted is what is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ospec.models.context import Deadline, MetricsContext, ObserveContext
from ospec.models.document import Analysis, AnalysisMetric, Deployment
from ospec.models.live import Measurement, Slot
from ospec.models.release import ReleaseRef
from ospec.models.target import Target
from ospec_plugin_prometheus import hooks, telling
from ospec_plugin_prometheus.builtin_queries import BUILTINS
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

QUERIES = {
    "requests": 'http_requests_total{version="{{release}}"}',
    "errors": 'http_requests_total{version="{{release}}",code=~"5.."}',
    "request_duration": 'http_request_duration_seconds_bucket{version="{{release}}"}',
    "queue_depth": 'queue_depth{version="{{release}}"}',
    "deepest": 'max(queue_depth{version="{{release}}"})',
}


class Exporter:
    """What one instance of a release tells."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.registry = CollectorRegistry()
        self.requests = Counter("http_requests", "", ["code"], registry=self.registry)
        self.duration = Histogram("http_request_duration_seconds", "", buckets=(0.1, 0.5, 1.0), registry=self.registry)
        self.depth = Gauge("queue_depth", "", registry=self.registry)
        self._server, self._thread = start_http_server(port, "127.0.0.1", self.registry)
        self.total = 0

    def ask(self, times: int, code: str = "200", seconds: float = 0.05) -> None:
        self.total += times
        self.requests.labels(code).inc(times)
        for _ in range(times):
            self.duration.observe(seconds)

    def restart(self) -> None:
        """As a program that is started anew: its counters are gone."""
        self.registry.unregister(self.requests)
        self.registry.unregister(self.duration)
        self._begin()

    def _begin(self) -> None:
        self.requests = Counter("http_requests", "", ["code"], registry=self.registry)
        buckets = (0.1, 0.5, 1.0)
        self.duration = Histogram("http_request_duration_seconds", "", buckets=buckets, registry=self.registry)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Watching:
    """Looks as the engine takes them: each asks for what is new; bins that come again are the same."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.settings = {"url": url, "interval_seconds": 1.0, "queries": QUERIES, **settings}
        self.metrics: tuple[AnalysisMetric, ...] = ()
        self.slots = tuple(Slot(label, label, "stable", (ReleaseRef(name, name),)) for label, name in self.releases)
        self.lines: list[str] = []
        self.bins: dict[tuple[str, str, float], Measurement] = {}
        self._last = time.time()

    releases = (("blue", "v1"), ("green", "v2"))

    @property
    def given(self) -> dict[str, Any]:
        target = Target(
            "shop",
            "Shop",
            "production",
            "local",
            "canary",
            plugins={"prometheus": self.settings},
            deployment=Deployment(analysis=Analysis(metrics=self.metrics)),
        )
        deadline = Deadline.after(60.0)
        return {"target": target, "home": Path("state"), "deadline": deadline, "log": self.lines.append}

    def look(self) -> Watching:
        now = time.time()
        found = hooks.collect_metrics(
            MetricsContext(**self.given, slots=self.slots, since_seconds=now - self._last + 4.0)
        )
        self._last = now
        for one in found:
            before = self.bins.setdefault((one.metric, one.release, one.at), one)
            assert before == one, "a bin changed after it was told"
        return self

    def sum(self, metric: str, release: str = "v2") -> float:
        return sum(one.value for one in self.bins.values() if (one.metric, one.release) == (metric, release))

    def values(self, metric: str, release: str = "v2") -> set[float]:
        return {one.value for one in self.bins.values() if (one.metric, one.release) == (metric, release)}

    def check(self) -> Any:
        return hooks.check(ObserveContext(**self.given))


@pytest.fixture
def exporters(prometheus: Any, free_port: Callable[[], int], until: Any) -> Iterator[dict[str, Exporter]]:
    """One instance of each release, scraped at least once."""
    telling.forget()
    made = {}
    for version in ("v1", "v2"):
        made[version] = Exporter(free_port())
        made[version].ask(100)
        made[version].depth.set(3)
        prometheus.scrape(version, made[version].address, version=version)
    until(lambda: len(prometheus.query("count_over_time(queue_depth[1m]) > 1")) == 2)
    yield made
    for one in made.values():
        one.close()


@pytest.fixture
def traffic(exporters: dict[str, Exporter]) -> Iterator[None]:
    """Some requests all the time."""
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.05):
            for one in exporters.values():
                one.ask(3)

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    done.set()
    thread.join()


def test_counts_gauges_and_latency(prometheus: Any, exporters: dict[str, Exporter], until: Any) -> None:
    watching = Watching(prometheus.url)
    v1, v2 = exporters["v1"], exporters["v2"]

    def looked(wanted: int) -> bool:
        watching.look()
        return watching.sum("requests") >= wanted

    v1.ask(40)
    v2.ask(20)
    v2.ask(10, seconds=0.3)
    until(lambda: looked(30))
    v2.ask(7, code="500", seconds=0.7)  # a series that begins with the first error
    v1.ask(10)
    until(lambda: looked(37))
    until(lambda: watching.look().sum("requests", "v1") >= 50)
    assert (watching.sum("requests", "v1"), watching.sum("errors", "v1")) == (50, 0)
    assert (watching.sum("requests"), watching.sum("errors")) == (37, 7)
    assert watching.sum("request_duration_ms") == 37
    buckets = [
        one.buckets for one in watching.bins.values() if one.metric == "request_duration_ms" and one.release == "v2"
    ]
    bounds = [100.0, 500.0, 1000.0]
    assert {tuple(bound for bound, _ in one) for one in buckets} == {tuple(bounds)}
    assert [sum(dict(one)[bound] for one in buckets) for bound in bounds] == [20, 30, 37]
    assert watching.values("queue_depth") == watching.values("deepest") == {3.0}
    assert watching.lines == []


@pytest.mark.usefixtures("traffic")
def test_a_restart_and_a_target_that_goes(prometheus: Any, exporters: dict[str, Exporter], until: Any) -> None:
    watching = Watching(prometheus.url)

    def looked(metric: str, wanted: float) -> bool:
        watching.look()
        return watching.sum(metric) >= wanted

    until(lambda: looked("requests", 50))
    exporters["v2"].restart()
    exporters["v2"].ask(1000)
    until(lambda: looked("requests", 1050))
    total, told = exporters["v2"].total, watching.sum("requests")
    assert told <= total
    prometheus.forget("v2")  # its series are stale from now on, not zero
    until(lambda: not prometheus.query('queue_depth{version="v2"}'))
    gone = time.time() + 1
    stable = watching.sum("requests", "v1")
    until(lambda: watching.look().sum("requests", "v1") > stable + 300)
    assert not [one for one in watching.bins.values() if one.release == "v2" and one.at > gone]
    assert watching.lines == []


@pytest.mark.parametrize("name", BUILTINS)
def test_prometheus_takes_built_in_queries(prometheus: Any, name: str) -> None:
    watching = Watching(prometheus.url, builtins=[name], queries={})
    state = watching.check()
    assert (state.problems, state.obstacles) == ((), ())
    watching.look()
    assert watching.bins == {}
    assert all("no series matches" in line for line in watching.lines)


NASTY = ('"} or vector(1) #', "back\\slash", "new\nline", "'", "`", "\u2603 {}", "a|.*")


def test_prometheus_reads_escapes_as_they_are_meant(
    prometheus: Any, exporters: dict[str, Exporter], until: Any
) -> None:
    """A label of the very value is found, in both kinds of quotes and in a regular expression, and no other is."""
    for number, nasty in enumerate(NASTY):
        prometheus.scrape(f"nasty-{number}", exporters["v1"].address, version=nasty)
    everything = len(NASTY) + 2
    until(lambda: len(prometheus.query("queue_depth")) == everything)
    queries = {
        "equal": 'count(queue_depth{version="{{release}}"})',
        "other": "count(queue_depth{version='{{release}}'})",
        "match": 'count(queue_depth{version=~"{{release}}"})',
        "not": 'count(queue_depth{version!~"{{release}}"})',
    }
    watching = Watching(prometheus.url, queries=queries)
    watching.slots = tuple(Slot(name, name, "stable", (ReleaseRef(name, name),)) for name in NASTY)
    until(lambda: all(everything - 1.0 in watching.look().values("not", nasty) for nasty in NASTY))
    found = {nasty: [watching.values(name, nasty) for name in ("equal", "other", "match")] for nasty in NASTY}
    assert found == {nasty: [{1.0}] * 3 for nasty in NASTY}


def test_what_is_wrong_is_told_by_prometheus_itself(prometheus: Any) -> None:
    watching = Watching(prometheus.url, queries={"depth": 'sum(depth{version="{{release}}"'})
    [obstacle] = watching.check().obstacles
    assert "parse error" in obstacle.message
    assert obstacle.where == "plugins.prometheus.queries.depth"
    watching.look()
    assert watching.bins == {}
    assert "parse error" in watching.lines[0]


def test_a_gauge_of_a_metric_and_several_series(prometheus: Any, exporters: dict[str, Exporter], until: Any) -> None:
    prometheus.scrape("again", exporters["v1"].address, version="v2")
    until(lambda: len(prometheus.query('queue_depth{version="v2"}')) == 2)
    watching = Watching(prometheus.url, queries={"queue_depth": QUERIES["queue_depth"]})
    watching.metrics = (AnalysisMetric("depth", query='sum(queue_depth{version="{{release}}"})'),)
    until(lambda: 6.0 in watching.look().values("depth"))
    assert any("no queue_depth of v2: 2 series, expected one" in line for line in watching.lines)
