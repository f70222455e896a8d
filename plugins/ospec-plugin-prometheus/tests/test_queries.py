"""Which queries a document asks for, and what is wrong with them is told before a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ospec.errors import DocumentError
from ospec.models.document import AnalysisMetric
from ospec.models.live import Slot
from ospec_plugin_prometheus import hooks
from ospec_plugin_prometheus.builtin_queries import BUILTINS
from ospec_plugin_prometheus.queries import queries_of, text_for, values_for
from ospec_plugin_prometheus.templates import selector


def texts(asking: Any) -> Mapping[str, str]:
    """Each query as it is asked about v2."""
    green: Slot = asking.slots[1]
    values = values_for(asking.target, green, green.releases[0])
    return {one.name: text_for(one, values) for one in queries_of(asking.target)}


def test_named_queries(asking: Any) -> None:
    assert texts(asking) == {
        "requests": 'http_requests_total{version="v2"}',
        "errors": 'http_requests_total{version="v2",code=~"5.."}',
    }


def test_parameters_may_use_those_of_ospec(asking: Any) -> None:
    asking.settings["parameters"] = {"app": "{{service}}.{{environment}}-{{slot}}"}
    asking.settings["queries"] = {"depth": 'max(depth{app=~"{{app}}"})'}
    assert texts(asking) == {"depth": 'max(depth{app=~"shop\\u005c.production-green"})'}


@pytest.mark.parametrize("name", [name for name in BUILTINS if name != "cadvisor"])
def test_built_in_counters(asking: Any, name: str) -> None:
    asking.settings.update(builtins=[name], queries={})
    found = {one.name: one for one in queries_of(asking.target)}
    assert list(found) == ["requests", "errors", "request_duration"]
    assert found["errors"].metric == found["requests"].metric
    assert set(found["requests"].labels) < set(found["errors"].labels)
    assert found["request_duration"].metric.endswith("_bucket")
    assert found["request_duration"].unit_ms == (1000.0 if name == "nginx" else 1.0)
    assert all(selector(text) for text in texts(asking).values())
    assert all("shop-green" in text for text in texts(asking).values())


def test_built_in_gauges(asking: Any) -> None:
    asking.settings.update(builtins=["cadvisor"], queries={}, interval_seconds=30.0)
    found = texts(asking)
    assert 'container_cpu_usage_seconds_total{namespace="default",pod=~"shop-green-.+"' in found["cpu_usage"]
    assert "[120s]" in found["cpu_usage"]
    assert list(found) == ["cpu_usage", "memory_usage"]


def test_a_metric_names_built_in_queries(asking: Any) -> None:
    asking.settings["queries"] = {}
    asking.metrics = (
        AnalysisMetric("request-success-rate", query="istio"),
        AnalysisMetric("request-duration", query="linkerd"),
        AnalysisMetric("cpu_usage", query="cadvisor", interval=90.0),
    )
    found = texts(asking)
    assert list(found) == ["requests", "errors", "request_duration", "cpu_usage"]
    assert found["requests"].startswith("istio_requests_total")
    assert found["request_duration"].startswith("response_latency_ms_bucket")
    assert "[90s]" in found["cpu_usage"]


def test_a_metric_brings_its_own_query_or_names_one(asking: Any) -> None:
    asking.settings["queries"] = {"depth": 'depth{v="{{release}}"}'}
    asking.metrics = (
        AnalysisMetric("lag", query='max(lag{v="{{release}}"})'),
        AnalysisMetric("queue", query="depth"),
        AnalysisMetric("depth", query="depth"),
    )
    assert texts(asking) == {
        "depth": 'depth{v="v2"}',
        "lag": 'max(lag{v="v2"})',
        "queue": 'depth{v="v2"}',
    }


@pytest.mark.parametrize(
    ("settings", "where", "what"),
    [
        ({"builtins": ["isto"]}, "plugins.prometheus.builtins", "no built-in queries 'isto'"),
        ({"queries": {"requests": 'sum(x{v="{{release}}"})'}}, "plugins.prometheus.queries.requests", "a selector"),
        ({"queries": {"depth": "depth"}}, "plugins.prometheus.queries.depth", "the same for every release"),
        ({"queries": {"depth": "depth{v={{release}}}"}}, "plugins.prometheus.queries.depth", "in quotes"),
        ({"queries": {"depth": 'depth{v="{{slot}}{{x}}"}'}}, "plugins.prometheus.queries.depth", "no parameter 'x'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(asking: Any, settings: Any, where: str, what: str) -> None:
    asking.settings.update(settings)
    with pytest.raises(DocumentError, match=what) as told:
        asking.check()
    assert told.value.where == where
    assert told.value.exit_code == 2


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["requests"], ()),
        (["requests", "errors"], ("requests", "errors")),
        (["request_duration", "depth"], ("request_duration_ms", "depth")),
        (["depth", "wrong"], ()),
    ],
)
def test_what_prometheus_is_asked_for_nobody_else_tells(asking: Any, names: list[str], found: tuple[str, ...]) -> None:
    asking.settings["queries"] = {name: f'x{{v="{{{{{name if name == "wrong" else "release"}}}}}"}}' for name in names}
    [source] = hooks.register_metric_sources()
    assert source.tells(asking.target) == found


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        (AnalysisMetric("request-success-rate", query='sum(x{v="{{release}}"})'), "judged by counts"),
        (AnalysisMetric("response_time_p95", query='sum(x{v="{{release}}"})'), "judged by counts"),
        (AnalysisMetric("cpu_usage", query="istio"), "have no cpu_usage"),
    ],
)
def test_a_metrics_query_that_does_not_fit(asking: Any, metric: AnalysisMetric, what: str) -> None:
    asking.metrics = (metric,)
    with pytest.raises(DocumentError, match=what) as told:
        asking.check()
    assert told.value.where == "deployment.analysis.metrics[0].query"
