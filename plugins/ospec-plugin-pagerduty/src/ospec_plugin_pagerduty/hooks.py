"""PagerDuty as a channel: what it registers, and one try to tell."""

from __future__ import annotations

import json
from collections.abc import Iterable

from attrs import frozen
from ospec.hookspecs import hookimpl
from ospec.models.context import SecretResolver
from ospec.models.notice import Notice, secret
from ospec.models.registration import Notifier

URL = "https://events.pagerduty.com/v2/enqueue"


@frozen
class PagerDutySettings:
    """`[plugins.pagerduty]`."""

    routing_key: str = secret()
    """The integration key of a service or an orchestration (Events API v2), as a reference."""
    url: str = URL
    """Where events go; accounts in Europe: ``https://events.eu.pagerduty.com/v2/enqueue``."""
    triggers: tuple[str, ...] = ()
    """Kinds of notices that open an incident, too, besides those that need a person: ``restored``, ``failed``,
    ``held``, ``approval``."""


@hookimpl
def register_notifiers() -> Iterable[Notifier]:
    """Name the channel."""
    return [Notifier("pagerduty", tell, PagerDutySettings, seconds_between=1.0)]


def tell(notice: Notice, settings: PagerDutySettings, secrets: SecretResolver) -> None:
    """Send the event that the notice is, where it is one."""
    from ospec_plugin_pagerduty.event import event

    made = event(notice, settings.triggers)
    if made is None:
        return
    from ospec.posting import post

    body = json.dumps({"routing_key": secrets.resolve(settings.routing_key), **made}).encode()
    post(settings.url, body, {"Content-Type": "application/json"}, explain=_reason)


def _reason(body: bytes) -> str:
    """PagerDuty's own words for what it did not take."""
    try:
        read = json.loads(body)
        told = [read.get("message", ""), *read.get("errors", ())]
    except (ValueError, AttributeError, TypeError):
        return ""
    return "; ".join(str(one)[:200] for one in told[:4] if one)
