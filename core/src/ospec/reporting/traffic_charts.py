"""Charts of weights, error rates and latencies of both releases, on the run's time axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ospec.reporting import charts, words
from ospec.reporting.axes import LinearScale, TimeAxis, elapsed, linear
from ospec.reporting.charts import Chart, Interval, Shape, Table
from ospec.reporting.intervals import Range
from ospec.reporting.measured import SHARES, Counted, Traffic
from ospec.reporting.weights import Level

_HEIGHT = 120.0
_LABEL_FROM = 4.0
"""A level that is narrower than so many per cent of the width bears no label."""
WHO = {"candidate": "this run's release", "stable": "served before"}
Roles = Mapping[str, str]
"""Release names to ``candidate`` and ``stable``; the stable one first."""


def weights_chart(levels: Sequence[Level], roles: Roles, axis: TimeAxis) -> Chart:
    """The candidate's share from below, the stable release's above it; what is left blank went to nobody."""
    scale = LinearScale(100.0, 80.0)
    names = {role: name for name, role in roles.items()}
    shapes, labels, hits, rows = [], [], [], []
    for level in levels:
        if level.candidate is None or level.stable is None:
            shapes.append(Shape(charts.area(level.begin, level.end, 0, 100, axis, scale), "unknown area"))
            told = ["not known", "not known"]
        else:
            both = level.candidate + level.stable
            shapes.append(Shape(charts.area(level.begin, level.end, 0, level.candidate, axis, scale), "candidate area"))
            shapes.append(Shape(charts.area(level.begin, level.end, level.candidate, both, axis, scale), "stable area"))
            told = [f"{level.candidate:.4g} %", f"{level.stable:.4g} %"]
            left, right = axis.share(level.begin), axis.share(level.end)
            if level.candidate > 0 and right - left >= _LABEL_FROM:
                inside = max(scale.y(level.candidate) - 5, 12) if level.candidate < 75 else 16.0
                labels.append(((left + right) / 2, inside, f"{level.candidate:.3g} %"))
        since = elapsed(level.begin - axis.begin, 0.5)
        said = ", ".join(
            f"{names[role]} {share}" for role, share in zip(("candidate", "stable"), told, strict=True) if role in names
        )
        hits.append(charts.hit(level.begin, level.end, f"from {since}: {said}", axis))
        rows.append(
            (
                since,
                words.clock(level.begin),
                *[t for r, t in zip(("candidate", "stable"), told, strict=True) if r in names],
            )
        )
    heads = tuple(names[role] for role in ("candidate", "stable") if role in names)
    return Chart(
        id="weights",
        title="Traffic by release",
        unit="% of requests",
        description="Share of the traffic of each release over time: " + "; ".join(hit.text for hit in hits[:40]),
        height=scale.height,
        shapes=tuple(shapes),
        ticks=charts.y_ticks(LinearScale(100.0, scale.height), lambda share: f"{share:g} %"),
        labels=tuple(labels),
        legend=tuple((role, name, WHO[role]) for name, role in roles.items()),
        hits=tuple(hits),
        table=Table(("since the start", "UTC", *heads), tuple(rows)),
    )


def measured_charts(measured: Traffic, roles: Roles, axis: TimeAxis) -> list[Chart]:
    """Error rate, p50, p95 and p99."""
    made = [
        _chart(
            "errors", "Error rate", "% of requests", measured, roles, axis,
            lambda one: one.error_rate, lambda one: one.error_range, words.percent,
            lambda one: f"{words.count(one.errors)} of {words.count(one.requests)} requests failed",
        )
    ]  # fmt: skip
    for share in SHARES:
        name = f"p{share * 100:g}"
        made.append(
            _chart(
                name, f"Latency {name}", "ms", measured, roles, axis,
                lambda one, share=share: one.quantile(share),  # type: ignore[misc]
                lambda one, share=share: one.quantile_range(share),  # type: ignore[misc]
                words.milliseconds,
                lambda one: f"{words.count(one.answers)} answers",
            )
        )  # fmt: skip
    return [one for one in made if one.shapes]


def _chart(
    key: str,
    title: str,
    unit: str,
    measured: Traffic,
    roles: Roles,
    axis: TimeAxis,
    value: Callable[[Counted], float | None],
    limits: Callable[[Counted], Range | None],
    say: Callable[[float | None], str],
    basis: Callable[[Counted], str],
) -> Chart:
    lines: dict[str, list[Interval]] = {}
    told: dict[float, list[str]] = {}
    rows = []
    for name in roles:
        for one in measured.series.get(name, ()):
            number, band = value(one), limits(one)
            if number is None or band is None:
                continue
            lines.setdefault(name, []).append(Interval(one.begin, one.end, number, band))
            limit = f"{say(band[0])} to {say(band[1]) if band[1] is not None else 'no limit'}"
            told.setdefault(one.begin, []).append(f"{name}: {say(number)} ({limit}; {basis(one)})")
            since = elapsed(one.begin - axis.begin, 0.5)
            rows.append((since, name, say(number), limit, basis(one)))
    scale = _scale(lines)
    shapes = [
        Shape(path, f"{roles[name]} {what}")
        for what, draw in (("open band", charts.open_band), ("band", charts.band), ("line", charts.line))
        for name, own in lines.items()
        if (path := draw(own, axis, scale))
    ]
    hits = [
        charts.hit(begin, begin + measured.seconds, f"{elapsed(begin - axis.begin, 0.5)}: {'; '.join(texts)}", axis)
        for begin, texts in sorted(told.items())
    ]
    return Chart(
        id=key,
        title=title,
        unit=unit,
        description=_description(title, lines, say),
        height=_HEIGHT,
        shapes=tuple(shapes),
        ticks=charts.y_ticks(scale, say),
        legend=tuple((roles[name], name, say(value(measured.totals[name]))) for name in lines),
        hits=tuple(hits),
        table=Table(("since the start", "release", title, "95 % limits", "of"), tuple(rows)),
    )


def _scale(lines: Mapping[str, Sequence[Interval]]) -> LinearScale:
    """Room for every value and for most bands: a few wide ones would make the rest flat, and are cut at the edge."""
    values = [one.value for own in lines.values() for one in own]
    tops = sorted(one.range[1] for own in lines.values() for one in own if one.range[1] is not None)
    most = tops[len(tops) * 3 // 4] if tops else 0.0
    return linear(max([most, *values]) * 1.05 if values else 1.0, _HEIGHT)


def _description(title: str, lines: Mapping[str, Sequence[Interval]], say: Callable[[float | None], str]) -> str:
    said = [
        f"{name} from {say(min(one.value for one in own))} to {say(max(one.value for one in own))} "
        f"in {len(own)} intervals"
        for name, own in lines.items()
    ]
    return f"{title} over time with 95 % limits: {'; '.join(said)}. The numbers are in the table below it."
