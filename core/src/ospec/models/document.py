"""The sections of `ospec.toml` and OSpec YAML, one class each: the single strict model of a document.

Field metadata: ``aliases`` are other spellings; ``seconds`` marks a duration, which may be a number of seconds or text
such as ``"30s"``, ``"5m"``, ``"1h"``; ``rest`` marks the field that takes keys the section does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

Number = int | float
Scalar = str | int | float | bool


def seconds(default: float | None, *aliases: str) -> Any:
    """A duration in seconds."""
    return field(default=default, metadata={"seconds": True, "aliases": aliases})


def spelt(*aliases: str, default: Any = None) -> Any:
    """A field with other spellings."""
    return field(default=default, metadata={"aliases": aliases})


def rest() -> Any:
    """The field that takes every key the section does not know."""
    return field(factory=dict, metadata={"rest": True})


# -- deployment -------------------------------------------------------------------------------------------------------


@frozen
class SlotSettings:
    """`deployment.environments.<slot>`: one slot of a two-slot strategy."""

    url: str = ""
    """The slot's own URL, where a platform lets it be chosen."""
    instances: int | None = None
    """Instances of the web process in this slot."""


@frozen
class TrafficSwitching:
    """`deployment.traffic_switching`: what must hold before and after users move."""

    validation_checks: tuple[str, ...] = ()
    """Checks of the candidate before any user reaches it: ``health_check``, ``smoke_tests``, and what plugins bring."""
    rollback_threshold_seconds: float = seconds(0.0)
    """The guard window: seconds of judging after 100 %, with automatic return."""


@frozen
class ThresholdRange:
    """`deployment.analysis.metrics[].thresholdRange`: what a metric may be."""

    min: Number | None = None
    max: Number | None = None


@frozen
class AnalysisMetric:
    """`deployment.analysis.metrics[]`: one metric that a candidate is judged by."""

    name: str
    threshold_range: ThresholdRange = spelt("thresholdRange", default=ThresholdRange())
    interval: float | None = seconds(None)
    query: str = ""


@frozen
class Webhook:
    """`deployment.analysis.webhooks[]`: a URL that is asked while a candidate is judged."""

    name: str
    url: str
    type: str = ""
    timeout: float | None = seconds(None)
    metadata: Mapping[str, Scalar] = field(factory=dict)


@frozen
class Analysis:
    """`deployment.analysis`: how a candidate is judged while its weight grows."""

    interval: float | None = seconds(None)
    threshold: int | None = None
    max_weight: Number | None = spelt("maxWeight")
    step_weight: Number | None = spelt("stepWeight")
    metrics: tuple[AnalysisMetric, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    load: Mapping[str, Any] = field(factory=dict)


@frozen
class Deployment:
    """`deployment`: the strategy and its settings."""

    strategy: str = ""
    """``blue_green``, ``canary``, ``rolling``, ``recreate``, or one that a plugin brings."""
    environments: Mapping[str, SlotSettings] = field(factory=dict)
    """Slots by label (``blue``, ``green``)."""
    traffic_switching: TrafficSwitching = TrafficSwitching()
    keep_seconds: float = seconds(3600.0, "scale_down_delay")
    """How long the old release stays warm after the run ends."""
    drain_seconds: float = seconds(30.0)
    """How long open requests of a slot that loses its traffic may take before they are closed."""
    startup_seconds: float = seconds(30.0)
    """How long a new slot may take until every instance is healthy."""
    batch_size: int | str | None = None
    """Instances replaced at a time in a rolling deployment: a count, or text such as ``"25%"``."""
    max_unavailable: int | str | None = spelt("maxUnavailable")
    max_surge: int | str | None = spelt("maxSurge")
    analysis: Analysis = Analysis()
    steps: tuple[Mapping[str, Any], ...] = ()
    """Explicit steps of a canary."""


# -- guardrails, secrets, monitoring ----------------------------------------------------------------------------------


@frozen
class Guardrails:
    """`guardrails` and `guardrails.deployment`: what must hold before users are exposed."""

    tests_required: bool | None = None
    security_scan_required: bool | None = None
    security_scan: bool | str | None = None
    """``off``, ``warn``, ``error`` or ``block``."""
    min_test_coverage: float | None = None
    """A share, 0 to 1."""
    human_approval_required: bool | tuple[str, ...] | None = None
    """Whether, or in which environments, a person has to agree."""
    rollback_timeout_minutes: float | None = None
    """The longest that a return to the previous release may take."""
    health_check_retries: int | None = None
    """Bad answers in a row that make a release unhealthy."""
    deployment: Mapping[str, Any] = field(factory=dict)
    """The same keys once more, for the deployment; the stricter spelling wins."""
    others: Mapping[str, Any] = rest()
    """Guardrails that plugins bring."""


@frozen
class SecretsSection:
    """`secrets`: names and a provider, never a value."""

    provider: str = ""
    """Such as ``local://env``, ``vercel://env`` or ``aws-secrets-manager``."""
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    settings: Mapping[str, Scalar] = rest()
    """The provider's own settings, such as ``region``."""


@frozen
class HealthCheckSection:
    """`monitoring.health_checks[]`: a path that tells whether an instance can serve."""

    endpoint: str
    interval_seconds: float = seconds(1.0)
    timeout_seconds: float = seconds(5.0)


@frozen
class MetricThreshold:
    """`monitoring.metrics[]`: a bound of one metric: milliseconds for times, a fraction for rates."""

    name: str
    threshold: Number


@frozen
class Alert:
    """`monitoring.alerts[]`: whom to tell when a condition holds."""

    name: str
    condition: str
    severity: str = "warning"
    channels: tuple[str, ...] = ()


@frozen
class Monitoring:
    """`monitoring`: health, metrics and alerts."""

    health_check_url: str = ""
    health_checks: tuple[HealthCheckSection, ...] = ()
    metrics: tuple[MetricThreshold, ...] = ()
    alerts: tuple[Alert, ...] = ()
    error_tracking: str = ""
    performance_monitoring: str = ""
    apm: str = ""
    logging: str = ""
    alerting: str = ""


# -- scripts, processes, content delivery -----------------------------------------------------------------------------


@frozen
class ScriptSection:
    """`scripts.<name>` written as a table: a command with its limits."""

    run: str | tuple[str, ...]
    """A string is a shell line; a list runs without a shell."""
    timeout_seconds: float = seconds(600.0)
    rerun: str = "safe"
    """``safe`` or ``ask``: what resume does when the script was cut."""


@frozen
class ProcessSection:
    """`processes.<name>`: a further long-running part of the release."""

    start: str | tuple[str, ...]
    instances: int = 1
    port: bool = True
    """False for a worker, which gets no PORT and no traffic."""


@frozen
class Minify:
    """`cdn.settings.minify`."""

    html: bool = False
    css: bool = False
    js: bool = False


@frozen
class CdnRule:
    """`cdn.settings.rules[]`: seconds that paths of a pattern are cached."""

    pattern: str
    cache_ttl: float = seconds(0.0)


@frozen
class CdnSettings:
    """`cdn.settings`."""

    cache_level: str = ""
    browser_ttl: float | None = seconds(None)
    edge_ttl: float | None = seconds(None)
    minify: Minify = Minify()
    compression: str = ""
    rules: tuple[CdnRule, ...] = ()


@frozen
class Cdn:
    """`cdn`: the content delivery network in front."""

    provider: str = ""
    settings: CdnSettings = CdnSettings()


@frozen
class State:
    """`state`: where journals, releases and locks are kept."""

    store: str = ""
    """``sqlite`` (the default), or a store that a plugin brings."""
    settings: Mapping[str, Scalar] = rest()


@frozen
class Plugins:
    """`plugins`: which plugins may be loaded, and a table of settings for each."""

    enabled: tuple[str, ...] | None = None
    """The allow-list; what is not on it is never imported."""
    settings: Mapping[str, Any] = rest()
    """`[plugins.<name>]`."""


@frozen
class HttpEndpointSection:
    """`acceptance.http_endpoints[]`: a smoke request."""

    path: str
    method: str = "GET"
    status: int = 200
    contains: str = ""


@frozen
class Acceptance:
    """`acceptance`: what has to be true of the application."""

    http_endpoints: tuple[HttpEndpointSection, ...] = ()
    others: Mapping[str, Any] = rest()


@frozen
class Document:
    """One document. Every section may be missing: a document may be a fragment."""

    ospec_version: str | float | None = None
    id: str = ""
    """The service: a DNS label. Default: the folder's name."""
    name: str = ""
    """For people. Default: the folder's name."""
    description: str = ""
    outcome_type: str = ""
    acceptance: Acceptance = Acceptance()
    technology_stack: Any = None
    tasks: Any = None
    metadata: Any = None
    agents: Any = None
    stack: Mapping[str, str] = field(factory=dict)
    """What it is made of; ``stack.deploy`` names the platform."""
    scripts: Mapping[str, str | tuple[str, ...] | ScriptSection] = field(factory=dict)
    """Commands by name: ``start``, ``build``, ``test``, ``package``, ``smoke_test``, ``migrate``, and your own."""
    processes: Mapping[str, ProcessSection] = field(factory=dict)
    variables: Mapping[str, Scalar] = field(factory=dict)
    """Environment variables of every process and script."""
    include: tuple[str, ...] = ()
    """Files, folders and patterns that belong to a release though git does not track them."""
    guardrails: Guardrails = Guardrails()
    secrets: SecretsSection = SecretsSection()
    monitoring: Monitoring = Monitoring()
    deployment: Deployment = Deployment()
    keep_releases: int = 5
    """How many releases stay, to go back to."""
    environments: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    """What differs by environment; each is merged deeply over the rest, lists replace."""
    state: State = State()
    cdn: Cdn = Cdn()
    plugins: Plugins = Plugins()
    others: Mapping[str, Any] = rest()
    """Top-level keys that ospec does not know: kept, with a warning."""
