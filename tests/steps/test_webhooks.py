"""Webhooks over a real HTTP server; the run around them is no more than what they use."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ospec.errors import FatalError
from ospec.models.context import NoSecrets
from ospec.models.document import Analysis, Deployment, Webhook
from ospec.models.registration import Unit
from ospec.models.release import Artifact, Release
from ospec.models.target import Target
from ospec.steps.webhooks import Webhooks, run_webhooks


class Answers(BaseHTTPRequestHandler):
    status = 200
    asked: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).asked.append((self.path, json.loads(body)))
        self.send_response(type(self).status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    Answers.status, Answers.asked = 200, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def run_of(server: Any, **analysis: Any) -> Any:
    url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=s3cret"
    hooks = tuple(Webhook(kind, url, kind, metadata={"n": 1}) for kind in ("pre-rollout", "rollout"))
    deployment = Deployment(analysis=Analysis(webhooks=hooks, **analysis))
    target = Target("shop", "Shop", "production", "heap", "canary", deployment=deployment)
    unit = Unit(Release("v2", "2" * 64, "shop", "production", Artifact("2"), ""), target, Path())
    lines: list[str] = []
    step = SimpleNamespace(params={"type": "pre-rollout"})
    return SimpleNamespace(
        run="r1", unit=lambda role: unit, secrets=NoSecrets(), step=step, log=lines.append, lines=lines
    )


def test_those_of_the_type_are_asked_with_who_it_is_about(server: Any) -> None:
    assert run_webhooks(run_of(server)) == {"pre-rollout": 200}
    ((path, body),) = Answers.asked
    assert path == "/hook?key=s3cret"
    assert (body["service"], body["environment"], body["release"]) == ("shop", "production", "v2")
    assert (body["phase"], body["metadata"], body["run"]) == ("pre-rollout", {"n": 1}, "r1")


def test_a_bad_answer_fails_and_tells_no_key(server: Any) -> None:
    Answers.status = 500
    with pytest.raises(FatalError, match=r"pre-rollout.*answered 500") as caught:
        run_webhooks(run_of(server))
    assert caught.value.code == "webhook-failed"
    assert "s3cret" not in str(caught.value)


def test_nobody_there_is_a_bad_answer(server: Any) -> None:
    run = run_of(server)
    server.server_close()
    with pytest.raises(FatalError, match="nobody answered"):
        run_webhooks(run)


def test_while_it_is_judged_so_many_failures_as_the_document_allows(server: Any) -> None:
    Answers.status = 503
    run = run_of(server, threshold=3, interval=0.0)
    hooks = Webhooks(run, "rollout", {"phase": "canary"})
    hooks._interval = 0.0
    hooks.ask()
    hooks.ask()
    assert len(run.lines) == 2
    with pytest.raises(FatalError, match="answered 503"):
        hooks.ask()


def test_the_guard_window_asks_none(server: Any) -> None:
    Webhooks(run_of(server), "rollout", {"phase": "guard"}).ask()
    assert Answers.asked == []
