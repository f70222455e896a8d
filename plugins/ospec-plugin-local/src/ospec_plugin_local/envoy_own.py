"""Counting requests of ospec's own apart from users': a second set of numbers of the same cluster.

Envoy adds what a request does to a second tree, ``cluster.<name>.<kind>.upstream_rq_…``, where the router finds the
header ``x-envoy-upstream-alt-stat-name``. It takes that header from nobody outside, so it is set here: for requests
that carry the place's mark, and for all that reach a slot by its own address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ospec_plugin_local.envoy_words import API, OWN, OWN_HEADER

FILTER = "envoy.filters.http.header_mutation"
_STATS_HEADER = {"header": {"key": "x-envoy-upstream-alt-stat-name", "value": OWN}}
_MUTATIONS = {"request_mutations": [{"append": {**_STATS_HEADER, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}]}


def filter_of(listener_is_front: bool) -> dict[str, Any]:
    """The filter that names the second set of numbers: by route at the front door, for all at a slot's address."""
    mutations = {} if listener_is_front else {"mutations": _MUTATIONS}
    return {"name": FILTER, "typed_config": {"@type": _type("HeaderMutation"), **mutations}}


def with_own(entries: Iterable[Mapping[str, Any]], mark: str) -> Iterator[Mapping[str, Any]]:
    """Routes, each after its like for requests of ospec's own."""
    for entry in entries:
        if "route" in entry and mark:
            yield _own(entry, mark)
        yield entry


def _own(entry: Mapping[str, Any], mark: str) -> Mapping[str, Any]:
    says = {"name": OWN_HEADER, "string_match": {"exact": mark}}
    match = {**entry["match"], "headers": [*entry["match"]["headers"], says]}
    return {
        **entry,
        "name": f"{OWN}-{entry['name']}",
        "match": match,
        "request_headers_to_remove": [OWN_HEADER],
        "typed_per_filter_config": {FILTER: {"@type": _type("HeaderMutationPerRoute"), "mutations": _MUTATIONS}},
    }


def _type(name: str) -> str:
    return f"{API}.extensions.filters.http.header_mutation.v3.{name}"
