"""What a judge is given and what it answers. A judge is pure: no I/O, no clock, no randomness.

Called once an interval, each time with the bins that are new and with the state that its last verdict gave back, so a
journal that holds the inputs gives every verdict again. The state is JSON and does not grow with the number of bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from ospec.models.live import Measurement

VerdictOutcome = Literal["not-enough-data", "no-regression", "pass", "regress"]
"""``not-enough-data``: hold. ``no-regression``: nothing bad was found so far. ``pass``: shown to be no worse than the
margins allow. ``regress``: worse; go back."""
Phase = Literal["canary", "guard"]
"""``guard``: the candidate has all traffic, so there is no concurrent stable release to compare it with."""


@frozen(kw_only=True)
class JudgedMetric:
    """One metric that a release is judged by. What is None is the judge's own default."""

    name: str
    """``error_rate``, ``request_duration``; of a gauge, what its measurements are called, such as ``cpu_usage``. Each
    metric has a name of its own."""
    kind: Literal["errors", "latency", "gauge"]
    """What it is made of: `requests` and `errors`; the buckets of `request_duration_ms`; plain values."""
    worse: Literal["higher", "lower"] = "higher"
    """The direction in which a gauge is worse."""
    effect: float | None = None
    """The smallest effect that matters: of errors, a fraction of all requests; of times and gauges, a fraction of what
    the stable release has."""
    margin: float | None = None
    """How much worse a release may be and still pass, as a difference of fractions."""
    weight: float = 1.0
    """Its share of the evidence, beside those of the other metrics."""
    bound: float | None = None
    """What must hold whatever the stable release does: a fraction of errors, milliseconds, or a gauge's value."""
    quantile: float = 0.99
    """Which quantile of latency `bound` is about, 0 to 1."""
    needed: bool = True
    """Whether *pass* waits for it."""


@frozen(kw_only=True)
class JudgeInput:
    """One look at a rollout."""

    candidate: str
    """Name of the release that is judged."""
    stable: str = ""
    """Name of the release that serves beside it; empty where none does."""
    bins: tuple[Measurement, ...] = ()
    """Measurements of both since the last look; repeated, late and foreign ones do no harm."""
    metrics: tuple[JudgedMetric, ...] = ()
    phase: Phase = "canary"
    settings: Any = None
    """An instance of the judge's settings class."""
    state: Mapping[str, Any] = field(factory=dict)
    """What the verdict before gave back; empty at the first look."""


@frozen(kw_only=True)
class Finding:
    """What a verdict says of one metric."""

    metric: str
    outcome: VerdictOutcome
    sentence: str
    """For a person: what was seen of both releases, and what it means."""
    numbers: Mapping[str, float] = field(factory=dict)
    """What was computed and what it was held against, by name; the judge's own page says what each means."""


@frozen(kw_only=True)
class Verdict:
    """What a judge thinks of a release at one look."""

    outcome: VerdictOutcome
    sentence: str
    """For a person: the outcome and its reason."""
    findings: tuple[Finding, ...] = ()
    """One for each metric."""
    numbers: Mapping[str, float] = field(factory=dict)
    """The evidence of all metrics together and its bound."""
    state: Mapping[str, Any] = field(factory=dict)
    """JSON for the next look."""
