"""Who gets which release: rules by header, users who stay where they were, maintenance."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ospec.errors import FatalError
from ospec.models.live import HeaderRule, Maintenance, TrafficSplit
from ospec.testing.load import Load
from ospec_plugin_local.envoy_reading import split_of
from ospec_plugin_local.envoy_routes import Part, routes
from ospec_plugin_local.state import SlotState

USERS = 10_000
CANARY = HeaderRule("X-Canary", "yes", "green")


@pytest.fixture
def two(service: Any) -> Any:
    """v1 serves, v2 waits beside it."""
    service.serve("v1")
    service.deploy("v2", "green")
    service.healthy("v2", "green")
    return service


# -- what is told can be read again ------------------------------------------------------------------------------

LABELS = some.sampled_from(["blue", "green"])
TEXT = some.text(some.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
RULES = some.lists(some.builds(HeaderRule, TEXT, TEXT, LABELS), max_size=3, unique=True).map(tuple)
MAINTENANCE = some.builds(Maintenance, some.integers(0, 9999), some.text(max_size=20), TEXT)
HELD = {label: SlotState(label, f"{label}-release", "", f"{label}-7", "", ()) for label in ("blue", "green")}


@given(some.integers(0, 10000), RULES, some.booleans(), some.none() | MAINTENANCE)
def test_whatever_split_is_told_is_read_again(
    hundredths: int, headers: tuple[HeaderRule, ...], sticky: bool, maintenance: Maintenance | None
) -> None:
    shares = {"green": hundredths / 100, "blue": (10000 - hundredths) / 100}
    weights = {label: share for label, share in shares.items() if share} if maintenance is None else {}
    sticky &= maintenance is None
    split = TrafficSplit(weights, headers, sticky, "green" if sticky else "", maintenance)
    parts = {label: [Part(held, 1.0)] for label, held in HELD.items()}
    told = routes("front", split, parts, 1)["resources"][0]
    assert split_of(told, {held.key: label for label, held in HELD.items()}) == split


# -- rules by header -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_header_rule_goes_before_every_weight(two: Any, method: str) -> None:
    state = two.switch({"blue": 100.0, "green": 0.0}, headers=(CANARY,))
    assert (state.headers, state.weights) == ((CANARY,), {"blue": 100.0, "green": 0.0})

    def release(headers: dict[str, str]) -> str:
        return str(two.ask_all("/", headers, method=method)[1].get("x-ospec-release"))

    if method == "POST":
        assert two.ask_all("/", {"x-canary": "yes"}, method=method)[1]["x-ospec-release"] == "v2"
    assert [release({name: "yes"}) for name in ("x-canary", "X-CANARY", "X-Canary")] == ["v2"] * 3
    assert [release({"x-canary": value}) for value in ("no", "YES", "yes!", "")] == ["v1"] * 4
    assert release({}) == "v1"
    assert two.switch({"blue": 100.0}).headers == ()
    assert release({"x-canary": "yes"}) == "v1"


def test_several_rules_and_the_same_ones_again(two: Any) -> None:
    rules = (CANARY, HeaderRule("x-team", "shop", "green"), HeaderRule("x-team", "search", "blue"))
    once = two.switch({"green": 100.0}, headers=rules)
    assert once.headers == rules
    assert two.switch({"green": 100.0}, headers=rules).generation == once.generation
    assert two.ask_all("/", {"x-team": "search"})[1]["x-ospec-release"] == "v1"


def test_a_rule_to_an_unknown_slot_is_refused(service: Any) -> None:
    service.serve("v1")
    with pytest.raises(FatalError) as caught:
        service.switch({"blue": 100.0}, headers=(CANARY,))
    assert caught.value.code == "bad-split"


def test_rules_to_a_slot_that_is_taken_away_go_with_it(two: Any) -> None:
    two.switch({"blue": 100.0}, headers=(CANARY, HeaderRule("x-team", "search", "blue")), sticky=True, gaining="green")
    with Load(f"http://127.0.0.1:{two.port}/", rate=200) as load:
        two.retire("green")
    assert load.stop().failed == 0
    assert two.ask_all("/", {"x-canary": "yes"})[1]["x-ospec-release"] == "v1"
    again = two.switch({"blue": 100.0}, headers=(HeaderRule("x-team", "search", "blue"),))
    assert (again.headers, again.sticky) == ((HeaderRule("x-team", "search", "blue"),), False)


# -- users who stay ------------------------------------------------------------------------------------------------


class Users:
    """Each asks with the cookie that it was given."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.cookies: list[str] = []

    def come(self, count: int) -> list[str]:
        """New users, each once without a cookie; the releases that they saw."""
        seen = []
        for answer in self._ask([""] * count):
            seen.append(answer["x-ospec-release"])
            found = re.fullmatch(
                r"(ospec-green-\d+=[0-9a-f-]+); Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", answer["set-cookie"]
            )
            assert found
            self.cookies.append(found[1])
        return seen

    def again(self) -> list[str]:
        """The releases that the users see now."""
        answers = list(self._ask(self.cookies))
        assert not any("set-cookie" in answer for answer in answers)
        return [answer["x-ospec-release"] for answer in answers]

    def _ask(self, cookies: Sequence[str]) -> Iterator[Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=10.0)
        with contextlib.closing(connection):
            for cookie in cookies:
                told = {"cookie": f"theme=dark; {cookie}; a=b"} if cookie else {"x-request-id": "always the same"}
                connection.request("GET", "/", headers={**told, "x-ospec-draw": "chosen by the client"})
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                yield answer.headers


def in_proportion(found: int, of: int, percent: float) -> bool:
    """Whether a count is within 4.1 standard errors of what is expected: one in 24,000 is outside."""
    expected = of * percent / 100
    return bool(abs(found - expected) <= 4.1 * (expected * (1 - percent / 100)) ** 0.5)


FAST = """\
import asyncio, os
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n"
class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""
    def data_received(self, data):
        *whole, self.rest = (self.rest + data).split(b"\\r\\n\\r\\n")
        self.transport.write(ANSWER * len(whole))
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answers, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()
asyncio.run(main())
"""


def test_a_user_never_goes_back_while_a_release_grows_and_others_follow_in_proportion(service: Any) -> None:
    for name, slot in (("v1", "blue"), ("v2", "green")):
        service.deploy(name, slot, program=FAST)
        service.healthy(name, slot)
    service.switch({"blue": 100.0})
    state = service.switch({"blue": 95.0, "green": 5.0}, sticky=True, gaining="green")
    assert state.sticky
    users = Users(service)
    before = users.come(USERS)
    assert in_proportion(before.count("v2"), USERS, 5.0), before.count("v2")
    assert users.again() == before
    for percent in (20.0, 50.0, 100.0):
        rest = {"blue": 100.0 - percent} if percent < 100 else {"blue": 0.0}
        assert service.switch({**rest, "green": percent}, sticky=True, gaining="green").sticky
        now = users.again()
        assert [user for user in range(USERS) if before[user] == "v2" and now[user] != "v2"] == []
        assert in_proportion(now.count("v2"), USERS, percent) or percent == 100.0, now.count("v2")
        before = now
    assert set(before) == {"v2"}
    service.switch({"blue": 100.0, "green": 0.0}, sticky=True, gaining="green")
    assert set(users.again()) == {"v1"}
    assert not service.switch({"blue": 100.0, "green": 0.0}).sticky
    assert "set-cookie" not in service.ask_all()[1]


def test_cookies_of_an_earlier_rollout_or_of_others_mean_nothing(two: Any) -> None:
    two.switch({"blue": 50.0, "green": 50.0}, sticky=True, gaining="green")
    key = two.slot_key("green")
    for cookie in (f"ospec-{key}0=1", f"xospec-{key}=1", f"ospec-{key}=", "ospec-green-1=1", f"a=ospec-{key}=1"):
        assert "set-cookie" in two.ask_all("/", {"cookie": cookie})[1], cookie
    for cookie in (f"ospec-{key}=1", f"a=b; ospec-{key}=1", f"a=b;ospec-{key}=1;c=d"):
        assert "set-cookie" not in two.ask_all("/", {"cookie": cookie})[1], cookie


@pytest.mark.parametrize("cookie", ["", "known"])
def test_every_kind_of_request_passes_while_users_are_kept(two: Any, cookie: str) -> None:
    two.switch({"blue": 50.0, "green": 50.0}, sticky=True, gaining="green")
    told = {"cookie": f"ospec-{two.slot_key('green')}={cookie}"} if cookie else {}
    with Load(f"http://127.0.0.1:{two.port}/", rate=100):
        for method in ("GET", "HEAD"):
            assert two.ask_all("/", told, method=method)[0] in (200, 501)
        assert two.ask_all("/", told, method="POST")[0] == 501, "it reached the application, which knows no POST"


def test_sticky_for_an_unknown_slot_is_refused(service: Any) -> None:
    service.serve("v1")
    for gaining in ("green", ""):
        with pytest.raises(FatalError) as caught:
            service.switch({"blue": 100.0}, sticky=True, gaining=gaining)
        assert caught.value.code == "bad-split"


# -- maintenance ---------------------------------------------------------------------------------------------------


def test_maintenance_answers_503_with_its_page_and_ends_without_a_lost_request(two: Any) -> None:
    page = Maintenance(120, "<h1>Wir sind gleich zurück — 100 % — すぐに戻ります</h1>", "text/html; charset=utf-8")
    state = two.switch({"blue": 0.0, "green": 0.0}, maintenance=page)
    assert (state.maintenance, state.weights) == (True, {"blue": 0.0, "green": 0.0})
    for method in ("GET", "POST"):
        status, told, body = two.ask_all("/any/path?x=1", method=method)
        assert (status, told["retry-after"], told.get_all("content-type")) == (503, "120", [page.content_type])
        assert body.decode() == page.body
        assert "x-ospec-release" not in told
    live = two.observe()
    assert (live.stable.id, live.stable.weight_percent) == ("blue", 0.0)
    assert two.switch({"blue": 0.0}, maintenance=page).generation == state.generation
    assert not two.switch({"green": 100.0}).maintenance
    with Load(f"http://127.0.0.1:{two.port}/", rate=200) as load:
        assert two.ask() == (200, "v2")
    assert load.stop().failed == 0


@pytest.mark.parametrize("size", [0, 4096, 4097, 65536, 1 << 20])
def test_maintenance_pages_of_any_size(service: Any, size: int) -> None:
    service.serve("v1")
    service.switch({"blue": 0.0}, maintenance=Maintenance(1, "ü" * (size // 2) + "x" * (size % 2)))
    status, _, body = service.ask_all()
    assert (status, len(body)) == (503, size)


def test_requests_under_way_end_while_maintenance_begins(service: Any, until: Any) -> None:
    service.serve("v1")
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(service.ask("/slow?seconds=1")))
    asking.start()
    until(lambda: service.open_requests(service.slot_key("blue")) == 1)
    service.switch({"blue": 0.0}, maintenance=Maintenance())
    assert service.ask() == (503, "")
    asking.join()
    assert answers == [(200, "v1")]


def test_testers_reach_a_release_through_maintenance_by_their_header(two: Any) -> None:
    state = two.switch({"blue": 0.0}, maintenance=Maintenance(), headers=(CANARY,))
    assert (state.headers, state.maintenance) == ((CANARY,), True)
    assert two.ask_all("/", {"x-canary": "yes"})[0] == 200
    assert two.ask() == (503, "")


def test_maintenance_holds_over_the_death_of_the_proxy(service: Any, until: Any) -> None:
    service.serve("v1")
    service.switch({"blue": 0.0}, maintenance=Maintenance(7, "back soon\n"))
    first = service.kill("envoy")
    until(lambda: service.record("envoy")["pid"] != first["pid"] and service.observe().problems == ())
    assert service.ask_all()[2] == b"back soon\n"


def test_nobody_serves_without_maintenance_is_refused(service: Any) -> None:
    service.serve("v1")
    with pytest.raises(FatalError) as caught:
        service.switch({"blue": 0.0})
    assert caught.value.code == "bad-split"
    assert service.ask() == (200, "v1")


def test_maintenance_is_nothing_where_somebody_serves(service: Any) -> None:
    service.serve("v1")
    assert not service.switch({"blue": 100.0}, maintenance=Maintenance()).maintenance
    assert service.ask() == (200, "v1")
