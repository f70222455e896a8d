"""A webhook as a channel: what it registers, and one try to tell."""

from __future__ import annotations

import time
from collections.abc import Iterable

from attrs import frozen
from ospec.hookspecs import hookimpl
from ospec.models.context import SecretResolver
from ospec.models.notice import Notice, secret
from ospec.models.registration import Notifier


@frozen
class WebhookSettings:
    """`[plugins.webhook]`."""

    url: str = secret()
    """Where notices are posted, as a reference: such URLs hold tokens as often as not."""
    secret: str = secret()
    """What they are signed with, as a reference; sender and receiver know it, and nobody else."""


@hookimpl
def register_notifiers() -> Iterable[Notifier]:
    """Name the channel."""
    return [Notifier("webhook", tell, WebhookSettings, seconds_between=0.2)]


def tell(notice: Notice, settings: WebhookSettings, secrets: SecretResolver) -> None:
    """Post the notice once, signed for this try."""
    from ospec.posting import post

    from ospec_plugin_webhook.signed import SIGNATURE, body_of, signature

    body = body_of(notice)
    headers = {
        "Content-Type": "application/json",
        SIGNATURE: signature(secrets.resolve(settings.secret), int(time.time()), body),
    }
    post(secrets.resolve(settings.url), body, headers)
