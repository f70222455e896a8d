"""What Envoy is told of the instances: one cluster for each deployment that a slot holds, and who is in it.

Who is in it is a file of its own, so that instances come and go without a cluster being made anew. One that leaves is
first told to be unhealthy: it gets nothing new, and what is open to it can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ospec_plugin_local.envoy_words import API, told, watched
from ospec_plugin_local.place import Place
from ospec_plugin_local.state import WEB, SlotState

_LAST_ONE_TAKES_ALL = 100_000
"""Percent of what an instance is expected to carry: others take over once none of a release's own is left."""
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(place: Place, held: Iterable[SlotState], version: int) -> dict[str, Any]:
    """One cluster for each deployment."""
    return told(version, [_cluster(place, one) for one in held])


def endpoints(held: SlotState, others: Iterable[SlotState], version: int) -> dict[str, Any]:
    """A deployment's instances; where the slot holds `others`, theirs answer while none of its own can.

    One instance of a release, the first of many that are replaced, may die: its share must not be lost.
    """
    own = {"priority": 0, "lb_endpoints": _instances(held)}
    rest = {"priority": 1, "lb_endpoints": [entry for other in others for entry in _instances(other)]}
    resource = {
        "@type": f"{API}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": held.key,
        "endpoints": [own, rest] if rest["lb_endpoints"] else [own],
        "policy": {"overprovisioning_factor": _LAST_ONE_TAKES_ALL},
    }
    return told(version, [resource])


def _instances(held: SlotState) -> list[dict[str, Any]]:
    return [
        {
            "endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": one.port}}},
            "health_status": "UNHEALTHY" if one.leaving else "HEALTHY",
            "metadata": {"filter_metadata": {"ospec": {"release": held.release}}},
        }
        for one in held.instances
        if one.process == WEB and one.port
    ]


def _cluster(place: Place, slot: SlotState) -> dict[str, Any]:
    limits = {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 8192}
    return {
        "@type": f"{API}.config.cluster.v3.Cluster",
        "name": slot.key,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": watched(place, slot.key)},
        "connect_timeout": "1s",
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},
            # Else a second instance's health reaches the workers up to a second after the statistics tell it.
            "update_merge_window": "0s",
        },
        "circuit_breakers": {
            "thresholds": [{**limits, "retry_budget": {"budget_percent": {"value": 50}, "min_retry_concurrency": 50}}]
        },
        "health_checks": [_health_check(slot)],
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 2,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_consecutive_5xx": 0,  # a bad release has to show its errors
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "0.25s",
            "base_ejection_time": "2s",
            "max_ejection_percent": 100,
        },
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                # Shorter than the keep-alive of common servers, which otherwise close under a request just sent.
                "common_http_protocol_options": {"idle_timeout": "1.5s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _health_check(slot: SlotState) -> dict[str, Any]:
    how: dict[str, Any] = {"tcp_health_check": {}}
    if slot.check_path:
        statuses = [{"start": 200, "end": 400}]
        how = {"http_health_check": {"path": slot.check_path, "host": "localhost", "expected_statuses": statuses}}
    return {
        **how,
        "timeout": f"{slot.check_seconds:g}s",
        "interval": "0.25s",
        "no_traffic_interval": "0.02s",  # until it is first seen healthy; a deploy waits for that
        "unhealthy_interval": "0.02s",
        "no_traffic_healthy_interval": "0.25s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "reuse_connection": False,  # a kept connection would occupy a server that has one thread
    }
