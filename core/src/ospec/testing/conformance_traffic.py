"""Checks of splits that say more than weights: rules by header, users who stay, maintenance."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

from ospec.models.live import HeaderRule, Maintenance
from ospec.testing.conformance_base import PlatformChecks
from ospec.testing.driver import Driver

_USERS = 200
_PAGE = Maintenance(77, "<p>Wir sind gleich zurück: 100 %</p>" + "x" * 65536, "text/html; charset=utf-8")


class TrafficChecks(PlatformChecks):
    """Each is skipped where the platform cannot do it."""

    # -- rules by header -------------------------------------------------------------------------------------------

    def test_header_rules_go_before_weights(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "header_routing")
        first, second = two
        rule = HeaderRule("X-Conformance", "yes", second)
        state = place.switch({first: 100.0, second: 0.0}, {"headers": (rule,)})
        assert [(one.name.lower(), one.value, one.slot) for one in state.headers] == [("x-conformance", "yes", second)]
        assert place.weights() == {first: 100.0}
        self.need(place, "release_header")
        for name in ("X-Conformance", "x-conformance"):
            assert place.releases_that_answer(10, {name: "yes"}) == {"two"}
        for value in ("no", "YES", "yes, no"):
            assert place.releases_that_answer(5, {"X-Conformance": value}) == {"one"}
        assert place.releases_that_answer(5) == {"one"}

    def test_header_rules_end_with_the_next_switch(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "header_routing", "release_header")
        first, second = two
        place.switch({first: 100.0, second: 0.0}, {"headers": (HeaderRule("x-conformance", "yes", second),)})
        assert place.switch({first: 100.0, second: 0.0}).headers == ()
        assert place.releases_that_answer(10, {"x-conformance": "yes"}) == {"one"}

    # -- users who stay --------------------------------------------------------------------------------------------

    def test_users_stay_on_a_release_that_grows(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "weighted_traffic", "sticky_sessions", "release_header")
        first, second = two
        kept = {"sticky": True, "gaining": second}
        assert place.switch({first: 80.0, second: 20.0}, kept).sticky
        users = [new_user(place) for _ in range(_USERS)]
        before = [release for _, release in users]
        assert 15 <= before.count("two") <= 65, f"of {_USERS} new users {before.count('two')} got a fifth's release"
        for percent in (20.0, 60.0, 100.0):
            place.switch({first: 100.0 - percent, second: percent}, kept)
            now = [place.ask(headers={"cookie": cookie})[1] for cookie, _ in users]
            moved = sum(was == "two" != seen for was, seen in zip(before, now, strict=True))
            assert moved == 0, f"{moved} users went back as the share grew to {percent:g} %"
            assert percent > 20.0 or now == before, "the same share again, and users went over"
            before = now
        assert set(before) == {"two"}

    def test_stickiness_ends_with_the_next_switch(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "weighted_traffic", "sticky_sessions", "release_header")
        first, second = two
        place.switch({first: 50.0, second: 50.0}, {"sticky": True, "gaining": second})
        cookie, _ = new_user(place)
        assert not place.switch({first: 50.0, second: 50.0}).sticky
        assert place.releases_that_answer(40, {"cookie": cookie}) == {"one", "two"}

    # -- maintenance -----------------------------------------------------------------------------------------------

    def test_maintenance_is_answered_as_it_is_asked_for(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "maintenance")
        state = place.switch(dict.fromkeys(two, 0.0), {"maintenance": _PAGE})
        assert state.maintenance
        assert not any(state.weights.values())
        assert place.weights() == {}
        with place.asking("/any") as answer:
            told, body = answer.headers, answer.read()
        assert (answer.status, told["retry-after"], told["content-type"]) == (503, "77", _PAGE.content_type)
        assert body.decode() == _PAGE.body
        assert told["x-ospec-release"] is None

    def test_maintenance_ends_with_the_next_switch(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "maintenance")
        first, second = two
        place.switch(dict.fromkeys(two, 0.0), {"maintenance": _PAGE})
        assert not place.switch({first: 0.0, second: 100.0}).maintenance
        assert [place.ask()[0] for _ in range(10)] == [200] * 10


def new_user(place: Driver) -> tuple[str, str]:
    """(the cookie that a user who has none is given, the release that answered)."""
    with place.asking("/") as answer:
        cookies: SimpleCookie = SimpleCookie()
        for line in answer.headers.get_all("set-cookie") or ():
            cookies.load(line)
        release: Any = answer.headers["x-ospec-release"]
        assert cookies, "a user is given no cookie"
        return "; ".join(f"{one.key}={one.coded_value}" for one in cookies.values()), release
