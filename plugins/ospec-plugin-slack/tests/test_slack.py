"""Slack: what is sent, within its documented limits, with nothing in it that Slack would act upon.

Slack has no server to test against: these tests hold the requests to its documentation (a POST of JSON with `text` of
at most 40,000 characters and `blocks` whose texts have at most 3,000, escapes of &, < and >) and do not judge how Slack
shows them, nor whether it takes them.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec.errors import FatalError, RetryableError
from ospec.models.notice import Notice
from ospec.testing.receiver import Answer, Receiver
from ospec_plugin_slack.hooks import SlackSettings, register_notifiers, tell
from ospec_plugin_slack.message import escaped, message

SETTINGS = SlackSettings("${HOOK}")


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


def texts(made: dict[str, Any]) -> list[str]:
    return [made["text"], *(block["text"]["text"] for block in made["blocks"])]


def test_it_registers_its_channel() -> None:
    [one] = register_notifiers()
    assert (one.name, one.settings) == ("slack", SlackSettings)


def test_a_message_says_what_why_and_what_to_type() -> None:
    with Receiver() as receiver:
        tell(notice(), SETTINGS, Vault(HOOK=f"{receiver.url}/services/T/B/x"))
    [request] = receiver.received
    assert request.path == "/services/T/B/x"
    assert request.headers["content-type"] == "application/json"
    assert texts(request.json()) == [
        "🟡 shop in production: v2 was sent back, v1 serves\n23 of 760 requests failed",
        "🟡 *shop in production: v2 was sent back, v1 serves*",
        "23 of 760 requests failed",
        "```ospec show 20260131-235959-7f3a21 --explain```",
        "release: v2 · run: 20260131-235959-7f3a21 · action: deploy · at: http://127.0.0.1:8080",
    ]
    for block in request.json()["blocks"]:
        assert block["type"] == "section"
        assert block["text"]["type"] == "mrkdwn"
        assert block["text"]["verbatim"] is True


def test_a_burst_says_how_many() -> None:
    assert message(notice(count=40))["blocks"][0]["text"]["text"].endswith("* (40 times)")


NASTY = "<!channel> <@U123> <https://evil|good> & `code` *bold*\r\n\x00\x1b[31m\u202eevil"


def test_nothing_in_names_and_errors_is_acted_upon() -> None:
    made = message(
        notice(title=NASTY, text=NASTY, release=NASTY, commands=(NASTY,), fields={"<!here>": NASTY}, address=NASTY)
    )
    for text in texts(made):
        assert "<" not in text
        assert ">" not in text
        assert re.fullmatch(r"[^&]*(&(amp|lt|gt);[^&]*)*", text)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    title = made["blocks"][0]["text"]["text"]
    assert title.count("*") == 2, "the title ends where it ends"
    assert made["blocks"][2]["text"]["text"].count("`") == 6, "and so does the code"


@pytest.mark.parametrize("sign", ["x", "&", "<", "\u00e9", "🚨", "\n"])
def test_it_keeps_to_the_limits_without_cutting_an_escape(sign: str) -> None:
    long = sign * 50_000
    made = message(notice(title=long or "t", text=long, release=long, commands=(long,) * 9, fields={"a": long}))
    assert 0 < len(made["text"]) <= 40_000
    assert len(made["blocks"]) <= 50
    for block in made["blocks"]:
        assert 0 < len(block["text"]["text"]) <= 3_000
        assert re.fullmatch(r"[^&]*(&(amp|lt|gt);[^&]*)*", block["text"]["text"])


@given(text=st.text(max_size=200), longest=st.integers(2, 60))
def test_escaped_text_fits_and_holds_no_markup(text: str, longest: int) -> None:
    made = escaped(text, longest)
    assert len(made) <= longest
    assert "<" not in made
    made.encode()


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            Answer(429, {"Retry-After": "30"}, b"rate_limited"),
            RetryableError,
            "the receiver answered 429: rate_limited",
        ),
        (Answer(500, body=b"rollup_error"), RetryableError, "the receiver answered 500: rollup_error"),
        (Answer(404, body=b"no_service"), FatalError, "the receiver answered 404: no_service"),
        (Answer(403, body=b"action_prohibited"), FatalError, "the receiver answered 403: action_prohibited"),
        (Answer(400, body=b"<html>canary-path</html>"), FatalError, "the receiver answered 400"),
        (Answer(closes=True), RetryableError, "nobody answered: RemoteDisconnected"),
    ],
)
def test_what_slack_answers(answer: Answer, kind: type[Exception], message: str) -> None:
    with Receiver(answer) as receiver, pytest.raises(kind) as caught:
        tell(notice(), SETTINGS, Vault(HOOK=f"{receiver.url}/canary-path"))
    assert getattr(caught.value, "message", "").startswith(message)
    assert "canary-path" not in str(caught.value)
    assert getattr(caught.value, "retry_after", 30) in (0.0, 30)
