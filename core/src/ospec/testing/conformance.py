"""Conformance suite v1: what every platform and every strategy has to keep, as tests that a plugin's author subclasses.

The whole test file of a platform::

    from ospec.testing.conformance import PlatformConformance
    from ospec_plugin_heap import hooks

    class TestHeap(PlatformConformance):
        plugin = hooks
        settings = {"port": 18080}

Checks of something that the platform's capabilities leave out are skipped, with the reason.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pluggy
import pytest

from ospec import hookspecs
from ospec.errors import OspecError
from ospec.models.registration import Capabilities, Platform
from ospec.testing.conformance_base import check_imports as check_imports
from ospec.testing.conformance_base import check_settings as check_settings
from ospec.testing.conformance_base import ends_at_once, read_if_there
from ospec.testing.conformance_batches import BatchChecks
from ospec.testing.conformance_traffic import TrafficChecks
from ospec.testing.driver import CANARY, Driver, Running, until
from ospec.testing.strategy_conformance import StrategyConformance as StrategyConformance


class PlatformConformance(TrafficChecks, BatchChecks):
    """Checks of a platform; a subclass names it. Every check gets a service of its own and takes it away again."""

    # -- what it registers ---------------------------------------------------------------------------------------

    def test_registers_a_platform_record(self, record: Platform) -> None:
        assert isinstance(record, Platform)
        assert isinstance(record.capabilities, Capabilities)
        assert record.name == record.name.lower().strip()
        again = next(one for one in self.plugin.register_platforms() if one.name == record.name)
        assert again == record, "it registers something else each time"

    def test_settings_are_a_frozen_attrs_class(self, record: Platform) -> None:
        check_settings(record.settings)

    def test_hooks_have_known_names_and_arguments(self) -> None:
        manager = pluggy.PluginManager("ospec")
        manager.add_hookspecs(hookspecs)
        manager.register(self.plugin)
        manager.check_pending()

    def test_loading_imports_no_sdk(self) -> None:
        check_imports(self.plugin)

    # -- observe -------------------------------------------------------------------------------------------------

    def test_nothing_is_there_at_first(self, place: Driver) -> None:
        live = place.observe()
        assert live.stable is None
        assert place.weights() == {}
        assert not place.home.exists(), "observe wrote something"

    def test_observe_changes_nothing(self, place: Driver, two: tuple[str, str]) -> None:
        fingerprints = {place.observe().fingerprint() for _ in range(3)}
        assert len(fingerprints) == 1

    def test_fingerprint_does_not_depend_on_health(self, place: Driver, two: tuple[str, str]) -> None:
        before = place.observe()
        candidate = before.slot(two[1])
        assert candidate is not None
        if candidate.address is None:
            pytest.skip("its slots have no address of their own")
        for _ in range(4):  # reaches each of its instances
            place.ask("/break", candidate.address)
        place.health("two", two[1])
        assert place.observe().fingerprint() == before.fingerprint()

    # -- deploy and health ---------------------------------------------------------------------------------------

    def test_deploy_answers_the_slot_it_made(self, place: Driver) -> None:
        made = place.deploy("one", self.slots[0])
        live = place.observe()
        slot = live.slot(made.slot.id)
        assert made.changed
        assert slot is not None
        assert slot.releases == made.slot.releases == (place.reference("one"),)
        assert slot.weight_percent == 0

    def test_deploy_twice_changes_nothing(self, place: Driver) -> None:
        first = place.deploy("one", self.slots[0])
        place.healthy("one", first.slot.id)
        before = place.observe()
        second = place.deploy("one", self.slots[0])
        after = place.observe()
        assert not second.changed, "the second deploy says that it changed something"
        assert second.slot.id == first.slot.id
        assert after.fingerprint() == before.fingerprint()
        assert [slot.instances for slot in after.slots] == [slot.instances for slot in before.slots]

    def test_deploy_moves_no_traffic(self, place: Driver) -> None:
        self.need(place, "slots")
        first = place.serve("one", self.slots[0])
        place.deploy("two", self.slots[1])
        assert place.weights() == {first: 100.0}
        if place.platform.capabilities.release_header:
            assert place.releases_that_answer(20) == {"one"}

    def test_healthy_release(self, place: Driver) -> None:
        slot = place.deploy("one", self.slots[0]).slot.id
        place.healthy("one", slot)
        before = place.observe()
        results = place.health("one", slot)
        assert all(one.healthy and one.name for one in results)
        assert place.observe().fingerprint() == before.fingerprint()

    def test_broken_release_is_unhealthy(self, place: Driver) -> None:
        slot = place.deploy("one", self.slots[0], "broken").slot.id
        found: list[Any] = []

        def told() -> bool:
            found[:] = place.health("one", slot)
            return bool(found) and not any(one.starting for one in found)

        until(told, lambda: f"it never tells: {found}")
        assert not any(one.healthy for one in found), "an application that answers 500 is called healthy"

    def test_release_that_never_listens_is_not_healthy(self, place: Driver) -> None:
        slot = place.deploy("one", self.slots[0], "silent").slot.id
        for _ in range(5):
            assert not any(one.healthy for one in place.health("one", slot)), (
                "nothing answers, and it is called healthy"
            )

    # -- traffic -------------------------------------------------------------------------------------------------

    def test_switch_is_observed(self, place: Driver, two: tuple[str, str]) -> None:
        first, second = two
        state = place.switch({first: 0.0, second: 100.0})
        assert state.weights.get(second) == 100.0
        assert state.weights.get(first, 0.0) == 0.0
        assert place.weights() == {second: 100.0}
        stable = place.observe().stable
        assert stable is not None
        assert stable.id == second
        if place.platform.capabilities.release_header:
            assert place.releases_that_answer(20) == {"two"}

    def test_switch_twice_changes_nothing(self, place: Driver, two: tuple[str, str]) -> None:
        first, second = two
        once = place.switch({first: 0.0, second: 100.0})
        before = place.observe()
        again = place.switch({first: 0.0, second: 100.0})
        assert (again.weights, again.generation) == (once.weights, once.generation)
        assert place.observe().fingerprint() == before.fingerprint()

    def test_shares_add_up_and_reach_both(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "weighted_traffic")
        first, second = two
        state = place.switch({first: 70.0, second: 30.0})
        assert sum(state.weights.values()) == pytest.approx(100.0)
        assert place.weights() == pytest.approx({first: 70.0, second: 30.0})
        if place.platform.capabilities.release_header:
            until(lambda: place.releases_that_answer(20) == {"one", "two"}, lambda: "only one of them answers")

    def test_switch_to_an_unknown_slot_is_refused(self, place: Driver, two: tuple[str, str]) -> None:
        with pytest.raises(OspecError):
            place.switch({"no-such-slot": 100.0})
        assert place.weights() == {two[0]: 100.0}

    def test_shares_that_do_not_add_up_are_refused(self, place: Driver, two: tuple[str, str]) -> None:
        with pytest.raises(OspecError):
            place.switch({two[0]: 20.0, two[1]: 30.0})
        assert place.weights() == {two[0]: 100.0}

    # -- retire and rollback -------------------------------------------------------------------------------------

    def test_retire_removes_a_slot_and_twice_is_fine(self, place: Driver, two: tuple[str, str]) -> None:
        place.retire(two[1])
        once = place.observe()
        slot = once.slot(two[1])
        assert slot is None or not slot.releases
        place.retire(two[1])
        assert place.observe().fingerprint() == once.fingerprint()
        assert place.weights() == {two[0]: 100.0}

    def test_retire_of_the_serving_slot_is_refused(self, place: Driver, two: tuple[str, str]) -> None:
        with pytest.raises(OspecError):
            place.retire(two[0])
        assert place.weights() == {two[0]: 100.0}

    def test_retire_of_everything_leaves_nothing(self, place: Driver, two: tuple[str, str]) -> None:
        address = place.observe().address
        place.retire(None)
        assert [slot for slot in place.observe().slots if slot.releases] == []
        if address:
            with pytest.raises(OSError):  # noqa: PT011 - which one is the system's
                place.ask(address=address)
        place.retire(None)

    def test_rollback_of_a_warm_release_changes_nothing(self, place: Driver, two: tuple[str, str]) -> None:
        first, second = two
        place.switch({first: 0.0, second: 100.0})
        before = place.observe()
        back = place.roll_back("one", first)
        assert (back.slot.id, back.changed) == (first, False)
        assert place.observe().fingerprint() == before.fingerprint()
        place.switch({first: 100.0, second: 0.0})
        assert place.weights() == {first: 100.0}

    def test_rollback_brings_a_cold_release_back(self, place: Driver, two: tuple[str, str]) -> None:
        first, second = two
        place.switch({first: 0.0, second: 100.0})
        place.retire(first)
        back = place.roll_back("one", first)
        place.healthy("one", back.slot.id)
        assert back.changed
        assert back.slot.releases == (place.reference("one"),)
        assert place.weights() == {second: 100.0}, "rollback moved traffic"

    # -- secrets, cancelling, numbers ------------------------------------------------------------------------------

    def test_secrets_reach_the_application_and_nothing_else(self, place: Driver) -> None:
        slot = place.serve("one", self.slots[0])
        told = [place.observe(), place.health("one", slot), place.logs() if hasattr(self.plugin, "logs") else []]
        assert CANARY not in repr(told), "an answer holds the secret"
        assert CANARY not in "\n".join(place.lines), "a logged line holds the secret"
        for path in place.home.rglob("*"):
            if path.is_file():
                assert CANARY.encode() not in path.read_bytes(), f"{path.relative_to(place.home)} holds the secret"
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            assert CANARY.encode() not in read_if_there(entry), "an argument of a process holds the secret"
        digest = hashlib.sha256(CANARY.encode()).hexdigest()
        assert place.ask("/secret")[2].decode() == digest, "the application did not get it"

    def test_a_hook_that_was_cancelled_ends_at_once(self, place: Driver, two: tuple[str, str]) -> None:
        first, second = two
        cancelled = threading.Event()
        with place.asking("/slow?seconds=20"):  # under way on the old release: whoever drains it would wait
            running = Running(lambda: place.switch({first: 0.0, second: 100.0}, cancelled=cancelled))
            until(lambda: place.weights() == {second: 100.0}, lambda: "the switch was not observed")
            cancelled.set()
            ends_at_once(running)
            ends_at_once(Running(lambda: place.retire(first, cancelled=cancelled)))

    def test_numbers_tell_release_and_source(self, place: Driver, two: tuple[str, str]) -> None:
        self.need(place, "metrics")
        found: list[Any] = []

        def counted() -> bool:
            place.ask()
            found[:] = place.metrics()
            return any(one.metric == "requests" and one.value > 0 for one in found)

        until(counted, lambda: f"no requests are counted: {found}")
        assert all(one.source for one in found)
        assert {one.release for one in found if one.metric == "requests" and one.value > 0} == {"one"}

    def test_no_data_is_an_empty_answer(self, place: Driver) -> None:
        self.need(place, "metrics")
        slot = place.deploy("one", self.slots[0]).slot.id
        place.healthy("one", slot)
        assert [one for one in place.metrics() if one.metric == "requests"] == [], "nobody asked, and it has numbers"
