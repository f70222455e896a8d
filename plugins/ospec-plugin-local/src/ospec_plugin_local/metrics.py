"""Requests, errors and durations by release, as the keeper counted them at the proxy; what the instances use."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from ospec.models.context import MetricsContext
from ospec.models.live import Measurement

from ospec_plugin_local import wire
from ospec_plugin_local.counting import less
from ospec_plugin_local.envoy_words import OWN
from ospec_plugin_local.place import place_of
from ospec_plugin_local.state import load_state

SOURCE, USAGE_SOURCE = "envoy", "process"
GAUGES = ("cpu_usage", "memory_usage")
"""Means over the instances of a release: of one core, and of the machine's memory."""


def collect(ctx: MetricsContext) -> Iterator[Measurement]:
    """Bins of about one second; none where the keeper does not answer or nobody asked anything."""
    place = place_of(ctx.home, ctx.target)
    state = load_state(place)
    if state is None:
        return
    names = {held.key: held.release for held in (*state.past.values(), *state.held)}
    try:
        answer = wire.ask(str(place.keeper_socket), {"op": "bins", "since": time.time() - ctx.since_seconds})
    except wire.KeeperUnreachableError:
        return
    wanted = {release.name for slot in ctx.slots for release in slot.releases}
    for one in _of_users(answer["bins"]):
        release = names.get(one["cluster"])
        if release and (not wanted or release in wanted):
            yield from _measurements(one, release)
    for one in answer.get("usage", ()):
        release = names.get(one["cluster"])
        if release and (not wanted or release in wanted):
            yield from _gauges(one, release)


def _of_users(bins: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Bins without ospec's own requests, which a cluster's numbers hold, and a name of their own holds once more."""
    found = list(bins)
    own = {(one["cluster"], one["at"]): one for one in found if one["cluster"].endswith(f".{OWN}")}
    for one in found:
        if not one["cluster"].endswith(f".{OWN}"):
            mine = own.get((f"{one['cluster']}.{OWN}", one["at"]))
            yield less(one, mine) if mine else one


def _gauges(one: dict[str, Any], release: str) -> Iterator[Measurement]:
    for metric in GAUGES:
        yield Measurement(metric, release, USAGE_SOURCE, one["at"], one[metric], one["seconds"])


def _measurements(one: dict[str, Any], release: str) -> Iterator[Measurement]:
    at, seconds = one["at"], one["seconds"]
    if one["requests"]:
        yield Measurement("requests", release, SOURCE, at, float(one["requests"]), seconds)
        yield Measurement("errors", release, SOURCE, at, float(one["errors"]), seconds)
    if one["timed"]:
        buckets = tuple((float(bound), int(count)) for bound, count in one["buckets"])
        yield Measurement("request_duration_ms", release, SOURCE, at, float(one["timed"]), seconds, buckets)
