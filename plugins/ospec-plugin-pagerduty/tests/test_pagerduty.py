"""PagerDuty: which notices are which events, within the documented limits.

PagerDuty has no server to test against: these tests hold the requests to its documentation (Events API v2: routing key,
action, dedup key of at most 255 characters, summary of at most 1,024, the four severities, at most 512 KB) and do not
judge what PagerDuty makes of them.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.errors import FatalError, RetryableError
from ospec.models.notice import SEVERITIES, Notice
from ospec.testing.receiver import Answer, Receiver
from ospec_plugin_pagerduty.event import MOST_BYTES, dedup_key, event
from ospec_plugin_pagerduty.hooks import URL, PagerDutySettings, register_notifiers, tell

KEY = "0123456789abcdef0123456789abcdef"


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


def sent(one: Notice, *answers: Answer, **settings: Any) -> Any:
    with Receiver(*(answers or (Answer(202),))) as receiver:
        given = PagerDutySettings("${KEY}", f"{receiver.url}/v2/enqueue", **settings)
        tell(one, given, Vault(KEY=KEY))
    return receiver.received[0].json() if receiver.received else None


def test_it_registers_its_channel() -> None:
    [one] = register_notifiers()
    assert (one.name, one.settings) == ("pagerduty", PagerDutySettings)
    assert PagerDutySettings("${KEY}").url == URL == "https://events.pagerduty.com/v2/enqueue"


def test_a_run_that_needs_a_person_triggers() -> None:
    body = sent(notice(kind="frozen", severity="critical", state="raised"))
    assert body == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "shop/production/rollout",
        "client": "ospec",
        "payload": {
            "summary": "shop in production: v2 was sent back, v1 serves",
            "source": "shop in production",
            "severity": "critical",
            "timestamp": "2026-01-31T23:59:59.250+00:00",
            "component": "shop",
            "group": "production",
            "class": "frozen",
            "custom_details": {
                "reason": "23 of 760 requests failed",
                "type": "ospec show 20260131-235959-7f3a21 --explain",
                "release": "v2",
                "run": "20260131-235959-7f3a21",
                "action": "deploy",
            },
        },
        "links": [{"href": "http://127.0.0.1:8080", "text": "where it answers"}],
    }
    assert datetime.fromisoformat(body["payload"]["timestamp"]).tzinfo == timezone.utc


@pytest.mark.parametrize(("state", "action"), [("taken", "acknowledge"), ("over", "resolve")])
def test_somebody_works_on_it_and_it_is_over(state: str, action: str) -> None:
    key = "shop/production/alert/Many errors"
    assert sent(notice(state=state, key=key)) == {"routing_key": KEY, "event_action": action, "dedup_key": key}


def test_news_wake_nobody_unless_the_settings_say_so() -> None:
    assert sent(notice(kind="failed", state="news")) is None
    assert sent(notice(kind="failed", state="news"), triggers=("failed",))["event_action"] == "trigger"
    assert sent(notice(kind="restored", state="over"), triggers=("restored",))["event_action"] == "trigger"


@pytest.mark.parametrize("severity", SEVERITIES)
def test_severities_are_pagerdutys_own(severity: Any) -> None:
    assert (event(notice(state="raised", severity=severity)) or {})["payload"]["severity"] == severity


@pytest.mark.parametrize("sign", ["x", "\u00e9", "🚨", '"', "\x00"])
def test_it_keeps_to_the_limits(sign: str) -> None:
    long = "t" + sign * 300_000
    made = event(
        notice(
            state="raised",
            title=long,
            text=long,
            release=long,
            key=long,
            address=f"http://{long}",
            commands=(long,) * 9,
            fields={f"{number}{long}": long for number in range(500)},
            count=3,
        )
    )
    assert made is not None
    assert len(made["payload"]["summary"]) <= 1024
    assert len(made["dedup_key"]) <= 255
    assert len(json.dumps(made)) <= MOST_BYTES <= 512 * 1024
    assert "\x00" not in json.dumps(made, ensure_ascii=False)


@given(st.text(max_size=400), st.text(max_size=400))
def test_dedup_keys_fit_and_stay_apart(one: str, other: str) -> None:
    assert len(dedup_key(one)) <= 255
    assert (dedup_key(one) == dedup_key(other)) == (one == other)


def test_an_address_that_is_no_url_is_no_link() -> None:
    assert (event(notice(state="raised", address="javascript:alert(1)")) or {})["links"] == []


REASON = "Event object is invalid; no routing_key"
REFUSED = json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": ["no routing_key"]})


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Answer(429, {"Retry-After": "5"}), RetryableError, "the receiver answered 429"),
        (Answer(503), RetryableError, "the receiver answered 503"),
        (Answer(400, body=REFUSED.encode()), FatalError, f"the receiver answered 400: {REASON}"),
        (Answer(400, body=b"[1]"), FatalError, "the receiver answered 400"),
        (Answer(400, body=b'{"errors": 5}'), FatalError, "the receiver answered 400"),
    ],
)  # fmt: skip
def test_what_pagerduty_answers(answer: Answer, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        sent(notice(state="raised"), answer)
    assert getattr(caught.value, "message", "") == message
    assert KEY not in str(caught.value)
