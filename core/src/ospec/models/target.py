"""One service in one environment, resolved: what every hook and strategy reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from ospec.models.document import Deployment

Command = str | tuple[str, ...]
"""A string is a shell line (``/bin/sh -c``); a list runs without a shell."""


@frozen
class Script:
    """A command of the life cycle, run in the snapshot folder."""

    name: str
    command: Command
    timeout_seconds: float = 600.0
    rerun: Literal["safe", "ask"] = "safe"
    """What resume does when it was cut: run it again, or ask."""


@frozen
class Process:
    """A long-running part of a release. `web` is what `scripts.start` runs."""

    name: str
    command: Command
    instances: int = 1
    port: bool = True
    """False for a worker, which gets no PORT and no traffic."""


@frozen
class HealthCheck:
    """One HTTP check of an instance: any 2xx or 3xx within the time-out is healthy."""

    endpoint: str
    interval_seconds: float = 1.0
    timeout_seconds: float = 5.0


@frozen
class HttpEndpoint:
    """A smoke request: `path` asked with `method` must answer `status`, with `contains` in its body where given."""

    path: str
    method: str = "GET"
    status: int = 200
    contains: str = ""


@frozen
class Secrets:
    """Names and a provider; never a value."""

    provider: str = ""
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(factory=dict)


@frozen
class Protection:
    """A key of the document that protects, and the packages that enforce it."""

    key: str
    value: Any
    package: str
    """What to install where nothing loaded enforces `key`."""
    where: str = ""


@frozen
class Target:
    """One service in one environment: base document ⊕ environment ⊕ flags, with every default filled in."""

    service: str
    name: str
    environment: str
    platform: str
    """The platform's canonical name, such as ``local``."""
    strategy: str
    """The strategy's canonical name, such as ``blue-green``."""
    stack: Mapping[str, str] = field(factory=dict)
    scripts: Mapping[str, Script] = field(factory=dict)
    processes: Mapping[str, Process] = field(factory=dict)
    variables: Mapping[str, str] = field(factory=dict)
    """Environment of every process and script. ``${NAME}`` of secrets and of the deployer's environment stay references
    until a program is started, ``$$`` is one dollar sign: `ctx.secrets.resolve` gives the value."""
    secrets: Secrets = Secrets()
    health_checks: tuple[HealthCheck, ...] = ()
    health_check_url: str = ""
    """With references, as `variables`."""
    health_check_retries: int | None = None
    """Bad answers in a row that make a slot unhealthy. None: 3, and while it starts only `startup_seconds` counts."""
    startup_seconds: float = 60.0
    """How long a new slot may take until its first healthy answer."""
    rollback_timeout_seconds: float = 300.0
    http_endpoints: tuple[HttpEndpoint, ...] = ()
    deployment: Deployment = Deployment()
    """Strategy settings, as the document's deployment section has them."""
    keep_releases: int = 5
    include: tuple[str, ...] = ()
    plugins: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    """`[plugins.<name>]` tables, by plugin name."""
    protections: tuple[Protection, ...] = ()
    extra: Mapping[str, Any] = field(factory=dict)
    """Sections that only plugins read: cdn, monitoring, guardrails…, resolved."""
