"""What a route configuration says, of whatever Envoy serves or was told: the inverse of `envoy_routes`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ospec.models.live import HeaderRule, Maintenance, TrafficSplit

from ospec_plugin_local.envoy_routes import KNOWN, MAINTENANCE, RETRY_AFTER, RULE, WHOLE


def split_of(configuration: Mapping[str, Any], keys: Mapping[str, str]) -> TrafficSplit:
    """The split that a route configuration makes; `keys` tells the slot's label of each cluster.

    Of a configuration that cannot be read (an older one, a broken file) nothing but what is found.
    """
    entries = [one for host in configuration.get("virtual_hosts", ()) for one in host.get("routes", ())]
    if not entries:
        return TrafficSplit({})
    last = entries[-1]
    known = next((one for one in entries if one.get("name") == KNOWN), None)
    return TrafficSplit(
        _weights(last, keys),
        headers=tuple(_rules(entries, keys)),
        sticky=known is not None,
        gaining=_gaining(known, keys) if known else "",
        maintenance=_maintenance(last) if last.get("name") == MAINTENANCE else None,
    )


def _weights(route: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in _clusters(route):
        if entry["name"] in keys:
            label = keys[entry["name"]]
            found[label] = found.get(label, 0.0) + entry.get("weight", 0) * 100 / WHOLE
    return found


def _rules(entries: Iterable[Mapping[str, Any]], keys: Mapping[str, str]) -> list[HeaderRule]:
    """Each rule once, though it has two routes."""
    found: dict[HeaderRule, None] = {}
    for entry in entries:
        if entry.get("name") == RULE:
            header = entry["match"]["headers"][0]
            slot = next((keys[one["name"]] for one in _clusters(entry) if one["name"] in keys), "")
            rule = HeaderRule(header["name"], header["string_match"].get("exact", ""), slot)
            found[rule] = None
    return list(found)


def _gaining(route: Mapping[str, Any], keys: Mapping[str, str]) -> str:
    cookie = route["route"]["hash_policy"][0]["cookie"]["name"]
    return keys.get(cookie.removeprefix("ospec-"), "")


def _maintenance(route: Mapping[str, Any]) -> Maintenance:
    told = {one["header"]["key"]: one["header"]["value"] for one in route["response_headers_to_add"]}
    body = route["direct_response"].get("body", {}).get("inline_string", "")
    return Maintenance(int(told[RETRY_AFTER]), body, told["content-type"].replace("%%", "%"))


def _clusters(route: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    found: Iterable[Mapping[str, Any]] = route.get("route", {}).get("weighted_clusters", {}).get("clusters", ())
    return found
