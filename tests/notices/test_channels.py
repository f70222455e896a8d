"""Who is told what, which channels are missing, and that secrets stay references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from ospec.errors import OspecError
from ospec.models.notice import Notice, secret, severity_of
from ospec.models.registration import Notifier
from ospec.notices import channels
from ospec.stages.load import DocumentFaults, load_text

ALERTS = [
    {"name": "Many errors", "condition": "error_rate > 0.05", "severity": "critical", "channels": ["Slack", "phone"]},
    {"name": "Slow", "condition": "response_time_p95 > 1000"},
]
THERE = ("slack", "webhook")


def notice(kind: Any = "started", severity: Any = "info", **more: Any) -> Notice:
    return Notice(
        **{
            "kind": kind,
            "severity": severity,
            "title": "t",
            "service": "shop",
            "environment": "default",
            "id": "i",
            "key": "k",
            "at": 0.0,
            **more,
        }
    )


def alert(name: str, **more: Any) -> Notice:
    return notice("alert", "critical", fields={"alert": name}, **more)


def test_everybody_is_told_of_runs_unless_the_document_says_who() -> None:
    assert channels.routed(notice(), {}, THERE) == THERE
    assert channels.routed(notice(), {"notices": {"channels": ["SLACK"]}}, THERE) == ("slack",)
    assert channels.routed(notice(), {"notices": {"channels": []}}, THERE) == ()


def test_the_least_severity_counts_but_for_what_ends_a_trouble() -> None:
    section = {"notices": {"severity": "error"}}
    assert channels.routed(notice(), section, THERE) == ()
    assert channels.routed(notice(severity="warning"), section, THERE) == ()
    assert channels.routed(notice("frozen", "critical"), section, THERE) == THERE
    assert channels.routed(notice("promoted", state="over"), section, THERE) == THERE


def test_alerts_go_where_they_say() -> None:
    section = {"alerts": ALERTS, "notices": {"channels": ["webhook"], "severity": "critical"}}
    assert channels.routed(alert("Many errors"), section, THERE) == ("slack", "phone")
    assert channels.routed(evolve(alert("Many errors"), kind="resolved"), section, THERE) == ("slack", "phone")
    assert channels.routed(alert("Slow"), section, THERE) == ("webhook",)
    assert channels.routed(evolve(alert("Slow"), severity="warning"), section, THERE) == ()


def test_what_a_step_names_counts_before_all() -> None:
    assert channels.routed(notice(), {"notices": {"channels": []}}, THERE, ("Webhook",)) == ("webhook",)


def test_what_the_document_names_and_nothing_brings_is_told_with_what_to_install() -> None:
    section = {"alerts": ALERTS, "notices": {"channels": ["PagerDuty", "slack"]}}
    missing = channels.missing_channels(section, {"webhook": {}, "local": {}}, ("slack",), ("webhook", "local"))
    assert channels.missing_notes(missing) == (
        'no plugin brings the channel "PagerDuty": pip install ospec-plugin-pagerduty',
        'no plugin brings the channel "phone": install a plugin that brings it and put it into plugins.enabled, or '
        "remove the name",
        'no plugin brings the channel "webhook": put "webhook" into plugins.enabled',
    )
    assert list(channels.missing_channels({}, {"local": {}}, (), ())) == []


def test_plugins_are_loaded_for_channels_and_for_tables() -> None:
    section = {"alerts": ALERTS}
    assert channels.plugins_of_channels(section, {"webhook": {}, "local": {}}) == ("slack", "phone", "webhook")


@pytest.mark.parametrize(
    ("word", "severity"),
    [("critical", "critical"), ("Warning", "warning"), ("P1?", "warning"), ("high", "error"), (" info ", "info")],
)
def test_words_for_severities(word: str, severity: str) -> None:
    assert severity_of(word) == severity


# -- secrets ----------------------------------------------------------------------------------------------------------


@frozen
class Settings:
    token: str = secret()
    url: str = "http://127.0.0.1"


BELL = Notifier("bell", lambda notice, settings, secrets: None, Settings)


def test_what_is_secret_stays_as_it_was_written_and_all_else_is_filled_in() -> None:
    filled = {"bells": {"token": "value", "url": "http://here"}, "local": {"port": 1}}
    written = {"bells": {"token": "${TOKEN}", "url": "${URL}"}, "local": {"port": 1}}
    made = channels.with_references(filled, written, [("bells", BELL)])
    assert made == {"bells": {"token": "${TOKEN}", "url": "http://here"}, "local": {"port": 1}}
    assert channels.with_references({}, {}, [("bells", BELL)]) == {}


def test_a_value_where_a_reference_has_to_stand_is_a_fault_that_does_not_tell_it() -> None:
    [misfit] = channels.misfits({"bells": {"token": "canary-value"}}, [("bells", BELL)])
    assert misfit.path == ("plugins", "bells", "token")
    assert misfit.hint == 'write token = "${BELLS_TOKEN}", and export that'
    assert "canary" not in str(misfit)
    assert list(channels.misfits({"bells": {"token": "x-${TOKEN}"}}, [("bells", BELL)])) == []


class Vault:
    """A resolver with two secrets; it masks nothing itself."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def resolve(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    def names(self, text: str) -> tuple[str, ...]:
        return ()

    def redact(self, text: str) -> str:
        return text


VALUES = {"T": "v4lue"}


def test_a_notifier_gets_its_settings_and_what_it_resolved_is_taken_out_of_its_errors() -> None:
    seen = []

    def tell(notice: Notice, settings: Settings, secrets: Any) -> None:
        seen.append((notice.title, settings, secrets.resolve(settings.token)))
        raise OspecError(f"refused by {secrets.resolve(settings.token)}", code="x")

    box = channels.outbox(
        {"bell": evolve(BELL, notify=tell)},
        {"bell": "bells"},
        {"bells": {"token": "a-${T}"}},
        Vault({"T": "v4lue"}),
        {},
    )
    box.tell(notice)
    assert box.close() == ["bell: 1 notice was not delivered: refused by ***"]
    assert seen == [("t", Settings("a-${T}"), "a-v4lue")]
    assert "v4lue" not in repr(seen[0][1])


# -- the document -----------------------------------------------------------------------------------------------------


def faults(text: str) -> list[str]:
    try:
        load_text(text, Path("ospec.toml"))
    except DocumentFaults as error:
        return [str(fault) for fault in error.faults]
    return []


def test_the_examples_of_documents_pass() -> None:
    assert (
        faults(
            """
[[monitoring.metrics]]
name = "response_time_p95"
threshold = 500
[[monitoring.metrics]]
name = "queue_depth"
threshold = 10
[[monitoring.alerts]]
name = "Many errors"
condition = "error_rate > 0.05"
channels = ["slack", "pagerduty"]
[[monitoring.alerts]]
name = "Slow"
condition = "response_time_p95 > 1000"
[[monitoring.alerts]]
name = "Queue"
condition = "queue_depth > 20 and error_rate > ${MOST}"
[[monitoring.alerts]]
name = "Queue again"
condition = "queue_depth > 20"
[monitoring.notices]
channels = ["slack"]
severity = "warning"
"""
        )
        == []
    )


def test_conditions_and_names_are_checked_at_their_place() -> None:
    found = faults(
        """[[monitoring.metrics]]
name = "eror_rate"
threshold = 500
[[monitoring.alerts]]
name = "A"
condition = "error_rate >> 5"
[[environments.staging.monitoring.alerts]]
name = "B"
condition = "respons_time_p95 > 2"
[monitoring.notices]
severity = "loud"
"""
    )
    assert found[0].endswith(
        "ospec.toml:2:1 monitoring.metrics[0].name: there is no metric 'eror_rate'; did you mean 'error_rate'?"
    )
    assert "ospec.toml:6:1 monitoring.alerts[0].condition: column 13: expected a number, found '>'" in found[1]
    assert "ospec.toml:9:1 environments.staging.monitoring.alerts[0].condition: column 1: there" in found[2]
    assert "did you mean 'response_time_p95'?" in found[2]
    assert "monitoring.notices.severity" in found[3]
    assert "info, warning, error, critical" in found[3]
