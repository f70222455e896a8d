"""What Envoy is told of one listener's traffic: rules by header, then maintenance or shares, by cookie or by lot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen
from ospec.models.live import HeaderRule, Maintenance, TrafficSplit

from ospec_plugin_local.envoy_own import with_own
from ospec_plugin_local.envoy_words import API, DRAW_HEADER, RELEASE_HEADER, regex, told
from ospec_plugin_local.state import SlotState

WHOLE = 10000
"""Weights are hundredths of a percent."""
RULE, KNOWN, REST, MAINTENANCE, NOTHING = "rule", "known", "rest", "maintenance", "nothing"
"""Names of routes: a header rule, who has our cookie, everybody else, and who gets no release."""
RETRY_AFTER = "retry-after"
_IDEMPOTENT = "GET|HEAD|OPTIONS|PUT|DELETE|TRACE"
_COOKIE_SECONDS = 86400
_DEFAULT_BODY_BYTES = 4096
"""The longest body that Envoy answers by itself where nothing is said."""


@frozen
class Part:
    """A deployment in a slot, with its share of what the slot gets."""

    held: SlotState
    share: float
    mixed: bool = False
    """Whether another release in the slot answers where none of its own instances can."""


Parts = Mapping[str, Sequence[Part]]
"""What each slot holds, by label."""


def routes(name: str, split: TrafficSplit, parts: Parts, version: int, mark: str = "") -> dict[str, Any]:
    """The routes of one listener; with no share at all it answers 503.

    Args:
        mark: with it, requests of ospec's own that say so are counted apart.
    """
    entries = [entry for rule in split.headers for entry in _by_rule(rule, parts)]
    if sum(split.weights.values()) > 0:
        entries += _by_share(split, parts)
    elif split.maintenance:
        entries.append(_maintenance(split.maintenance))
    else:
        entries.append(_direct(NOTHING, "no release serves here\n"))
    answered = len(split.maintenance.body.encode()) if split.maintenance else 0
    configuration = {
        "@type": f"{API}.config.route.v3.RouteConfiguration",
        "name": name,
        "validate_clusters": True,
        "max_direct_response_body_size_bytes": max(answered, _DEFAULT_BODY_BYTES),
        "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [*with_own(entries, mark)]}],
    }
    return told(version, [configuration])


def cookie_of(held: SlotState) -> str:
    """The cookie by which users are known while this deployment gains traffic."""
    return f"ospec-{held.key}"


def _by_rule(rule: HeaderRule, parts: Parts) -> Iterator[dict[str, Any]]:
    shares = _shares({rule.slot: 100.0}, parts)
    header = {"name": rule.name, "string_match": {"exact": rule.value}}
    return _by_method(RULE, [header], {"weighted_clusters": {"clusters": shares}}, _mixed({rule.slot}, parts))


def _by_share(split: TrafficSplit, parts: Parts) -> Iterator[dict[str, Any]]:
    """Weighted routes; for sticky users twice, which choose by the hash of the same value.

    Who comes without the cookie is split by the request's lot and given it as the cookie. The slot that gains is first
    in the list: as it grows it takes over the hashes next to its own, and loses none.
    """
    first = sorted(split.weights.items(), key=lambda item: item[0] != split.gaining)
    clusters = {"clusters": _shares(dict(first), parts)}
    mixed = _mixed(split.weights, parts)
    if not split.sticky:
        yield from _by_method(REST, [], {"weighted_clusters": clusters}, mixed)
        return
    cookie = cookie_of(parts[split.gaining][0].held)
    by_hash = {"weighted_clusters": {**clusters, "use_hash_policy": True}}
    has_it = {"name": "cookie", "string_match": regex(rf"(.*;)?\s*{cookie}=[^;]+(;.*)?")}
    yield from _by_method(KNOWN, [has_it], {**by_hash, "hash_policy": [{"cookie": {"name": cookie}}]}, mixed)
    value = f"{cookie}=%REQ({DRAW_HEADER})%; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
    given = {"header": {"key": "set-cookie", "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
    by_lot = {**by_hash, "hash_policy": [{"header": {"header_name": DRAW_HEADER}}]}
    for entry in _by_method(REST, [], by_lot, mixed):
        yield {**entry, "response_headers_to_add": [given]}


def _shares(weights: Mapping[str, float], parts: Parts) -> list[dict[str, Any]]:
    """Weighted clusters whose weights add up to the whole, always: a hash chooses by its rest of that."""
    rows = [(part, percent * part.share) for label, percent in weights.items() for part in parts[label]]
    whole, reached, given, entries = sum(share for _, share in rows), 0.0, 0, []
    for part, share in rows:
        reached += share
        weight = round(reached * WHOLE / whole) - given
        given += weight
        if share > 0:
            entries.append(_share(part, weight))
    return entries


def _share(part: Part, weight: int) -> dict[str, Any]:
    # Where an instance of another release may answer, the instance says which it is.
    release = "%UPSTREAM_METADATA(ospec:release)%" if part.mixed else part.held.release
    header = {"header": {"key": RELEASE_HEADER, "value": release}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {"name": part.held.key, "weight": weight, "response_headers_to_add": [header]}


def _mixed(labels: Iterable[str], parts: Parts) -> bool:
    return any(part.mixed for label in labels for part in parts[label])


def _by_method(
    name: str, headers: Sequence[dict[str, Any]], action: dict[str, Any], mixed: bool
) -> Iterator[dict[str, Any]]:
    """The route for idempotent requests, then the one for all others.

    A request whose answer was lost may have had its effect: only one that was not yet sent goes again.
    """
    idempotent = {"name": ":method", "string_match": regex(_IDEMPOTENT)}
    for more, retry_on in (
        ([idempotent], "connect-failure,refused-stream,reset"),
        ([], "connect-failure,refused-stream,reset-before-request"),
    ):
        match = {"prefix": "/", "headers": [*headers, *more]}
        yield {"name": name, "match": match, "route": {**action, **_patience(retry_on, mixed)}}


def _patience(retry_on: str, mixed: bool) -> dict[str, Any]:
    previous = f"{API}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    policy: dict[str, Any] = {
        "retry_on": retry_on,
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": previous}}
        ],
        "host_selection_retry_max_attempts": 3,
    }
    if mixed:  # after two tries of one release the other one is asked, before anybody knows that an instance died
        previous = f"{API}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"
        policy["retry_priority"] = {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {"@type": previous, "update_frequency": 2},
        }
    return {"timeout": "0s", "idle_timeout": "0s", "retry_policy": policy}


def _maintenance(asked: Maintenance) -> dict[str, Any]:
    told = {RETRY_AFTER: str(asked.retry_after_seconds), "content-type": asked.content_type}
    headers = [
        {"header": {"key": key, "value": value.replace("%", "%%")}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in told.items()
    ]
    return {**_direct(MAINTENANCE, asked.body), "response_headers_to_add": headers}


def _direct(name: str, body: str) -> dict[str, Any]:
    answer = {"status": 503, "body": {"inline_string": body}} if body else {"status": 503}
    return {"name": name, "match": {"prefix": "/"}, "direct_response": answer}
