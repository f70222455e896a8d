"""The sections of `ospec.toml` and OSpec YAML, one class each: the single strict model of a document.

What the fields' metadata means is said in `ospec.models.fields`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ospec.models.fields import (
    BELOW,
    COUNT_OR_SHARE,
    DNS_LABEL,
    METHOD,
    MORE_THAN_NONE,
    NOT_BLANK,
    ONE_OR_MORE,
    PATH,
    PERCENT,
    PROCESS_NAME,
    SCAN_LEVELS,
    VARIABLE_NAME,
    Limits,
    Number,
    Scalar,
    each,
    limited,
    named,
    rest,
    seconds,
    spelt,
)
from ospec.models.notice import SEVERITIES

# -- deployment -------------------------------------------------------------------------------------------------------


@frozen
class SlotSettings:
    """`deployment.environments.<slot>`: one slot of a two-slot strategy."""

    url: str = ""
    """The slot's own URL, where a platform lets it be chosen."""
    instances: int | None = limited(ONE_OR_MORE, default=None)
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
    """The least that is good."""
    max: Number | None = None
    """The most that is good."""


@frozen
class AnalysisMetric:
    """`deployment.analysis.metrics[]`: one metric that a candidate is judged by."""

    name: str
    """Such as ``request-success-rate`` (per cent) or ``request-duration`` (milliseconds)."""
    threshold_range: ThresholdRange = spelt("thresholdRange", default=ThresholdRange())
    interval: float | None = seconds(None)
    """How far back one judgement looks."""
    query: str = ""
    """Asked of the monitoring plugin, where the metric is its own."""


@frozen
class Webhook:
    """`deployment.analysis.webhooks[]`: a URL that is asked while a candidate is judged."""

    name: str
    url: str
    type: str = limited(Limits(one_of=("pre-rollout", "rollout", "post-rollout")), default="rollout")
    """When: once before the canary gets traffic, each interval while it is judged, or once it has all of it."""
    timeout: float | None = seconds(None)
    metadata: Mapping[str, Scalar] = field(factory=dict)
    """Sent along."""


@frozen
class LoadRequest:
    """`deployment.analysis.load.requests[]`: one kind of request that stands in for users."""

    path: str = limited(PATH)
    method: str = limited(METHOD, default="GET")
    headers: Mapping[str, str] = field(factory=dict)
    body: str = ""


@frozen
class AnalysisLoad:
    """`deployment.analysis.load`: requests of ospec's own to both releases while they are judged."""

    requests_per_second: float = spelt("rps", default=0.0, limits=Limits(at_least=0, at_most=1000))
    """To each of the two releases; 0 sends none."""
    requests: tuple[LoadRequest, ...] = ()
    """Asked in turn; unsaid: the path of the first health check."""


@frozen
class Analysis:
    """`deployment.analysis`: how a candidate is judged while its weight grows."""

    interval: float | None = seconds(None)
    """Between two judgements."""
    threshold: int | None = limited(ONE_OR_MORE, default=None)
    """Bad judgements that end the rollout."""
    max_weight: Number | None = spelt("maxWeight", default=None, limits=PERCENT)
    """The last weight before promotion, in per cent."""
    step_weight: Number | None = spelt("stepWeight", default=None, limits=PERCENT)
    """What each good judgement adds, in per cent."""
    metrics: tuple[AnalysisMetric, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    load: AnalysisLoad = AnalysisLoad()
    judge: str = ""
    """The judge that compares the candidate with the release that serves; unsaid: the best that is installed."""
    limit_seconds: float = seconds(1800.0, limits=MORE_THAN_NONE)
    """How long one weight may wait for enough evidence…"""
    on_limit: str = limited(Limits(one_of=("abort", "promote")), default="abort")
    """…and what happens when it does not come: ``abort`` returns, ``promote`` goes on."""


@frozen
class CanaryStep:
    """`deployment.steps[]`: one step of a canary. What a step does not say stays as it is."""

    weight: Number | None = spelt("setWeight", "set_weight", default=None, limits=PERCENT)
    """Per cent of the requests that the candidate gets."""
    hold_seconds: float | None = seconds(None)
    """How long it is judged at least; without it, `analysis.interval`."""
    pause: bool = False
    """Whether it waits for ``ospec promote``, judged all the while."""
    analysis: bool = True
    """Whether the judge has to find no regression before the next step; a regression returns in any case."""
    approval: bool = False
    """Whether a person has to agree before the next step."""
    match_headers: Mapping[str, str] | None = None
    """From this step on: requests with one of these headers go to the candidate whatever its weight."""


@frozen
class MaintenanceSettings:
    """`deployment.maintenance`: what is answered while nobody serves, with status 503."""

    retry_after_seconds: int = limited(ONE_OR_MORE, default=30)
    """``Retry-After`` of the answers."""
    page: str = ""
    """A file of the release (HTML, text or JSON) that is the answer's body."""


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
    startup_seconds: float = seconds(
        60.0, "progress_deadline_seconds", "progressDeadlineSeconds", limits=MORE_THAN_NONE
    )
    """How long a new slot may take until every instance is healthy."""
    instances: int | None = spelt("replicas", default=None, limits=ONE_OR_MORE)
    """Instances of the web process where the strategy has no slots, or a slot does not say."""
    batch_size: int | str | None = limited(COUNT_OR_SHARE, default=None)
    """Instances replaced at a time in a rolling deployment: a count, or text such as ``"25%"``."""
    max_unavailable: int | str | None = spelt("maxUnavailable", default=None, limits=COUNT_OR_SHARE)
    """Instances that may be missing while a rolling deployment goes on: a count or a share."""
    max_surge: int | str | None = spelt("maxSurge", default=None, limits=COUNT_OR_SHARE)
    """Instances that may run beyond the wanted number: a count or a share."""
    grace_seconds: float = seconds(0.0, "min_ready_seconds", "minReadySeconds")
    """How long each batch of a rolling deployment is watched before the next."""
    maintenance: bool | MaintenanceSettings = True
    """What a recreate deployment answers while nobody serves; ``false``: whatever the platform answers then."""
    match_headers: Mapping[str, str] | None = None
    """Requests with one of these headers go to a canary whatever its weight; unsaid: ``canary = "true"``."""
    sticky: bool = False
    """Whether a user who reached a canary stays on it, known by a cookie."""
    analysis: Analysis = Analysis()
    steps: tuple[CanaryStep, ...] = ()
    """The steps of a canary one by one, instead of ``analysis.step_weight``."""


# -- guardrails, secrets, monitoring ----------------------------------------------------------------------------------


@frozen
class DeploymentGuardrails:
    """`guardrails` and `guardrails.deployment`: what must hold before users are exposed."""

    tests_required: bool | None = None
    """Whether `scripts.test` must have passed."""
    security_scan_required: bool | None = None
    """Whether a security scan must have passed."""
    security_scan: bool | str | None = limited(SCAN_LEVELS, default=None)
    """What a finding of the scan does: ``off``, ``warn``, ``error`` or ``block``."""
    min_test_coverage: float | None = limited(Limits(at_least=0, at_most=1, hint="80 % is 0.8"), default=None)
    """The least share of the code that tests must reach, 0 to 1."""
    human_approval_required: bool | tuple[str, ...] | None = None
    """Whether, or in which environments, a person has to agree; a name that no environment has counts in all."""
    rollback_timeout_minutes: float | None = limited(MORE_THAN_NONE, default=None)
    """The longest that a return to the previous release may take; 5 where nothing is said."""
    health_check_retries: int | None = limited(ONE_OR_MORE, default=None)
    """Bad answers in a row that make a release unhealthy."""
    others: Mapping[str, Any] = rest()
    """Guardrails that plugins bring."""


@frozen
class Guardrails(DeploymentGuardrails):
    """`guardrails`: the same keys as its table `deployment` has; the stricter of two spellings wins."""

    deployment: DeploymentGuardrails = DeploymentGuardrails()
    """The keys once more, as OSpec documents group them."""


@frozen
class SecretsSection:
    """`secrets`: names and a provider, never a value."""

    provider: str = ""
    """Such as ``local://env``, ``vercel://env`` or ``aws-secrets-manager``."""
    required: tuple[str, ...] = ()
    """Names without which no run starts."""
    optional: tuple[str, ...] = ()
    """Names that are used where the provider has them."""
    settings: Mapping[str, Scalar] = rest()
    """The provider's own settings, such as ``region``."""


@frozen
class HealthCheckSection:
    """`monitoring.health_checks[]`: a path that tells whether an instance can serve."""

    endpoint: str = limited(PATH)
    interval_seconds: float = seconds(1.0, limits=MORE_THAN_NONE)
    """From one question to the next."""
    timeout_seconds: float = seconds(5.0, limits=MORE_THAN_NONE)
    """How long an answer may take."""


@frozen
class MetricThreshold:
    """`monitoring.metrics[]`: a bound of one metric: milliseconds for times, a fraction for rates."""

    name: str
    """Such as ``error_rate`` or ``response_time_p95``."""
    threshold: Number
    """The most that is good."""


@frozen
class Alert:
    """`monitoring.alerts[]`: whom to tell when a condition holds."""

    name: str
    condition: str
    """Such as ``error_rate > 0.05``."""
    severity: str = "warning"
    """``info``, ``warning``, ``error`` or ``critical``."""
    channels: tuple[str, ...] = ()
    """Whom to tell, such as ``slack``; unsaid: as `monitoring.notices` says."""


@frozen
class Notices:
    """`monitoring.notices`: who is told how runs go."""

    channels: tuple[str, ...] | None = None
    """Whom to tell, such as ``slack``; unsaid: every notifier that is loaded."""
    severity: str = limited(Limits(one_of=SEVERITIES), default="info")
    """The least that is told. What ends a trouble is always told."""


@frozen
class Monitoring:
    """`monitoring`: health, metrics and alerts."""

    health_check_url: str = ""
    """One more check; below ``${APP_URL}`` it is asked of each instance, too."""
    health_checks: tuple[HealthCheckSection, ...] = ()
    metrics: tuple[MetricThreshold, ...] = ()
    alerts: tuple[Alert, ...] = ()
    notices: Notices = Notices()
    error_tracking: str = ""
    performance_monitoring: str = ""
    apm: str = ""
    logging: str = ""
    alerting: str = ""


# -- scripts, processes, content delivery -----------------------------------------------------------------------------


@frozen
class ScriptSection:
    """`scripts.<name>`: a command with its limits, where a command alone does not say enough."""

    run: str | tuple[str, ...] = spelt("command", limits=NOT_BLANK)
    """A string is a shell line; a list runs without a shell."""
    timeout_seconds: float = seconds(600.0, limits=MORE_THAN_NONE)
    """After which its whole process group is ended."""
    rerun: str | None = limited(Limits(one_of=("safe", "ask")), default=None)
    """What resume does when the script was cut: ``safe`` runs it again, ``ask`` asks first (``migrate``, unsaid)."""


@frozen
class ProcessSection:
    """`processes.<name>`: a further long-running part of the release."""

    start: str | tuple[str, ...] = spelt("command", "run", limits=NOT_BLANK)
    """A string is a shell line; a list runs without a shell."""
    instances: int = limited(ONE_OR_MORE, default=1)
    port: bool = True
    """False for a worker, which gets no PORT and no traffic."""


@frozen
class Minify:
    """`cdn.settings.minify`: kinds of files that are made smaller."""

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
    """`cdn.settings`: how files are kept near users."""

    cache_level: str = ""
    """Such as ``aggressive``."""
    browser_ttl: float | None = seconds(None)
    """Seconds that browsers keep files."""
    edge_ttl: float | None = seconds(None)
    """Seconds that the network keeps files."""
    minify: Minify = Minify()
    compression: str = ""
    """Such as ``gzip``."""
    rules: tuple[CdnRule, ...] = ()


@frozen
class Cdn:
    """`cdn`: the content delivery network in front."""

    provider: str = ""
    """Such as ``Cloudflare``."""
    settings: CdnSettings = CdnSettings()


@frozen
class State:
    """`state`: where journals, releases and locks are kept."""

    store: str = ""
    """``sqlite`` (the default), or a store that a plugin brings."""
    settings: Mapping[str, Scalar] = rest()
    """The store's own settings."""


@frozen
class Plugins:
    """`plugins`: which plugins may be loaded, and a table of settings for each."""

    enabled: tuple[str, ...] | None = None
    """The allow-list; what is not on it is never imported."""
    settings: Mapping[str, Mapping[str, Any]] = rest()
    """`[plugins.<name>]`."""


@frozen
class HttpEndpointSection:
    """`acceptance.http_endpoints[]`: a smoke request."""

    path: str = limited(PATH)
    method: str = limited(METHOD, default="GET")
    status: int = limited(Limits(at_least=100, at_most=599), default=200)
    contains: str = ""
    """Text that the body must have."""


@frozen
class Acceptance:
    """`acceptance`: what has to be true of the application."""

    http_endpoints: tuple[HttpEndpointSection, ...] = ()
    others: Mapping[str, Any] = rest()
    """What OSpec documents say besides; it is kept."""


@frozen
class Document:
    """One document. Every section may be missing: a document may be a fragment."""

    ospec_version: str | float | None = None
    """The version of OSpec that the document keeps to."""
    id: str = limited(DNS_LABEL, default="")
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
    scripts: Mapping[str, str | tuple[str, ...] | ScriptSection] = field(factory=dict, metadata={"limits": NOT_BLANK})
    """Commands by name: ``start``, ``build``, ``test``, ``package``, ``smoke_test``, ``migrate``, and your own."""
    processes: Mapping[str, ProcessSection] = named(PROCESS_NAME)
    """Further long-running parts of the release; `scripts.start` is the one called ``web``."""
    variables: Mapping[str, Scalar] = named(VARIABLE_NAME)
    """Environment variables of every process and script."""
    include: tuple[str, ...] = each(BELOW)
    """Files, folders and patterns that belong to a release though git does not track them."""
    guardrails: Guardrails = Guardrails()
    secrets: SecretsSection = SecretsSection()
    monitoring: Monitoring = Monitoring()
    deployment: Deployment = Deployment()
    keep_releases: int = limited(ONE_OR_MORE, default=5)
    """How many releases stay, to go back to."""
    environments: Mapping[str, Mapping[str, Any]] = named(DNS_LABEL)
    """What differs by environment; each is merged deeply over the rest, lists replace."""
    state: State = State()
    cdn: Cdn = Cdn()
    plugins: Plugins = Plugins()
    others: Mapping[str, Any] = rest()
    """Top-level keys that ospec does not know: kept, with a warning."""
