"""What a document says of metrics: their names, and the conditions of alerts, at the place where they stand."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ospec.models.document import Document
from ospec.stages.shape import Misfit
from ospec.stages.toml_positions import Path

_MEANT = 0.75
"""So close to a known name, an unknown one is a slip; any other one may be a gauge that a source of metrics brings."""


def metric_misfits(document: Document, path: Path = (), base: Document | None = None) -> Iterator[Misfit]:
    """Names of metrics that are slips, and conditions that cannot be read.

    Args:
        path: where the document's sections stand (an environment's part).
        base: what the document is merged over; its metrics may be named, too.
    """
    if not (document.monitoring.metrics or document.monitoring.alerts):
        return
    from ospec.conditions.metrics import KNOWN, metric_named  # late: most documents have none
    from ospec.conditions.parse import parse_condition
    from ospec.errors import DocumentError

    named = {name for one in (document, base) if one for name in declared_metrics(one)}
    gauges = sorted(name for name in named if metric_named(name) is None)
    for number, metric in enumerate(document.monitoring.metrics):
        close = difflib.get_close_matches(metric.name, KNOWN, n=1, cutoff=_MEANT)
        if close and "${" not in metric.name and metric_named(metric.name, _queried(document, base)) is None:
            place = (*path, "monitoring", "metrics", number, "name")
            yield Misfit(place, f"there is no metric {metric.name!r}", "", f"did you mean {close[0]!r}?")
    for number, alert in enumerate(document.monitoring.alerts):
        if "${" in alert.condition:  # read once it is filled in
            continue
        try:
            parse_condition(alert.condition, gauges=gauges)
        except DocumentError as error:
            place = (*path, "monitoring", "alerts", number, "condition")
            yield Misfit(place, error.message, "", "; ".join(error.hints))


def declared_metrics(document: Document) -> tuple[str, ...]:
    """Every name that the document gives a bound or a query: conditions may be about them, too."""
    named = [one.name for one in document.monitoring.metrics]
    return tuple(dict.fromkeys([*named, *(one.name for one in document.deployment.analysis.metrics)]))


def _queried(document: Document, base: Document | None) -> set[str]:
    """Names that have a query of their own, and so are metrics whatever they look like."""
    return {
        metric.name for one in (document, base) if one for metric in one.deployment.analysis.metrics if metric.query
    }
