"""What answers become: bins of the right release, each once complete; and what is no data."""

from __future__ import annotations

from typing import Any

import pytest
from ospec.models.document import AnalysisMetric
from ospec.models.live import Measurement
from ospec.models.measuring import sums
from ospec_plugin_prometheus.collecting import SETTLE_SECONDS


def of(found: list[Measurement], metric: str, release: str = "v2") -> list[Measurement]:
    return [one for one in found if one.metric == metric and one.release == release]


def test_counts_of_both_releases(asking: Any, fake: Any, make: Any) -> None:
    labels = {"code": "200"}
    bad = {"code": "500", "instance": "b:1"}
    fake.answers = {
        'version="v1",code': make.matrix(),
        'version="v2",code': make.matrix(make.counter(bad, 2)),
        'version="v1"': make.matrix(make.counter(labels, 90)),
        'version="v2"': make.matrix(make.counter(labels, 10), make.counter(bad, 2)),
    }
    found = asking.collect()
    assert {one.source for one in found} == {"prometheus"}
    assert {one.seconds for one in found} == {1.0}
    v1, v2 = of(found, "requests", "v1"), of(found, "requests", "v2")
    assert [one.at for one in v1] == [one.at for one in v2]
    assert {(one.value, other.value) for one, other in zip(v1, v2, strict=True)} == {(90.0, 12.0)}
    assert {one.value for one in of(found, "errors", "v1")} == {0.0}
    assert sums(found, "v2").error_rate == pytest.approx(1 / 6)
    assert asking.lines == []


def test_bins_are_told_when_nothing_can_be_added_any_more(asking: Any, fake: Any, make: Any) -> None:
    fake.answers = {"": make.matrix(make.counter({"code": "200"}, 10))}
    found = of(asking.collect(since_seconds=5.0), "requests")
    assert max(one.at + one.seconds for one in found) == make.now - SETTLE_SECONDS
    assert len(found) == 5
    reach = fake.queries[0].partition("[")[2]
    assert reach == "10s]"


def test_wide_bins_stand_on_one_grid(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["interval_seconds"] = 15.0
    fake.answers = {
        'version="v1"': make.matrix(make.counter({"code": "200"}, 10, first=make.now - 294, gap=15.0)),
        'version="v2"': make.matrix(make.counter({"code": "200"}, 10, first=make.now - 291, gap=15.0)),
    }
    found = asking.collect(since_seconds=60.0)
    assert [one.at for one in of(found, "requests", "v1")] == [one.at for one in of(found, "requests", "v2")]
    assert {one.at % 15 for one in found} == {0.0}
    assert {one.value for one in of(found, "requests")} == {150.0}


def test_errors_of_a_metric_of_their_own_have_to_be_there(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["queries"] = {**asking.settings["queries"], "errors": 'http_errors_total{version="{{release}}"}'}
    fake.answers = {"http_requests_total": make.matrix(make.counter({"version": "v2"}, 10))}
    found = asking.collect()
    assert of(found, "requests")
    assert of(found, "errors") == []
    assert "no errors of v2: no series of http_errors_total; it has to begin with 0" in " ".join(asking.lines)


def test_a_label_that_requests_do_not_have_is_no_data(asking: Any, fake: Any, make: Any) -> None:
    fake.answers = {
        "code=~": make.matrix(),
        'version="v2"': make.matrix(make.counter({"status": "200", "version": "v2"}, 10)),
    }
    assert of(asking.collect(), "errors") == []
    assert any("has no label code" in line for line in asking.lines)


def test_latency(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["queries"] = {"request_duration": 'h_seconds_bucket{version="{{release}}"}'}
    rows = [make.counter({"le": bound}, rate) for bound, rate in (("0.1", 8), ("0.5", 9), ("+Inf", 10))]
    fake.answers = {'version="v2"': make.matrix(*rows)}
    found = of(asking.collect(), "request_duration_ms")
    assert {(one.value, one.buckets) for one in found} == {(10.0, ((100.0, 8), (500.0, 9)))}
    assert sums(found, "v2").quantile(0.8) == 100.0


def test_a_gauge_that_selects_a_series_is_asked_raw(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["queries"] = {"depth": 'depth{version="{{release}}"}'}
    fake.answers = {'version="v2"': make.matrix(({}, [(make.now - n, 5 + n % 2) for n in range(20, -1, -1)]))}
    found = of(asking.collect(), "depth")
    assert {one.value for one in found} == {5.0, 6.0}
    assert fake.queries[0].endswith("}[15s]")


def test_an_expression_is_asked_step_by_step(asking: Any, fake: Any, make: Any) -> None:
    asking.settings.update(interval_seconds=5.0, queries={"depth": 'max(depth{version="{{release}}"}) # deep'})
    fake.answers = {'version="v2"': make.matrix(({}, [(make.now - n * 5, n) for n in range(10, -1, -1)]))}
    found = of(asking.collect(), "depth")
    assert min(fake.queries) == '(max(depth{version="v1"}) # deep\n)[27s:5s]'
    assert [(make.now - one.at, one.value) for one in found] == [(15.0, 2.0), (10.0, 1.0)]


def test_several_series_where_one_is_expected(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["queries"] = {"depth": 'depth{version="{{release}}"}'}
    fake.answers = {"": make.matrix(({"a": "1"}, [(make.now - 4, 5)]), ({"a": "2"}, [(make.now - 4, 5)]))}
    assert asking.collect() == []
    assert any("2 series, expected one" in line for line in asking.lines)


def test_nan_and_infinity_are_no_data(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["queries"] = {"depth": 'depth{version="{{release}}"}'}
    points = [(make.now - 6, "NaN"), (make.now - 5, "+Inf"), (make.now - 4, "-Inf"), (make.now - 3, "7")]
    fake.answers = {'version="v2"': make.matrix(({}, points))}
    assert [one.value for one in asking.collect()] == [7.0]
    assert "prometheus: depth: NaN and infinite values are left out" in asking.lines


def test_stale_series_are_no_data(asking: Any, fake: Any, make: Any) -> None:
    """What was scraped last long ago is not asked for; what is given nevertheless is in bins of long ago."""
    old = make.counter({"code": "200"}, 10, first=make.now - 400)
    stale = (old[0], [(at, value) for at, value in old[1] if at < make.now - 300])
    fake.answers = {"": make.matrix(stale)}
    assert asking.collect() == []


def test_empty_answers_are_told_once(asking: Any, fake: Any) -> None:
    for _ in range(3):
        assert asking.collect() == []
    assert asking.lines == [
        "prometheus: no requests of v1: no series matches, or it has no fresh samples",
        "prometheus: no requests of v2: no series matches, or it has no fresh samples",
    ]


def test_a_query_that_is_the_same_for_two_releases_is_not_asked(asking: Any, fake: Any, make: Any) -> None:
    asking.settings["queries"] = {"depth": 'max(depth{slot="{{slot}}"})'}
    asking.slots = (make.slot("blue", "v1", "v2"),)
    assert asking.collect() == []
    assert fake.queries == []
    assert asking.lines == ["prometheus: no depth: the query is the same for v1 and v2; match {{release}}"]


def test_an_interval_that_is_shorter_than_scrapes_is_told(asking: Any, fake: Any, make: Any) -> None:
    fake.answers = {"": make.matrix(make.counter({"code": "200"}, 10, gap=15.0))}
    asking.collect()
    assert any("scraped every 15 s: set plugins.prometheus.interval_seconds" in line for line in asking.lines)


def test_clocks_that_differ_are_told(asking: Any, fake: Any, make: Any) -> None:
    fake.answers = {"": make.matrix(make.counter({"code": "200"}, 10))}
    asking.collect()
    assert asking.lines == []
    fake.now = make.now - 60
    asking.collect()
    assert any("its clock is behind this machine's" in line for line in asking.lines)


def test_nothing_is_asked_where_nothing_runs(asking: Any, fake: Any) -> None:
    asking.slots = ()
    assert asking.collect() == []
    assert fake.queries == []


def test_a_metric_with_an_interval_of_its_own(asking: Any, fake: Any) -> None:
    asking.settings["queries"] = {}
    asking.metrics = (AnalysisMetric("cpu_usage", query="cadvisor", interval=90.0),)
    asking.collect()
    assert all("[90s]" in query for query in fake.queries)
    assert len(fake.queries) == 2
