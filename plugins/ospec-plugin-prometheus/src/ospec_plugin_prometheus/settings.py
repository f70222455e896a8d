"""`[plugins.prometheus]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import field, fields_dict, frozen
from ospec.errors import DocumentError
from ospec.models.fields import Limits, limited
from ospec.models.target import Target

NAME = "prometheus"
_URL = Limits(
    form=re.compile(r"https?://[^\s/@?#]+(/[^\s?#]*)?"),
    words="such as https://prometheus.example:9090; a name and a password go into `headers`",
)
_SECONDS = Limits(at_least=0.1, at_most=3600)


@frozen
class QuerySettings:
    """`queries.<name>`, where PromQL alone does not say enough."""

    query: str
    unit: str = limited(Limits(one_of=("s", "ms")), default="")
    """Of `request_duration`: what its buckets count in. Unsaid: ``ms`` where the metric's name says so, else ``s``."""


@frozen
class PrometheusSettings:
    """Where Prometheus is, and what it is asked."""

    url: str = limited(_URL, default="http://127.0.0.1:9090")
    """The server, with the path before ``/api/v1`` where there is one."""
    token: str = ""
    """Sent as ``Authorization: Bearer …``; a reference such as ``${PROMETHEUS_TOKEN}``."""
    headers: Mapping[str, str] = field(factory=dict)
    """Sent along, such as ``X-Scope-OrgID``; values may refer to secrets."""
    timeout_seconds: float = limited(_SECONDS, default=3.0)
    """How long the answers to one look may take."""
    interval_seconds: float = limited(_SECONDS, default=15.0)
    """How often the targets are scraped: the width of bins."""
    builtins: tuple[str, ...] = ()
    """Built-in queries to ask: ``istio``, ``nginx``, ``contour``, ``envoy``, ``linkerd``, ``cadvisor``."""
    parameters: Mapping[str, str] = field(factory=dict)
    """Your own ``{{name}}`` for queries; the values may use ospec's."""
    queries: Mapping[str, str | QuerySettings] = field(factory=dict)
    """By metric: ``requests``, ``errors``, ``request_duration``, or a gauge of any other name."""


def settings_of(target: Target) -> PrometheusSettings:
    """The settings of a target whose table has the right shape (the core has seen to that when it was opened)."""
    table = target.plugins.get(NAME, {})
    known = fields_dict(PrometheusSettings)
    given: dict[str, Any] = {name: value for name, value in table.items() if name in known}
    given["builtins"] = tuple(given.get("builtins", ()))
    given["queries"] = {
        name: QuerySettings(**one) if isinstance(one, Mapping) else QuerySettings(one)
        for name, one in given.get("queries", {}).items()
    }
    return PrometheusSettings(**given)


def wrong(where: str, message: str, *hints: str) -> DocumentError:
    """The error for a part of the document."""
    return DocumentError(message, where=where, hints=hints)
