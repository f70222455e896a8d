"""The webhook: its schema, and signatures that a receiver can check with its own few lines."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.errors import FatalError, RetryableError
from ospec.models.notice import Notice
from ospec.testing.receiver import Answer, Receiver
from ospec_plugin_webhook.hooks import WebhookSettings, register_notifiers, tell
from ospec_plugin_webhook.signed import body_of

SETTINGS = WebhookSettings("${HOOK}/ospec", "${SIGNING}")


def notice(**more: Any) -> Notice:
    given: dict[str, Any] = {
        "kind": "restored",
        "severity": "warning",
        "state": "over",
        "title": "shop in production: v2 was sent back, v1 serves",
        "text": "23 of 760 requests failed",
        "commands": ("ospec show 20260131-235959-7f3a21 --explain",),
        "service": "shop",
        "environment": "production",
        "release": "v2",
        "run": "20260131-235959-7f3a21",
        "address": "http://127.0.0.1:8080",
        "fields": {"action": "deploy"},
        "id": "20260131-235959-7f3a21/restored",
        "key": "shop/production/rollout",
        "at": 1769903999.25,
    }
    return Notice(**{**given, **more})


class Vault:
    """Resolves what a document refers to."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def resolve(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    def names(self, text: str) -> tuple[str, ...]:
        return ()

    def redact(self, text: str) -> str:
        return text


def signed_with(secret: str, header: str, body: bytes, now: float) -> bool:
    """What a receiver does, as the documentation says it."""
    parts = dict(part.split("=", 1) for part in header.split(","))
    wanted = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return abs(now - int(parts["t"])) <= 300 and hmac.compare_digest(wanted, parts["v1"])


def test_it_registers_its_channel() -> None:
    [one] = register_notifiers()
    assert (one.name, one.settings) == ("webhook", WebhookSettings)


def test_the_body_is_signed_and_has_the_schema() -> None:
    with Receiver(Answer(204, body=b"")) as receiver:
        tell(notice(count=2), SETTINGS, Vault(HOOK=receiver.url, SIGNING="s3cret"))
    [request] = receiver.received
    assert request.path == "/ospec"
    header = request.headers["x-ospec-signature"]
    assert signed_with("s3cret", header, request.body, time.time())
    assert not signed_with("other", header, request.body, time.time())
    assert not signed_with("s3cret", header, request.body + b" ", time.time())
    assert not signed_with("s3cret", header, request.body, time.time() + 3600)
    assert request.json() == {
        "schema": "ospec.notice/1",
        "kind": "restored",
        "severity": "warning",
        "state": "over",
        "title": "shop in production: v2 was sent back, v1 serves",
        "text": "23 of 760 requests failed",
        "commands": ["ospec show 20260131-235959-7f3a21 --explain"],
        "service": "shop",
        "environment": "production",
        "release": "v2",
        "run": "20260131-235959-7f3a21",
        "address": "http://127.0.0.1:8080",
        "fields": {"action": "deploy"},
        "id": "20260131-235959-7f3a21/restored",
        "key": "shop/production/rollout",
        "at": 1769903999.25,
        "count": 2,
    }


@given(st.text())
def test_any_text_survives(text: str) -> None:
    assert json.loads(body_of(notice(text=text)))["text"] == text


def test_half_a_character_and_control_characters_are_sent_as_escapes() -> None:
    body = body_of(notice(text="\ud83d\x00\x1b"))
    body.decode("ascii")
    assert json.loads(body)["text"] == "\ud83d\x00\x1b"


@pytest.mark.parametrize(("status", "kind"), [(429, RetryableError), (500, RetryableError), (401, FatalError)])
def test_what_receivers_answer(status: int, kind: type[Exception]) -> None:
    with Receiver(Answer(status, body=b"canary-path s3cret")) as receiver, pytest.raises(kind) as caught:
        tell(notice(), SETTINGS, Vault(HOOK=f"{receiver.url}/canary-path", SIGNING="s3cret"))
    assert getattr(caught.value, "message", "") == f"the receiver answered {status}"
