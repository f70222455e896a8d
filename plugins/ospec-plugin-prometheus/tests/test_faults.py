"""A server that fails in every way: no data, told once, never an exception; and secrets that stay where they belong."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ospec.errors import CancelledError, OspecError
from ospec.models.context import Deadline

CANARY = "planted-7d1f2c\"'%"
WRONG = b'{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected <eof>"}'


class Secrets:
    """A resolver of one secret, which masks it."""

    value = CANARY

    def resolve(self, text: str) -> str:
        if "${MISSING}" in text:
            raise OspecError("${MISSING} is not set", code="unset-variable", hints=("export MISSING=VALUE",))
        return text.replace("${TOKEN}", self.value)

    def names(self, text: str) -> tuple[str, ...]:
        return ()

    def redact(self, text: str) -> str:
        return text.replace(self.value, "***")


def truncated(handler: Any) -> None:
    handler.begin(200, 5000)
    handler.wfile.write(b'{"status":"success","data":{"resultType":"matrix","result":[')


def resets(handler: Any) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def redirects(handler: Any) -> None:
    handler.begin(302, 0, Location="http://127.0.0.1:9/api/v1/query")


FAULTS: dict[str, tuple[Any, str, bool]] = {
    "400": ((400, WRONG), "it does not take the query: 1:5: parse error: unexpected <eof>", True),
    "400 without a reason": ((400, b"no"), "it does not say why", True),
    "401": ((401, b""), "it answers 401: it does not take the token", True),
    "403": ((403, b""), "it answers 403", True),
    "404": ((404, b""), "no Prometheus is there", True),
    "302": (redirects, "it answers 302, and leads elsewhere", True),
    "500": ((500, b"oops"), "it answers 500", False),
    "503": ((503, b""), "it answers 503", False),
    "truncated": (truncated, "cut off", False),
    "broken": (resets, "the connection broke", False),
    "no JSON": ((200, b"<html>"), "cannot be read", False),
    "other JSON": ((200, b"[]"), "cannot be read", False),
    "an error in an answer": ((200, b'{"status":"error","error":"no"}'), "it answers: no", False),
    "a scalar": ((200, b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'), "a scalar", True),
    "part of it": (
        (200, b'{"status":"success","warnings":["store down"],"data":{"resultType":"matrix","result":[]}}'),
        "not whole: store down",
        False,
    ),
    "native histograms": (
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"histograms":[]}]}}'),
        "native histograms",
        True,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_no_data_and_told_once(asking: Any, fake: Any, name: str) -> None:
    reply, told, _ = FAULTS[name]
    fake.answers = {"": reply}
    for _ in range(2):
        assert asking.collect() == []
    assert [line for line in asking.lines if "no requests" in line and told in line], asking.lines
    assert len(asking.lines) == len(set(asking.lines)) == 2


@pytest.mark.parametrize("name", FAULTS)
def test_what_will_not_pass_is_told_before_a_run(asking: Any, fake: Any, name: str) -> None:
    reply, told, lasting = FAULTS[name]
    fake.answers = {"": reply}
    state = asking.check()
    if lasting:
        assert state.problems == ()
        assert told in state.obstacles[0].message
        assert state.obstacles[0].code == "prometheus-refuses"
    else:
        assert state.obstacles == ()
        assert told in state.problems[0]
        assert fake.url in state.problems[0]


def test_a_good_server_has_nothing_in_the_way(asking: Any, fake: Any) -> None:
    state = asking.check()
    assert (state.problems, state.obstacles) == ((), ())
    assert all('version="none"' in query for query in fake.queries)


def test_nobody_is_there(asking: Any) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        asking.settings["url"] = f"http://127.0.0.1:{busy.getsockname()[1]}"
        assert asking.collect() == []
        assert "it cannot be reached (Connection refused)" in asking.lines[0]
        assert "Connection refused" in asking.check().problems[0]


def test_a_slow_server_is_left_alone_for_a_while(asking: Any, fake: Any) -> None:
    asking.settings["timeout_seconds"] = 0.3
    fake.answers = {"": fake.hang}
    began = time.monotonic()
    assert asking.collect() == []
    assert 0.25 < time.monotonic() - began < 1.5
    assert all("no answer" in line for line in asking.lines)
    asked = len(fake.queries)
    began = time.monotonic()
    assert asking.collect() == []
    assert time.monotonic() - began < 0.2
    assert len(fake.queries) == asked


def test_an_answer_that_drips_has_no_more_time(asking: Any, fake: Any) -> None:
    def drips(handler: Any) -> None:
        handler.begin(200, 10_000)
        while not fake.released.wait(0.05):
            handler.wfile.write(b" ")

    asking.settings["timeout_seconds"] = 0.4
    fake.answers = {"": drips}
    began = time.monotonic()
    assert asking.collect() == []
    assert time.monotonic() - began < 1.5


def test_the_deadline_of_the_step_counts_too(asking: Any, fake: Any) -> None:
    fake.answers = {"": fake.hang}
    began = time.monotonic()
    assert asking.collect(deadline=Deadline.after(0.3)) == []
    assert time.monotonic() - began < 1.5


def test_an_abort_ends_the_asking_within_a_second(asking: Any, fake: Any) -> None:
    fake.answers = {"": fake.hang}
    asking.settings["timeout_seconds"] = 20.0
    cancelled = threading.Event()
    seen: list[float] = []

    def cancel() -> None:
        deadline = time.monotonic() + 10
        while not fake.queries and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append(time.monotonic())
        cancelled.set()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(CancelledError):
        asking.collect(cancelled=cancelled)
    assert time.monotonic() - seen[0] < 1.0
    thread.join()


def test_one_query_that_fails_takes_no_other_with_it(asking: Any, fake: Any, make: Any) -> None:
    fake.answers = {"code=~": (500, b""), "": make.matrix(make.counter({"code": "200"}, 10))}
    assert {one.metric for one in asking.collect()} == {"requests"}


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_the_token_reaches_the_request_and_nothing_else(
    asking: Any, fake: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    asking.settings.update(token="${TOKEN}", headers={"X-Scope-OrgID": "shop"})
    asking.more = {"secrets": Secrets()}
    echo = (500, CANARY.encode())
    fake.answers = {"": (400, b'{"error": "no: Bearer ' + CANARY.replace('"', '\\"').encode() + b'"}'), "never": echo}
    assert asking.collect() == []
    state = asking.check()
    assert {one["Authorization"] for one in fake.headers} == {f"Bearer {CANARY}"}
    assert {one["X-Scope-Orgid"] for one in fake.headers} == {"shop"}
    told = [*asking.lines, *(one.message for one in state.obstacles), *capfd.readouterr(), repr(asking.target)]
    assert asking.lines
    assert not [text for text in told if "planted" in text]
    assert not [query for query in fake.queries if "planted" in query]


@pytest.mark.parametrize("value", ["planted\nX-Other: 1", "planted-\u20ac", "planted\x00"])
def test_a_secret_that_no_header_can_have_is_not_told(asking: Any, fake: Any, value: str) -> None:
    secrets = Secrets()
    secrets.value = value
    asking.settings["token"] = "${TOKEN}"
    asking.more = {"secrets": secrets}
    assert asking.collect() == []
    message = asking.check().obstacles[0].message
    assert fake.queries == []
    assert "the header Authorization has characters" in message
    assert "planted" not in message + "".join(asking.lines)


def test_a_line_feed_at_the_end_of_a_secret_is_left_out(asking: Any, fake: Any) -> None:
    secrets = Secrets()
    secrets.value = "from-a-file\n"
    asking.settings["token"] = "${TOKEN}"
    asking.more = {"secrets": secrets}
    asking.collect()
    assert fake.headers[0]["Authorization"] == "Bearer from-a-file"


def test_a_missing_secret_is_told(asking: Any, fake: Any) -> None:
    asking.settings["headers"] = {"X-Key": "${MISSING}"}
    asking.more = {"secrets": Secrets()}
    assert asking.collect() == []
    assert asking.lines == ["prometheus: the header X-Key: ${MISSING} is not set (export MISSING=VALUE)"]
    assert asking.check().obstacles[0].hints == ("export MISSING=VALUE",)


def test_a_redirect_is_not_followed(asking: Any, fake: Any) -> None:
    elsewhere: list[str] = []

    def leads(handler: Any) -> None:
        handler.begin(307, 0, Location=f"{fake.url}/elsewhere")
        elsewhere.append(handler.path)

    reply: Callable[[Any], None] = leads
    fake.answers = {"": reply}
    asking.collect()
    assert set(elsewhere) == {"/api/v1/query"}
