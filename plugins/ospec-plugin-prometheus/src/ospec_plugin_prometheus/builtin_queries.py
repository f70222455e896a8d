"""Queries that come with the plugin, by what exports the metrics. Counters are selected raw; what is more is a gauge.

``{{target}}`` is what a release's workload is called, ``{{service}}-{{slot}}`` where `parameters` says nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from ospec_plugin_prometheus.settings import QuerySettings

DEFAULTS: Mapping[str, str] = {
    "namespace": "default",
    "target": "{{service}}-{{slot}}",
    "ingress": "{{service}}-{{slot}}",
    "pod": "{{service}}-{{slot}}",
    "cluster": "{{service}}-{{slot}}",
}
"""Parameters of the queries below; `[plugins.prometheus.parameters]` overrides them."""


def _counted(requests: str, labels: str, failed: str, buckets: str, unit: str) -> Mapping[str, QuerySettings]:
    return {
        "requests": QuerySettings(f"{requests}{{{labels}}}"),
        "errors": QuerySettings(f"{requests}{{{labels},{failed}}}"),
        "request_duration": QuerySettings(f"{buckets}{{{labels}}}", unit),
    }


_PODS = 'namespace="{{namespace}}",pod=~"{{pod}}-.+",container!="",container!="POD"'
BUILTINS: Mapping[str, Mapping[str, QuerySettings]] = {
    "istio": _counted(
        "istio_requests_total",
        'reporter="destination",destination_workload_namespace="{{namespace}}",destination_workload="{{target}}"',
        'response_code=~"5.*"',
        "istio_request_duration_milliseconds_bucket",
        "ms",
    ),
    "nginx": _counted(
        "nginx_ingress_controller_requests",
        'namespace="{{namespace}}",ingress="{{ingress}}"',
        'status=~"5.*"',
        "nginx_ingress_controller_request_duration_seconds_bucket",
        "s",
    ),
    "contour": _counted(
        "envoy_cluster_upstream_rq",
        'envoy_cluster_name=~"{{namespace}}_{{target}}_[0-9a-zA-Z-]+"',
        'envoy_response_code=~"5.*"',
        "envoy_cluster_upstream_rq_time_bucket",
        "ms",
    ),
    "envoy": _counted(
        "envoy_cluster_upstream_rq",
        'envoy_cluster_name="{{cluster}}"',
        'envoy_response_code=~"5.*"',
        "envoy_cluster_upstream_rq_time_bucket",
        "ms",
    ),
    "linkerd": _counted(
        "response_total",
        'namespace="{{namespace}}",deployment="{{target}}",direction="inbound"',
        'classification="failure"',
        "response_latency_ms_bucket",
        "ms",
    ),
    "cadvisor": {
        "cpu_usage": QuerySettings(
            f"avg(sum by (pod) (rate(container_cpu_usage_seconds_total{{{_PODS}}}[{{{{interval}}}}])))"
        ),
        "memory_usage": QuerySettings(
            f"avg(sum by (pod) (container_memory_working_set_bytes{{{_PODS}}})"
            f" / (sum by (pod) (container_spec_memory_limit_bytes{{{_PODS}}}) > 0))"
        ),
    },
}
