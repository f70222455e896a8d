"""What Envoy reads, as JSON values: pure functions of the platform's state. The README tells the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ospec_plugin_local.place import Place
from ospec_plugin_local.state import SLOTS, SlotState, State

FRONT, CLUSTERS = "front", "clusters"
RELEASE_HEADER = "x-ospec-release"
_API = "type.googleapis.com/envoy"
_WHOLE = 10000
"""Weights are hundredths of a percent."""
_HTTP = f"{_API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_API}.extensions.filters.http.router.v3.Router"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_BUCKETS_MS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500)
_BUCKETS_SLOW_MS = (650, 800, 1000, 1500, 2000, 3000, 5000, 10000, 30000, 60000)
_STATS = (
    r"cluster\..*\.(membership_.*|upstream_rq_(active|completed|.xx|time|retry|timeout))",
    r"cluster_manager\.cds\.(version_text|update_.*)",
    r"http\..*\.rds\..*\.(version_text|update_.*)",
    r"server\.(live|state)",
)
_IDEMPOTENT = "GET|HEAD|OPTIONS|PUT|DELETE|TRACE"


def bootstrap(place: Place, state: State) -> dict[str, Any]:
    """The part that never changes while Envoy runs: where it listens, and the files it watches."""
    listeners = [_listener(place, FRONT, state.host, state.port)]
    listeners += [_listener(place, label, "127.0.0.1", state.slot_ports[label]) for label in SLOTS]
    return {
        "node": {"id": place.root.name, "cluster": "ospec"},
        "admin": {"address": {"pipe": {"path": str(place.admin_socket), "mode": 0o600}}},
        "static_resources": {"listeners": listeners},
        "dynamic_resources": {"cds_config": _watched(place, CLUSTERS)},
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": [_regex(one) for one in _STATS]}},
            "histogram_bucket_settings": [
                {"match": {"suffix": "upstream_rq_time"}, "buckets": [*_BUCKETS_MS, *_BUCKETS_SLOW_MS]}
            ],
        },
        "stats_flush_on_admin": True,
    }


def clusters(slots: Mapping[str, SlotState], version: int) -> dict[str, Any]:
    """One cluster for each deployment that a slot holds; its endpoints never change."""
    return _answer(version, [_cluster(slot) for slot in slots.values()])


def routes(name: str, slots: Mapping[str, SlotState], weights: Mapping[str, float], version: int) -> dict[str, Any]:
    """The routes of one listener: percents by slot label; none at all answers 503."""
    shares = [(slots[label], round(percent * _WHOLE / 100)) for label, percent in weights.items() if percent > 0]
    if shares:
        entries = [
            _route({"prefix": "/", "headers": [_methods()]}, shares, "connect-failure,refused-stream,reset"),
            # A request whose answer was lost may have had its effect: only one that was not yet sent goes again.
            _route({"prefix": "/"}, shares, "connect-failure,refused-stream,reset-before-request"),
        ]
    else:
        body = {"inline_string": "no release serves here\n"}
        entries = [{"match": {"prefix": "/"}, "direct_response": {"status": 503, "body": body}}]
    return _answer(
        version,
        [
            {
                "@type": f"{_API}.config.route.v3.RouteConfiguration",
                "name": name,
                "validate_clusters": True,
                "virtual_hosts": [{"name": name, "domains": ["*"], "routes": entries}],
            }
        ],
    )


def weights_of(route_configuration: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, float]:
    """Percents by slot label that a route configuration gives; `keys` tells the label of each cluster."""
    first = route_configuration["virtual_hosts"][0]["routes"][0].get("route", {})
    entries = first.get("weighted_clusters", {}).get("clusters", [])
    return {keys[entry["name"]]: entry.get("weight", 0) * 100 / _WHOLE for entry in entries if entry["name"] in keys}


def _answer(version: int, resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version_info": str(version), "resources": resources}


def _watched(place: Place, name: str) -> dict[str, Any]:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(place.routes / f"{name}.json")}}


def _listener(place: Place, name: str, host: str, port: int) -> dict[str, Any]:
    connections = {
        "@type": _HTTP,
        "stat_prefix": name,
        "rds": {"route_config_name": name, "config_source": _watched(place, name)},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": _ROUTER, "suppress_envoy_headers": True}},
        ],
        "use_remote_address": True,
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",  # a quiet event stream is not a broken one
        "request_timeout": "0s",
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": host, "port_value": port}},
        "enable_reuse_port": False,  # else a second proxy on the port silently takes part of the traffic
        "filter_chains": [{"filters": [{"name": "http", "typed_config": connections}]}],
    }


def _cluster(slot: SlotState) -> dict[str, Any]:
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
        for port in slot.ports
    ]
    limits = {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 8192}
    return {
        "@type": f"{_API}.config.cluster.v3.Cluster",
        "name": slot.key,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": slot.key, "endpoints": [{"lb_endpoints": endpoints}]},
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


def _route(match: dict[str, Any], shares: list[tuple[SlotState, int]], retry_on: str) -> dict[str, Any]:
    return {
        "match": match,
        "route": {
            "weighted_clusters": {"clusters": [_share(slot, weight) for slot, weight in shares]},
            "timeout": "0s",
            "idle_timeout": "0s",
            "retry_policy": {
                "retry_on": retry_on,
                "num_retries": 3,
                "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": f"{_API}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                        },
                    }
                ],
                "host_selection_retry_max_attempts": 3,
            },
        },
    }


def _share(slot: SlotState, weight: int) -> dict[str, Any]:
    header = {"header": {"key": RELEASE_HEADER, "value": slot.release}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {"name": slot.key, "weight": weight, "response_headers_to_add": [header]}


def _methods() -> dict[str, Any]:
    return {"name": ":method", "string_match": _regex(_IDEMPOTENT)}


def _regex(text: str) -> dict[str, Any]:
    return {"safe_regex": {"regex": text}}
