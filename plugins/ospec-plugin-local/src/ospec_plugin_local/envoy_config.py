"""What Envoy reads when it starts, as a JSON value. The README tells the reasons."""

from __future__ import annotations

from typing import Any

from ospec_plugin_local.envoy_own import filter_of
from ospec_plugin_local.envoy_words import API, CLUSTERS, DRAW_HEADER, FRONT, regex, watched
from ospec_plugin_local.place import Place
from ospec_plugin_local.state import SLOTS, State

_HTTP = f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{API}.extensions.filters.http.router.v3.Router"
_DRAWS = f"{API}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_BUCKETS_MS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500)
_BUCKETS_SLOW_MS = (650, 800, 1000, 1500, 2000, 3000, 5000, 10000, 30000, 60000)
_STATS = (
    r"cluster\..*\.(membership_.*|upstream_rq_(active|completed|.xx|time|retry|timeout))",
    r"cluster\..*\.(version_text|update_.*)",
    r"cluster_manager\.cds\.(version_text|update_.*)",
    r"http\..*\.rds\..*\.(version_text|update_.*)",
    r"server\.(live|state)",
)


def bootstrap(place: Place, state: State) -> dict[str, Any]:
    """The part that never changes while Envoy runs: where it listens, and the files it watches."""
    listeners = [_listener(place, FRONT, state.host, state.port)]
    listeners += [_listener(place, label, "127.0.0.1", state.slot_ports[label]) for label in SLOTS]
    return {
        "node": {"id": place.root.name, "cluster": "ospec"},
        "admin": {"address": {"pipe": {"path": str(place.admin_socket), "mode": 0o600}}},
        "static_resources": {"listeners": listeners},
        "dynamic_resources": {"cds_config": watched(place, CLUSTERS)},
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": [regex(one) for one in _STATS]}},
            "histogram_bucket_settings": [
                {"match": {"suffix": "upstream_rq_time"}, "buckets": [*_BUCKETS_MS, *_BUCKETS_SLOW_MS]}
            ],
        },
        "stats_flush_on_admin": True,
    }


def _listener(place: Place, name: str, host: str, port: int) -> dict[str, Any]:
    connections = {
        "@type": _HTTP,
        "stat_prefix": name,
        "rds": {"route_config_name": name, "config_source": watched(place, name)},
        "http_filters": [
            filter_of(name == FRONT),
            {"name": "router", "typed_config": {"@type": _ROUTER, "suppress_envoy_headers": True}},
        ],
        "use_remote_address": True,
        "server_header_transformation": "PASS_THROUGH",
        "early_header_mutation_extensions": [{"name": "draw", "typed_config": _draw()}],
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


def _draw() -> dict[str, Any]:
    """Each request draws a lot before its route is sought, whatever header of that name it came with.

    Who has no cookie yet is split by it: an id that clients send along would put all of a client's users on one side.
    """
    lot = {"header": {"key": DRAW_HEADER, "value": "%UNIQUE_ID%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {"@type": _DRAWS, "mutations": [{"append": lot}]}
