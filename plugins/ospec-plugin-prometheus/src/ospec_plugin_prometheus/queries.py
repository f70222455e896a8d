"""What is asked for a target: from settings, built-ins and `deployment.analysis.metrics` to queries of releases."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from attrs import field, frozen
from ospec.models.live import Slot
from ospec.models.release import ReleaseRef
from ospec.models.target import Target

from ospec_plugin_prometheus.builtin_queries import BUILTINS, DEFAULTS
from ospec_plugin_prometheus.settings import NAME, PrometheusSettings, QuerySettings, settings_of, wrong
from ospec_plugin_prometheus.templates import TemplateError, fill, fill_text, names_in, selector

Kind = Literal["requests", "errors", "latency", "gauge"]
_KINDS: Mapping[str, Kind] = {"requests": "requests", "errors": "errors", "request_duration": "latency"}
_ERRORS = ("request-success-rate", "error_rate", "success_rate")
_LATENCY = re.compile(r"request-duration|request_duration|response_time_p\d{1,2}(\.\d+)?")
_OF_A_RELEASE = {"release", "release_id", "slot"}
"""Parameters that differ between the releases that are compared; one of them has to stand in each query."""
_IN_MILLISECONDS = re.compile(r"_(ms|milliseconds)_bucket$")
_INTERVALS = 4
"""Rates are taken over so many scrapes where the metric has no interval of its own."""


@frozen
class Query:
    """One query, with its parameters still in it."""

    name: str
    kind: Kind
    text: str
    where: str
    """Its place in the document."""
    interval_seconds: float
    """What ``{{interval}}`` is."""
    unit_ms: float = 1.0
    """Of buckets: milliseconds of one unit of ``le``."""
    metric: str = ""
    """The metric's name, where the query only selects series: then raw samples are asked for."""
    labels: Collection[str] = field(factory=tuple)
    """The labels that it is selected by."""


def queries_of(target: Target) -> tuple[Query, ...]:
    """Everything that is asked; of each metric one query.

    Raises:
        DocumentError: a query cannot be asked as it is, or tells no releases apart.
    """
    settings = settings_of(target)
    found: dict[str, tuple[QuerySettings, str, float]] = {}
    usual = settings.interval_seconds * _INTERVALS
    for chosen in settings.builtins:
        if chosen not in BUILTINS:
            raise wrong(
                f"plugins.{NAME}.builtins", f"there are no built-in queries {chosen!r}", _meant(chosen, BUILTINS)
            )
        found.update({name: (one, f"plugins.{NAME}.builtins", usual) for name, one in BUILTINS[chosen].items()})
    for name, one in settings.queries.items():
        assert isinstance(one, QuerySettings), "settings_of makes them so"
        found[name] = one, f"plugins.{NAME}.queries.{name}", usual
    for name, query, where, interval in _of_analysis(target, settings):
        found[name] = query, where, interval or usual
    return tuple(_checked(name, *rest, settings) for name, rest in found.items())


def measured(target: Target) -> tuple[str, ...]:
    """Names of the measurements that a target's queries make; requests and errors only together."""
    queries = queries_of(target)
    kinds = {one.kind for one in queries}
    counts = ("requests", "errors") if {"requests", "errors"} <= kinds else ()
    latency = ("request_duration_ms",) if "latency" in kinds else ()
    return (*counts, *latency, *(one.name for one in queries if one.kind == "gauge"))


def _of_analysis(
    target: Target, settings: PrometheusSettings
) -> Iterator[tuple[str, QuerySettings, str, float | None]]:
    """The metrics with a query of their own: built-ins by their name, a named query, or PromQL for a gauge."""
    for number, metric in enumerate(target.deployment.analysis.metrics):
        text, where = metric.query.strip(), f"deployment.analysis.metrics[{number}].query"
        if not text:
            continue
        counted = ("requests", "errors") if metric.name in _ERRORS else ()
        names = counted or (("request_duration",) if _LATENCY.fullmatch(metric.name) else (metric.name,))
        if text in BUILTINS:
            for name in names:
                if name not in BUILTINS[text]:
                    known = ", ".join(BUILTINS[text])
                    raise wrong(where, f"the built-in queries {text!r} have no {name}; they have: {known}")
                yield name, BUILTINS[text][name], where, metric.interval
        elif text in settings.queries:
            one = settings.queries[text]
            assert isinstance(one, QuerySettings), "settings_of makes them so"
            yield from () if text in names else ((name, one, where, metric.interval) for name in names)
        elif counted or names == ("request_duration",):
            raise wrong(
                where,
                f"{metric.name} is judged by counts, not by one number",
                f"name built-in queries: {', '.join(BUILTINS)}",
                f"or write {' and '.join(names)} into plugins.{NAME}.queries",
            )
        else:
            yield metric.name, QuerySettings(text), where, metric.interval


def _checked(name: str, given: QuerySettings, where: str, interval: float, settings: PrometheusSettings) -> Query:
    kind = _KINDS.get(name, "gauge")
    selected = selector(given.query)
    if not selected and kind != "gauge":
        raise wrong(
            where,
            f"{name} needs the series of a counter as they are: expected a selector, without functions and operators",
            'such as http_requests_total{version="{{release}}"}: ospec takes the increase, also across restarts',
        )
    known = {**DEFAULTS, **settings.parameters}
    used = set(names_in(given.query))
    used |= {inner for one in used if one in known for inner in names_in(known[one])}
    if not used & _OF_A_RELEASE:
        raise wrong(
            where,
            f"the query of {name} is the same for every release, so it could compare nothing",
            'match a label with "{{release}}" or "{{slot}}"',
        )
    metric, labels = selected or ("", ())
    milliseconds = given.unit == "ms" or (not given.unit and _IN_MILLISECONDS.search(metric))
    query = Query(
        name, kind, given.query, where, interval, 1.0 if milliseconds or kind != "latency" else 1000.0, metric, labels
    )
    try:
        text_for(query, target_values("a", "b", "c", "d", "e", settings))
    except TemplateError as error:
        raise wrong(where, str(error)) from None
    return query


def target_values(
    service: str, environment: str, release: str, release_id: str, slot: str, settings: PrometheusSettings
) -> dict[str, str]:
    """Every parameter but ``interval``."""
    own = {
        "service": service,
        "environment": environment,
        "release": release,
        "release_id": release_id,
        "slot": slot,
    }
    mine = {name: fill_text(text, own) for name, text in {**DEFAULTS, **settings.parameters}.items()}
    return {**mine, **own}


def values_for(target: Target, slot: Slot, release: ReleaseRef) -> dict[str, str]:
    """The parameters of one release in one slot."""
    settings = settings_of(target)
    return target_values(target.service, target.environment, release.name, release.id, slot.label, settings)


def text_for(query: Query, values: Mapping[str, str]) -> str:
    """PromQL for one release; raises `TemplateError`."""
    return fill(query.text, {**values, "interval": duration(query.interval_seconds)})


def duration(seconds: float) -> str:
    """As PromQL writes it."""
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
