"""Lays the spans of a run out as a waterfall, and draws it for a terminal: plain text without colours."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from attrs import frozen

from ospec.telemetry import names

_NAME_SHARE = 0.4
"""The part of the width that names may take."""
_LEAST_BAR = 10
_TIME_WIDTH = 9
_FOLD_FROM = 4
"""So many equal calls in a row (a health check that is asked until it holds) become one line."""
Span = Mapping[str, Any]


@frozen
class Row:
    """One line of a waterfall: a span, or equal calls in a row."""

    depth: int
    """0 at the margin."""
    label: str
    offset: float
    """Seconds since its trace began."""
    seconds: float
    count: int
    """How many equal calls it stands for, from the first one's start to the last one's end; mostly 1."""
    status: str
    """``ok``, ``error`` or ``cancelled``."""
    fault: str
    """What it failed with, where that is known."""


@frozen
class Trace:
    """The spans of one process, with an axis of their own."""

    id: str
    begin: float
    """Unix seconds."""
    seconds: float
    rows: tuple[Row, ...]


def traces(spans: Sequence[Span]) -> list[Trace]:
    """Children below their parent, by start; equal calls in a row are one row.

    Args:
        spans: as `Telemetry.take_spans` gives them. One whose parent is not among them (cut by a crash, say) stands at
            the margin; each trace (a resumed run has several) has an axis of its own.
    """
    found: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span["start"], -span["seconds"])):
        found.setdefault(span["trace_id"], []).append(span)
    return [_trace(trace, own) for trace, own in found.items()]


def draw(spans: Sequence[Span], width: int) -> str:
    """One line a span: name, bar on the time axis, duration. Bars of several equal calls are lighter.

    Args:
        spans: as for `traces`.
        width: columns of the terminal.
    """
    return "\n\n".join("\n".join(_draw_trace(trace, width)) for trace in traces(spans))


def duration(seconds: float) -> str:
    """Three digits or so, with the unit that suits: ``812 µs``, ``12.3 ms``, ``4.56 s``, ``3 m 05 s``."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s"


def _trace(trace: str, spans: Sequence[Span]) -> Trace:
    begin = min(span["start"] for span in spans)
    seconds = max(span["start"] + span["seconds"] for span in spans) - begin
    rows = tuple(
        Row(
            depth,
            _label(span),
            span["start"] - begin,
            span["seconds"],
            span.get("count", 1),
            span["status"],
            span["attributes"].get(names.ERROR_CODE) or span["attributes"].get(names.ERROR_TYPE, ""),
        )
        for depth, span in _rows(spans)
    )
    return Trace(trace, begin, seconds, rows)


def _draw_trace(trace: Trace, width: int) -> Iterator[str]:
    labels = [" " * (2 * row.depth) + row.label for row in trace.rows]
    name_width = min(max(map(len, labels)), max(int(width * _NAME_SHARE), 12))
    bar_width = max(width - name_width - _TIME_WIDTH - 2, _LEAST_BAR)
    yield f"trace {trace.id}, {duration(trace.seconds)}"
    for label, row in zip(labels, trace.rows, strict=True):
        shown = label if len(label) <= name_width else label[: name_width - 1] + "…"
        bar = _bar(row.offset, row.seconds, trace.seconds, bar_width, "░" if row.count > 1 else "█")
        yield f"{shown:<{name_width}} {bar} {duration(row.seconds):>{_TIME_WIDTH}}{_fault(row)}"


def _rows(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """(depth, span) in drawing order. Every span comes once, even where the parents of damaged data form a ring."""
    ids = {span["span_id"] for span in spans}
    parents = {span["parent_id"] for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in spans:
        children.setdefault(span["parent_id"] if span["parent_id"] in ids else None, []).append(span)
    children = {parent: _folded(own, parents) for parent, own in children.items()}
    waiting = [(0, span) for span in reversed(children.pop(None, []))]
    while waiting or children:
        if not waiting:
            waiting = [(0, span) for span in reversed(children.pop(next(iter(children))))]
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children.pop(span["span_id"], []))]


def _folded(siblings: Sequence[Span], parents: Collection[str]) -> list[Span]:
    """Siblings, with every long row of equal ones without children as one span with a `count`."""
    found: list[Span] = []
    for key, group in groupby(siblings, key=lambda span: (_label(span), span["status"], span["span_id"] in parents)):
        row = list(group)
        if len(row) < _FOLD_FROM or key[2]:
            found += row
            continue
        start, end = row[0]["start"], max(span["start"] + span["seconds"] for span in row)
        found.append({**row[0], "seconds": end - start, "count": len(row)})
    return found


def _label(span: Span) -> str:
    name = span["name"].removeprefix(names.HOOK_SPAN).removeprefix(names.STEP_SPAN)
    plugin = span["attributes"].get(names.PLUGIN)
    text = f"{name} ({plugin})" if plugin else name
    if "count" in span:
        text += f" ×{span['count']}"
    return "".join(character if character.isprintable() else "?" for character in text)


def _bar(offset: float, seconds: float, total: float, width: int, block: str) -> str:
    scale = width / total if total > 0 else 0.0
    first = min(int(offset * scale), width - 1)
    count = min(max(round(seconds * scale), 1), width - first)
    full = block * count if seconds * scale >= 0.5 else "▏"
    return (" " * first + full).ljust(width)


def _fault(row: Row) -> str:
    if row.status == "ok":
        return ""
    return f"  {'✗' if row.status == 'error' else '■'} {row.fault or row.status}"
