"""What a platform says is there: slots, traffic, health, numbers. Answers of hooks, never wishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from ospec.models.release import ReleaseRef
from ospec.naming import digest

Role = Literal["stable", "candidate", "idle"]


@frozen
class Instance:
    """One running copy of one process of a release."""

    id: str
    process: str
    state: str
    """The platform's own word, such as ``running``, ``starting``, ``exited``."""
    ready: bool = False
    pid: int | None = None
    port: int | None = None
    detail: str = ""
    release: str = ""
    """The name of the release that it runs, where its slot holds more than one."""


@frozen
class Slot:
    """Where a release runs. The platform issues `id`; two-slot platforms label them ``blue`` and ``green``."""

    id: str
    label: str
    role: Role
    releases: tuple[ReleaseRef, ...] = ()
    """The releases inside; one but while a batch-wise rollout is under way."""
    weight_percent: float = 0.0
    """The share of the front door's traffic it gets, 0 to 100."""
    wanted: int = 0
    """Instances it should have."""
    ready: int = 0
    """Instances able to serve now."""
    address: str | None = None
    """A URL that reaches this slot alone."""
    instances: tuple[Instance, ...] = ()

    @property
    def release(self) -> ReleaseRef | None:
        """The one release inside, or None where there is none (or more than one)."""
        return self.releases[0] if len(self.releases) == 1 else None


@frozen
class Obstacle:
    """What would make any deploy fail, found before one begins."""

    message: str
    code: str
    """As an error of the same kind has it."""
    where: str = ""
    hints: tuple[str, ...] = ()
    of_document: bool = False
    """It is what the document says now that cannot work. That hinders no return to what ran before (rollback, up)."""


@frozen
class LiveState:
    """What there is of one service in one environment."""

    slots: tuple[Slot, ...] = ()
    address: str | None = None
    """The front door's URL, as users reach it."""
    configuration_digest: str = ""
    """What the platform holds outside the slots (front door settings, say)."""
    probe_headers: Mapping[str, str] = field(factory=dict)
    """What a request of ospec's own says, so that `collect_metrics` does not count it as a user's."""
    problems: tuple[str, ...] = ()
    """What a person would want to know: a dead proxy, a slot with fewer ready instances than wanted."""
    obstacles: tuple[Obstacle, ...] = ()
    """A busy port, a missing program: told before a run begins, which is then refused."""

    @property
    def stable(self) -> Slot | None:
        """The slot that serves, or None before the first release."""
        return next((slot for slot in self.slots if slot.role == "stable"), None)

    def slot(self, slot_id: str) -> Slot | None:
        """The slot with this id."""
        return next((slot for slot in self.slots if slot.id == slot_id), None)

    def fingerprint(self) -> str:
        """Digest of slots, release ids, weights and configuration; not of pids, health or counts, which move alone."""
        rows = sorted(
            (slot.id, slot.label, slot.role, *(r.id for r in slot.releases), repr(float(slot.weight_percent)))
            for slot in self.slots
        )
        return digest([list(row) for row in rows] + [self.address or "", self.configuration_digest])


@frozen
class HeaderRule:
    """Requests whose header `name` is exactly `value` go to one slot, before any weight is looked at."""

    name: str
    value: str
    slot: str
    """Id of the slot."""


@frozen
class Maintenance:
    """What the front door answers while no slot serves: status 503."""

    retry_after_seconds: int = 30
    """The answer's ``Retry-After``."""
    body: str = "down for maintenance\n"
    content_type: str = "text/plain; charset=utf-8"


@frozen
class TrafficSplit:
    """A wish: the percentage of the front door's traffic by slot id. The values add up to 100.

    With `maintenance` they may all be 0.
    """

    weights: Mapping[str, float]
    headers: tuple[HeaderRule, ...] = ()
    sticky: bool = False
    """A user is known by a cookie: who saw the slot that gains traffic stays on it, and as its share grows others
    follow only in that proportion."""
    gaining: str = ""
    """Id of the slot whose share grows in this rollout, for `sticky`."""
    maintenance: Maintenance | None = None


@frozen
class TrafficState:
    """What was observed after a switch, not what was asked."""

    weights: Mapping[str, float]
    address: str | None = None
    generation: str = ""
    """The configuration the data plane acknowledged."""
    applied_at: float = 0.0
    """Unix seconds when the data plane was seen to serve it."""
    headers: tuple[HeaderRule, ...] = ()
    sticky: bool = False
    maintenance: bool = False


@frozen
class Deployment:
    """The answer of `deploy` and `rollback`: a slot that was made able to run a release."""

    slot: Slot
    changed: bool = True
    """False when the slot was already so and nothing had to be done."""


@frozen
class HealthResult:
    """One health check of one instance (or of a whole slot)."""

    name: str
    healthy: bool
    starting: bool = False
    """True while nothing answers yet (connection refused by a program that still runs): no verdict, ask again."""
    gone: bool = False
    """True where the program ended by itself: it counts as a bad answer even while the slot starts, and ends a guard
    window at once. With `starting` it is back and answers: a slot that starts is given time to show that it stays."""
    detail: str = ""
    instance: str = ""
    latency_ms: float | None = None


@frozen
class Measurement:
    """One number of one release in one time bin.

    Counters (`requests`, `errors`) carry the count of the bin in `value`; `request_duration_ms` carries
    cumulative `buckets` as (upper bound in ms, count of requests at most that long in the bin).
    """

    metric: str
    release: str
    source: str
    at: float
    """Unix seconds at the start of the bin."""
    value: float
    seconds: float = 1.0
    buckets: tuple[tuple[float, int], ...] = ()


@frozen
class RenderedFile:
    """A file a plugin wants written, its path relative to the output folder with ``/``."""

    path: str
    content: str
    executable: bool = False
    plugin: str = field(default="", eq=False)


@frozen
class LogLine:
    """One line of one instance's log."""

    text: str
    slot: str = ""
    instance: str = ""
    release: str = ""
