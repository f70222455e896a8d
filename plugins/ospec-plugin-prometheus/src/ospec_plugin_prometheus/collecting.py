"""`collect_metrics`: what is asked for each release, and which measurements its answers make. Read this file first.

Every question is an instant query for a stretch of time: raw samples (``selector[90s]``) wherever a query only selects
series, so that counters are differenced here, with the times of their scrapes; a sub-query on the grid of bins for any
other expression. Only bins that nothing can be added to any more are told, for judges count each bin once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen
from ospec.models.context import MetricsContext
from ospec.models.live import Measurement, Slot
from ospec.models.release import ReleaseRef

from ospec_plugin_prometheus.answers import Answer, NoAnswerError, Series
from ospec_plugin_prometheus.client import ask_all, endpoint_of
from ospec_plugin_prometheus.counting import counted, histograms, means, scrapes_of, usual_gap
from ospec_plugin_prometheus.queries import Query, duration, queries_of, text_for, values_for
from ospec_plugin_prometheus.settings import NAME, settings_of
from ospec_plugin_prometheus.telling import leave_alone, left_alone, tell

SETTLE_SECONDS = 2.0
"""A scrape is stored once it is over, so a bin is left alone for so long after its end."""
_QUIET_TIMEOUTS = 5
"""A server that did not answer is asked again after so many time-outs."""
_SKEW_SECONDS = 5.0


@frozen
class Window:
    """Which bins are told at a look: those that became complete since the last one."""

    width: float
    since_seconds: float

    @property
    def reach_seconds(self) -> float:
        """How far back has to be asked: the oldest bin, and the scrapes before it."""
        return self.since_seconds + SETTLE_SECONDS + 3 * self.width

    def tells(self, place: int, now: float) -> bool:
        """Whether a bin is complete, and was not long before."""
        complete = (place + 1) * self.width + SETTLE_SECONDS
        return now - self.since_seconds < complete <= now


@frozen
class Asked:
    """One question about one release."""

    query: Query
    release: str
    text: str


def collect(ctx: MetricsContext) -> Iterator[Measurement]:
    """Ask, and tell what is known. No data is no measurement; the reason is logged once.

    Raises:
        DocumentError: the settings are wrong (a plan would have said so).
        CancelledError: the run was aborted.
    """
    settings = settings_of(ctx.target)
    queries = queries_of(ctx.target)
    window = Window(settings.interval_seconds, ctx.since_seconds)
    asked = list(_questions(ctx, queries, window))
    if not asked or left_alone(settings.url):
        return
    try:
        endpoint = endpoint_of(settings, ctx)
    except NoAnswerError as error:
        tell(ctx, _reason(error))
        return
    answers = ask_all(endpoint, [one.text for one in asked], ctx, settings.timeout_seconds)
    if any(isinstance(one, NoAnswerError) and one.unreachable for one in answers):
        leave_alone(settings.url, settings.timeout_seconds * _QUIET_TIMEOUTS)
    by_release: dict[str, dict[str, tuple[Query, Answer]]] = {}
    for one, answer in zip(asked, answers, strict=True):
        if isinstance(answer, NoAnswerError):
            tell(ctx, f"no {one.query.name}: {_reason(answer)}")
        else:
            by_release.setdefault(one.release, {})[one.query.name] = one.query, answer
    _tell_oddities(ctx, window, by_release)
    for release, found in by_release.items():
        yield from _Release(ctx, window, release, found).measurements()


def _reason(error: NoAnswerError) -> str:
    return f"{error.reason} ({error.hint})" if error.hint else error.reason


# -- what is asked ----------------------------------------------------------------------------------------------------


def ranged(query: Query, text: str, seconds: float, width: float) -> str:
    """The question for all samples of a stretch of time."""
    if query.metric:
        return f"{text}[{duration(seconds)}]"
    return f"({text}\n)[{duration(seconds)}:{duration(width)}]"


def _questions(ctx: MetricsContext, queries: Sequence[Query], window: Window) -> Iterator[Asked]:
    """Every query for every release; none that would be the same for two of them."""
    releases = _releases(ctx.slots)
    for query in queries:
        texts: dict[str, list[str]] = {}
        for slot, release in releases:
            texts.setdefault(text_for(query, values_for(ctx.target, slot, release)), []).append(release.name)
        for text, names in texts.items():
            if len(set(names)) > 1:
                tell(ctx, f"no {query.name}: the query is the same for {' and '.join(names)}; match {{{{release}}}}")
                continue
            yield Asked(query, names[0], ranged(query, text, window.reach_seconds, window.width))


def _releases(slots: Sequence[Slot]) -> list[tuple[Slot, ReleaseRef]]:
    return [(slot, release) for slot in slots for release in slot.releases]


# -- what the answers tell --------------------------------------------------------------------------------------------


class _Release:
    """The answers about one release."""

    def __init__(
        self, ctx: MetricsContext, window: Window, release: str, found: Mapping[str, tuple[Query, Answer]]
    ) -> None:
        self._ctx, self._window, self._release, self._found = ctx, window, release, found
        counters = [one for query, answer in found.values() if query.kind != "gauge" for one in answer.series]
        self._scrapes = scrapes_of(counters)

    def measurements(self) -> Iterator[Measurement]:
        for name, (query, answer) in self._found.items():
            if not answer.series and query.kind != "errors":
                tell(self._ctx, f"no {name} of {self._release}: no series matches, or it has no fresh samples")
            elif query.kind == "gauge":
                yield from self._gauge(query, answer)
            elif query.kind == "latency":
                yield from self._latency(query, answer)
        yield from self._counts()

    def _counts(self) -> Iterator[Measurement]:
        """Requests with their errors. Errors alone say nothing, and requests count only where errors are known."""
        if "requests" not in self._found:
            return
        query, answer = self._found["requests"]
        requests = counted(answer.series, self._scrapes, self._window.width)
        errors = self._errors(query, answer.series)
        for place, many in self._told(requests, answer.now):
            if round(many) <= 0:
                continue
            yield self._measured("requests", place, float(round(many)))
            if errors is not None:
                yield self._measured("errors", place, float(round(errors.get(place, 0.0))))

    def _errors(self, requests: Query, series: Sequence[Series]) -> Mapping[int, float] | None:
        """Errors by bin; None where nobody knows.

        A label's value has no series before it was counted first. So where errors are picked from the requests by a
        label that these have, no series means no error; anything else without a series means no data.
        """
        if "errors" not in self._found:
            return None
        query, answer = self._found["errors"]
        if answer.series:
            return counted(answer.series, self._scrapes, self._window.width)
        there = {name for one in series for name in one.labels}
        unknown = sorted({*query.labels} - {*requests.labels} - there)
        if query.metric == requests.metric and series and not unknown:
            return {}
        if query.metric == requests.metric and series:
            tell(self._ctx, f"no errors of {self._release}: {query.metric} has no label {', '.join(unknown)}")
        elif series:
            tell(self._ctx, f"no errors of {self._release}: no series of {query.metric}; it has to begin with 0")
        return None

    def _latency(self, query: Query, answer: Answer) -> Iterator[Measurement]:
        found = histograms(answer.series, self._scrapes, self._window.width, query.unit_ms)
        if not found and not any("le" in one.labels for one in answer.series):
            tell(self._ctx, f"no {query.name} of {self._release}: {query.metric} is no histogram, it has no label le")
        for place, answers in self._told({place: one[0] for place, one in found.items()}, answer.now):
            if answers > 0:
                buckets = tuple((bound, int(count)) for bound, count in found[place][1])
                yield self._measured("request_duration_ms", place, answers, buckets)

    def _gauge(self, query: Query, answer: Answer) -> Iterator[Measurement]:
        if len(answer.series) > 1:
            many = f"{len(answer.series)} series, expected one"
            tell(
                self._ctx, f"no {query.name} of {self._release}: {many} (aggregate them: avg(...), sum(...), max(...))"
            )
            return
        # A step of an expression tells of the time before it, a raw sample is in the bin of its own.
        later = 0.0 if query.metric else self._window.width / 2
        for place, value in self._told(means(answer.series[0], self._window.width, later), answer.now):
            yield self._measured(query.name, place, value)

    def _told(self, bins: Mapping[int, float], now: float) -> Iterator[tuple[int, float]]:
        return ((place, bins[place]) for place in sorted(bins) if self._window.tells(place, now))

    def _measured(
        self, metric: str, place: int, value: float, buckets: tuple[tuple[float, int], ...] = ()
    ) -> Measurement:
        width = self._window.width
        return Measurement(metric, self._release, NAME, place * width, value, width, buckets)


def _tell_oddities(
    ctx: MetricsContext, window: Window, found: Mapping[str, Mapping[str, tuple[Query, Answer]]]
) -> None:
    """What would make numbers fewer than they are."""
    every = [pair for one in found.values() for pair in one.values()]
    raw = [one for query, answer in every if query.metric for one in answer.series]
    gap = usual_gap(raw)
    if gap is not None and gap > window.width * 1.5:
        tell(ctx, f"targets are scraped every {gap:.3g} s: set plugins.prometheus.interval_seconds to that")
    if any(answer.unusable for _, answer in every):
        names = sorted({query.name for query, answer in every if answer.unusable})
        tell(ctx, f"{', '.join(names)}: NaN and infinite values are left out")
    skew = max((answer.now - time.time() for _, answer in every), key=abs, default=0.0)
    if abs(skew) > _SKEW_SECONDS:
        way = "ahead of" if skew > 0 else "behind"
        tell(ctx, f"its clock is {way} this machine's by more than {_SKEW_SECONDS:g} s: numbers may be missed")
