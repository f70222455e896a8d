"""Notices through the command line: real plugins, real HTTP, and secrets that reach nothing but the request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ospec.testing.receiver import Answer, Receiver

CANARIES = {"SLACK_HOOK": "canary-slack-5a1", "PD": "canarypagerduty0123456789abcdef0", "SIGNING": "canary-signing-c3"}
DOCUMENT = """\
id = "shop"
[stack]
deploy = "script"
[scripts]
deploy = "sleep 0.5; {deploy}"
[plugins]
enabled = ["script", "slack", "pagerduty", "webhook"]
[plugins.slack]
url = "${{SLACK_HOOK}}"
[plugins.pagerduty]
routing_key = "${{PD}}"
url = "{pagerduty}"
triggers = ["failed"]
[plugins.webhook]
url = "${{HOOK}}"
secret = "${{SIGNING}}"
[monitoring.notices]
channels = ["slack", "pagerduty", "webhook", "phone"]
"""


class Service:
    """A document whose scripts deploy, and three receivers."""

    def __init__(self, folder: Path, slack: Receiver, pagerduty: Receiver, webhook: Receiver) -> None:
        self.folder, self.pagerduty = folder, pagerduty
        self.secrets = {
            "SLACK_HOOK": f"{slack.url}/services/{CANARIES['SLACK_HOOK']}",
            "PD": CANARIES["PD"],
            "HOOK": f"{webhook.url}/{CANARIES['SIGNING']}-url",
            "SIGNING": CANARIES["SIGNING"],
        }
        self.arguments: set[str] = set()
        """Command lines of every process seen while ospec ran."""
        self.write("true")

    def write(self, deploy: str) -> None:
        text = DOCUMENT.format(deploy=deploy, pagerduty=f"{self.pagerduty.url}/v2/enqueue")
        (self.folder / "ospec.toml").write_text(text)

    def ospec(self, *arguments: str, code: int | None = 0, **more: str) -> str:
        """Run a command; what it printed on both outputs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OSPEC_", "OTEL_"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "ospec.cli.main", *arguments],
            cwd=self.folder,
            env={**kept, **self.secrets, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        watcher = threading.Thread(target=self._watch, args=(process,), daemon=True)
        watcher.start()
        output, _ = process.communicate(timeout=90)
        watcher.join(10)
        assert code in (None, process.returncode), output
        return output

    def _watch(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            for pid in Path("/proc").glob("[0-9]*"):
                try:
                    self.arguments.add((pid / "cmdline").read_bytes().decode(errors="replace"))
                except OSError:
                    continue

    def written(self) -> bytes:
        """Everything below the folder, names and contents."""
        files = [one for one in self.folder.rglob("*") if one.is_file()]
        assert any(one.name == "journal.sqlite" for one in files)
        return b"\n".join(str(one).encode() + b"\n" + one.read_bytes() for one in files)


@pytest.fixture
def receivers() -> Any:
    with Receiver() as slack, Receiver(Answer(202)) as pagerduty, Receiver(Answer(204, body=b"")) as webhook:
        yield slack, pagerduty, webhook


@pytest.fixture
def service(tmp_path: Path, receivers: Any) -> Service:
    return Service(tmp_path, *receivers)


def holds_no_secret(text: str | bytes) -> None:
    found = text if isinstance(text, bytes) else text.encode()
    for canary in CANARIES.values():
        assert canary.encode() not in found


def everything_told(service: Service) -> str:
    """What commands print that show runs, plans and findings."""
    commands = [
        ("show", "--trace"),
        ("show", "--trace", "--json"),
        ("history", "--json"),
        ("plan", "--redeploy"),
        ("plan", "--redeploy", "--json"),
        ("plan", "--redeploy", "--out", "plan.json"),
        ("doctor",),
        ("doctor", "--json"),
        ("status", "--json"),
        ("plugins", "list"),
    ]
    return "\n".join(service.ospec(*command, code=None) for command in commands)


def test_three_channels_are_told_and_secrets_reach_nothing_else(service: Service, receivers: Any) -> None:
    slack, pagerduty, webhook = receivers
    told = service.ospec("run", "deploy", "--release", "v1", "--yes", "--metrics-file", "metrics.prom")
    assert "warning: 2 notices were for 'phone' and told nobody: no plugin brings it" in told
    assert [one.path for one in slack.received] == [f"/services/{CANARIES['SLACK_HOOK']}"] * 2
    assert "deploying v1" in slack.received[0].json()["text"]
    assert "v1 serves" in slack.received[1].json()["text"]
    assert [one.json()["event_action"] for one in pagerduty.received] == ["acknowledge", "resolve"]
    assert {one.json()["routing_key"] for one in pagerduty.received} == {CANARIES["PD"]}
    assert [one.json()["kind"] for one in webhook.received] == ["started", "promoted"]
    service.write("exit 3")
    failed = service.ospec("run", "deploy", "--release", "v2", "--yes", "--json", code=None)
    assert [one.json()["kind"] for one in webhook.received][2:] == ["started", "frozen"]
    frozen = pagerduty.received[-1].json()
    assert (frozen["event_action"], frozen["payload"]["severity"]) == ("trigger", "critical")
    shown = everything_told(service)
    assert 'no plugin brings the channel "phone"' in shown
    for text in (told, failed, shown, service.written(), "\n".join(service.arguments)):
        holds_no_secret(text)


def test_receivers_that_refuse_or_are_gone_cost_a_warning_each(service: Service, receivers: Any) -> None:
    slack, pagerduty, webhook = receivers
    slack.answers = [Answer(404, body=CANARIES["SLACK_HOOK"].encode())]
    pagerduty.answers = [Answer(400, body=json.dumps({"message": f"bad key {CANARIES['PD']}"}).encode())]
    webhook.answers = [Answer(302, {"Location": f"http://127.0.0.1:9/{CANARIES['SIGNING']}"})]
    told = service.ospec("run", "deploy", "--release", "v1", "--yes")
    assert "promoted" in told
    warnings = [line for line in told.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: 2 notices were for 'phone' and told nobody: no plugin brings it",
        "warning: slack: 2 notices were not delivered: the receiver answered 404",
        "warning: pagerduty: 2 notices were not delivered: the receiver answered 400: bad key ***",
        "warning: webhook: 2 notices were not delivered: the receiver answered 302; redirects are not followed: name "
        "the URL that it leads to",
    ]
    for text in (told, everything_told(service), service.written(), "\n".join(service.arguments)):
        holds_no_secret(text)


def test_a_secret_written_into_the_document_is_refused_without_telling_it(service: Service) -> None:
    document = service.folder / "ospec.toml"
    document.write_text(document.read_text().replace("${SLACK_HOOK}", f"https://hooks/{CANARIES['SLACK_HOOK']}"))
    told = service.ospec("plan", code=2)
    assert "ospec.toml:9:1 plugins.slack.url: it is secret, expected a reference" in told
    assert 'write url = "${SLACK_URL}", and export that' in told
    holds_no_secret(told)


def test_what_is_not_set_stops_no_run_and_the_doctor_tells_it(service: Service, receivers: Any) -> None:
    del service.secrets["SLACK_HOOK"]
    told = service.ospec("run", "deploy", "--release", "v1", "--yes")
    assert "warning: slack: 2 notices were not delivered: ${SLACK_HOOK} is not set" in told
    assert len(receivers[2].received) == 2
    found = service.ospec("doctor", code=1)
    assert "plugins.slack.url: ${SLACK_HOOK} is not set" in found
    assert 'no plugin brings the channel "phone"' in found


def test_a_document_without_the_setting_says_so(service: Service) -> None:
    document = service.folder / "ospec.toml"
    document.write_text(document.read_text().replace('secret = "${SIGNING}"\n', ""))
    assert "plugins.webhook: 'secret' is missing" in service.ospec("plan", code=2)


ALERTS = """
[plugins.webhook]
url = "${HOOK}"
secret = "${SIGNING}"
[[monitoring.metrics]]
name = "response_time_p95"
threshold = 60000
[[monitoring.alerts]]
name = "Many errors"
condition = "error_rate > 0.05"
severity = "critical"
channels = ["webhook"]
"""


def test_a_release_that_serves_is_watched(shop: Any, finished: Callable[..., Any], until: Callable[..., None]) -> None:
    shop.deploy("v1", "error-page")
    document = shop.folder / "ospec.toml"
    enabled = 'enabled = ["local", "blue-green"'
    document.write_text(document.read_text().replace(enabled, f'{enabled}, "webhook"') + ALERTS)
    quiet = shop.ospec("run", "monitor", "--for", "1s", "--interval", "1s")
    assert {one["state"] for one in quiet["rules"]} <= {"well", "not-enough-data"}
    assert not any(one["fired"] for one in quiet["rules"])
    with Receiver() as webhook:
        shop.variables.update(HOOK=webhook.url, SIGNING=CANARIES["SIGNING"])
        process = shop.begin("run", "monitor", "--interval", "0.5s", "--for", "80s", "--json")
        for number in range(40):
            shop.ask("/error" if number % 2 else "/")
        [alert] = [one.json() for one in webhook.wait_for(1, 30)]
        assert (alert["kind"], alert["severity"], alert["state"]) == ("alert", "critical", "raised")
        assert alert["key"] == "shop/default/alert/Many errors"
        assert "error_rate is" in alert["text"]
        for _ in range(800):
            shop.ask()
        over = webhook.wait_for(2, 30)[1].json()
        assert (over["kind"], over["state"], over["key"]) == ("resolved", "over", alert["key"])
        process.send_signal(signal.SIGINT)
        report = finished(process, 1)
    assert report["schema"] == "ospec.monitor/1"
    assert report["release"] == "v1"
    rules = {one["name"]: one for one in report["rules"]}
    assert rules["Many errors"]["fired"]
    assert not rules["Many errors"]["firing"]
    assert rules["Many errors"]["state"] == "well"
    assert rules["response_time_p95"]["state"] == "well"
    assert not (shop.home / "alerts" / "shop.default.json").read_text().count("Many errors")
