"""What a hook call is given: one frozen context per hook. New needs become fields, never arguments."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from ospec.errors import CancelledError, FatalError
from ospec.models.live import LiveState, Slot, TrafficSplit
from ospec.models.release import Release
from ospec.models.target import Target


class SecretResolver(Protocol):
    """Turns references into values at the moment of use; they reach a child process or a platform API, nothing else."""

    def resolve(self, text: str) -> str:
        """Replace every ``${NAME}`` of a secret in `text` by its value; raise `OspecError` naming a missing one."""
        ...

    def names(self, text: str) -> tuple[str, ...]:
        """The secrets that `text` refers to."""
        ...

    def redact(self, text: str) -> str:
        """`text` without any secret value that was resolved before: the second line, where one slipped through."""
        ...


class NoSecrets:
    """The resolver of a target without secrets: text stays as it is."""

    def resolve(self, text: str) -> str:
        return text

    def names(self, text: str) -> tuple[str, ...]:
        return ()

    def redact(self, text: str) -> str:
        return text


@frozen
class Deadline:
    """A moment on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """True once it is over."""
        return time.monotonic() >= self.at


@frozen(kw_only=True)
class HookContext:
    """What every operational hook is given."""

    target: Target
    home: Path
    """The state folder (`.ospec/`, or OSPEC_HOME). What a platform keeps on this machine is in a folder of its own name
    below."""
    operation_id: str = ""
    """Stable across resume and retries: the idempotency key of APIs that create."""
    deadline: Deadline = field(factory=lambda: Deadline.after(300.0))
    cancelled: threading.Event = field(factory=threading.Event)
    """Set on abort. Long calls look at it at least once a second (`pause` does)."""
    secrets: SecretResolver = NoSecrets()
    log: Callable[[str], None] = lambda line: None
    """One line for the person who watches; journaled as a note."""

    def pause(self, seconds: float) -> None:
        """Wait; raises as `check`, at once when the run is aborted."""
        self.cancelled.wait(min(seconds, self.deadline.left))
        if self.cancelled.is_set():
            self.check()

    def check(self) -> None:
        """Raise `CancelledError` where the run was aborted, `FatalError` (``time-limit``) past the deadline."""
        if self.deadline.passed:
            raise FatalError("it took longer than its time limit", code="time-limit")
        if self.cancelled.is_set():
            raise CancelledError()


@frozen(kw_only=True)
class ObserveContext(HookContext):
    """`observe`: look, change nothing."""


@frozen(kw_only=True)
class RenderContext(HookContext):
    """`render`: the files a release needs, as text; no I/O, no secret value."""

    release: Release
    live: LiveState = LiveState()


@frozen(kw_only=True)
class ReleaseContext(HookContext):
    """What hooks that act on one release and slot are given."""

    release: Release
    slot: str
    """Id (or, for a slot that is yet to be made, label) of the slot."""
    files: Path
    """The release's snapshot folder."""


@frozen
class Batch:
    """A state on the way of a slot whose instances are replaced in place, a few at a time.

    It asks for at least `instances` of the release and at most `others` of any other, so that the same batch again, and
    an earlier one, change nothing. Others leave first: their requests end, then they. Users get whatever is healthy.
    Further processes of a release (`[processes.<name>]`) change with the batch that leaves no others.
    """

    instances: int
    """Instances of the web process of the release; those that were missing are started, not yet healthy."""
    others: int
    """Instances of the web process of other releases that may stay."""
    least_ready: int = 0
    """Instances able to serve, of whatever release: none is taken away that would leave fewer; waits for more."""


@frozen(kw_only=True)
class DeployContext(ReleaseContext):
    """`deploy`: make `slot` run `release`. Moves no traffic where slots are separate."""

    instances: int | None = None
    """Instances of the web process; None: as the target says."""
    batch: Batch | None = None
    """Replace instances in place, this far; None: the whole slot."""


@frozen(kw_only=True)
class RollbackContext(ReleaseContext):
    """`rollback`: make `release` able to serve in `slot` again (start it where it is not running)."""

    instances: int | None = None
    batch: Batch | None = None


@frozen(kw_only=True)
class HealthContext(ReleaseContext):
    """`health_check`: ask every instance of `release` in `slot` once."""


@frozen(kw_only=True)
class SwitchContext(HookContext):
    """`switch_traffic`: give each slot its share, wait for the data plane's acknowledgement, say what was observed."""

    split: TrafficSplit
    slots: tuple[Slot, ...] = ()
    """The slots named in `split`, as they were deployed."""


@frozen(kw_only=True)
class MetricsContext(HookContext):
    """`collect_metrics`: one-second bins of the last `since_seconds`, by release."""

    slots: tuple[Slot, ...] = ()
    since_seconds: float = 10.0


@frozen(kw_only=True)
class RetireContext(HookContext):
    """`retire`: remove one slot, or with `slot` None everything the platform holds for the target.

    A slot is drained first: its open requests have `drain_seconds` from when it lost its traffic.
    """

    slot: str | None = None


@frozen(kw_only=True)
class LogsContext(HookContext):
    """`logs`: the last `lines` lines of each instance, then, with `follow`, what comes."""

    slot: str | None = None
    instance: str | None = None
    lines: int = 100
    follow: bool = False


@frozen(kw_only=True)
class Event:
    """What `on_event` is told: a record of a run, as it was journaled."""

    run: str
    service: str
    environment: str
    kind: str
    at: float
    body: Mapping[str, object]
