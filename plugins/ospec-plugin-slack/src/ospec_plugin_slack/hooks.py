"""Slack as a channel: what it registers, and one try to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from attrs import frozen
from ospec.hookspecs import hookimpl
from ospec.models.context import SecretResolver
from ospec.models.notice import Notice, secret
from ospec.models.registration import Notifier

_REASON = re.compile(rb"[a-z_]{1,60}")
"""Slack says why in one word, such as ``no_service``; anything else may be anything."""


@frozen
class SlackSettings:
    """`[plugins.slack]`."""

    url: str = secret()
    """The incoming webhook's URL, as a reference. Who knows it may write into the channel."""


@hookimpl
def register_notifiers() -> Iterable[Notifier]:
    """Name the channel. Slack takes one message a second, and a few more at once."""
    return [Notifier("slack", tell, SlackSettings, seconds_between=1.0)]


def tell(notice: Notice, settings: SlackSettings, secrets: SecretResolver) -> None:
    """Post the notice once."""
    from ospec.posting import post

    from ospec_plugin_slack.message import message

    body = json.dumps(message(notice)).encode()
    post(secrets.resolve(settings.url), body, {"Content-Type": "application/json"}, explain=_reason)


def _reason(body: bytes) -> str:
    return body.decode() if _REASON.fullmatch(body) else ""
