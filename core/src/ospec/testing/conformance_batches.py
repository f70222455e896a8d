"""Checks of a slot whose instances are replaced in place, a few at a time."""

from __future__ import annotations

import pytest

from ospec.errors import OspecError
from ospec.models.context import Batch, Deadline
from ospec.models.live import Maintenance
from ospec.testing.conformance_base import PlatformChecks
from ospec.testing.driver import Driver, until

_HALF, _ALL = Batch(1, 1, 1), Batch(2, 0, 1)
"""The service has two instances."""


class BatchChecks(PlatformChecks):
    """Each is skipped where the platform cannot do it."""

    @pytest.fixture
    def served(self, place: Driver) -> str:
        """Release one serves: its slot's id."""
        self.need(place, "batches")
        return place.serve("one", self.slots[0])

    def test_a_batch_leaves_both_releases_in_the_slot(self, place: Driver, served: str) -> None:
        made = place.batch("two", served, _HALF)
        place.healthy("two", served)
        slot = place.observe().slot(served)
        assert slot is not None
        assert (made.changed, made.slot.id) == (True, served)
        assert set(slot.releases) == {place.reference("one"), place.reference("two")}
        assert (slot.wanted, slot.ready) == (2, 2)
        assert place.weights() == {served: 100.0}
        assert {one.release for one in slot.instances} <= {"one", "two"}
        if place.platform.capabilities.release_header:
            until(lambda: place.releases_that_answer(20) == {"one", "two"}, lambda: "only one of them answers")

    def test_the_last_batch_leaves_one_release(self, place: Driver, served: str) -> None:
        for batch in (_HALF, _ALL):
            place.batch("two", served, batch)
            place.healthy("two", served)
        slot = place.observe().slot(served)
        assert slot is not None
        assert slot.releases == (place.reference("two"),)
        assert (slot.wanted, slot.ready) == (2, 2)
        assert place.weights() == {served: 100.0}
        if place.platform.capabilities.release_header:
            assert place.releases_that_answer(20) == {"two"}

    def test_a_batch_again_and_an_earlier_one_change_nothing(self, place: Driver, served: str) -> None:
        for batch in (_HALF, _ALL):
            place.batch("two", served, batch)
            place.healthy("two", served)
            before = place.observe()
            for again in {_HALF, batch}:
                assert not place.batch("two", served, again).changed, f"{again} says that it changed something"
            after = place.observe()
            assert after.fingerprint() == before.fingerprint()
            assert [slot.instances for slot in after.slots] == [slot.instances for slot in before.slots]

    def test_the_way_back_from_a_batch(self, place: Driver, served: str) -> None:
        place.batch("two", served, _HALF)
        place.healthy("two", served)
        assert place.roll_back("one", served, batch=_ALL).changed
        place.healthy("one", served)
        slot = place.observe().slot(served)
        assert slot is not None
        assert slot.releases == (place.reference("one"),)
        assert (slot.wanted, place.weights()) == (2, {served: 100.0})

    def test_instances_get_users_only_once_they_are_healthy(self, place: Driver, served: str) -> None:
        place.batch("two", served, _HALF, "silent")
        place.health("two", served)
        answers = [place.ask()[:2] for _ in range(20)]
        assert {status for status, _ in answers} == {200}, "users are sent to an instance that does not answer"
        assert {release for _, release in answers} <= {"one", ""}

    def test_no_batch_leaves_fewer_than_have_to_be_ready(self, place: Driver, served: str) -> None:
        place.batch("two", served, _HALF, "silent")
        with pytest.raises(OspecError):
            place.batch("two", served, _ALL, "silent", deadline=Deadline.after(2.0))
        slot = place.observe().slot(served)
        assert slot is not None
        assert slot.ready >= 1

    def test_health_is_asked_of_one_release(self, place: Driver, served: str) -> None:
        place.batch("two", served, _HALF, "broken")
        until(
            lambda: not any(one.starting for one in place.health("two", served)),
            lambda: f"it never tells: {place.health('two', served)}",
        )
        assert all(one.healthy for one in place.health("one", served)), "the other release's instances count"

    def test_requests_end_before_their_instance_leaves(self, place: Driver, served: str) -> None:
        with place.asking("/slow?seconds=1") as first, place.asking("/slow?seconds=1") as second:
            place.batch("two", served, Batch(2, 0))
            assert [first.read(), second.read()] == [b"slow"] * 2, "a request under way was cut"

    def test_a_batch_of_nothing_stops_everything(self, place: Driver, served: str) -> None:
        self.need(place, "maintenance")
        place.switch({served: 0.0}, {"maintenance": Maintenance()})
        stopped = place.batch("two", served, Batch(0, 0))
        slot = place.observe().slot(served)
        assert stopped.changed
        assert slot is None or (slot.ready, slot.wanted) == (0, 0)
        place.batch("two", served, Batch(2, 0))
        place.healthy("two", served)
        place.switch({served: 100.0})
        assert place.weights() == {served: 100.0}
