"""What plugins register: small frozen records, collected once; a name clash names both sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from attrs import field, frozen

from ospec.models.context import Deadline, ObserveContext, SecretResolver
from ospec.models.judging import JudgeInput, Verdict
from ospec.models.live import LiveState, Obstacle, Slot
from ospec.models.notice import Notice
from ospec.models.plan import Plan, Rollout, Step
from ospec.models.release import Release
from ospec.models.run import ControlMessage, Record, RunHeader
from ospec.models.target import Target

# -- platforms and strategies ---------------------------------------------------------------------------------------


@frozen
class Capabilities:
    """What a platform can do; strategies are negotiated against it."""

    slots: bool = False
    """A second release can run beside the stable one, without traffic."""
    weighted_traffic: bool = False
    """The front door can split by percent."""
    header_routing: bool = False
    sticky_sessions: bool = False
    maintenance: bool = False
    """The front door can answer for maintenance while no slot serves."""
    batches: bool = False
    """Instances of a slot can be replaced a few at a time."""
    release_header: bool = False
    """Answers of the front door and of slot addresses carry ``x-ospec-release``."""
    instances: bool = False
    """The number of instances is ours to set."""
    metrics: bool = False
    """`collect_metrics` tells requests and errors by release."""
    scripted: bool = False
    """The user's own scripts are the rollout (`stack.deploy = "script"`)."""
    drives_rollout: tuple[str, ...] = ()
    """Strategies that the platform runs by itself, as one delegate step."""


def _no_time(target: Target) -> float:
    return 0.0


@frozen
class Platform:
    """A place where releases run.

    `aliases` match `stack.deploy`, compared without case, blanks and punctuation ("Docker + Kubernetes").
    """

    name: str
    capabilities: Capabilities
    aliases: tuple[str, ...] = ()
    settings: type | None = None
    """Frozen attrs class of `[plugins.<name>]`."""
    default_store: str = "sqlite"
    stop_seconds: Callable[[Target], float] = _no_time
    """How long the target's instances may take to end by themselves. Steps that end some have so much more time."""


@frozen
class StrategyInput:
    """All that a strategy may look at."""

    target: Target
    capabilities: Capabilities
    live: LiveState
    settings: Any = None
    """An instance of the strategy's settings class."""
    judge: str = ""
    """The judge that the document names or a plugin brings; empty where there is but the core's own, ``bounds``."""


@frozen
class Strategy:
    """A way to roll out: a pure function from `StrategyInput` to `Rollout`; no I/O, no clock, no randomness."""

    name: str
    plan: Callable[[StrategyInput], Rollout]
    aliases: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Names of `Capabilities` fields without which the plan is refused."""
    wants: tuple[str, ...] = ()
    """Names of `Capabilities` fields without which the plan names a degradation."""
    in_place: bool = False
    """Where a release serves it is replaced in its own slot; a rollback is then planned by the strategy, too."""
    settings: type | None = None


# -- steps ----------------------------------------------------------------------------------------------------------


@frozen
class Unit:
    """A release as hooks need it: with the target it was planned with and its snapshot folder."""

    release: Release
    target: Target
    files: Path


class StepRun(Protocol):
    """What a step kind's `run` is given. Everything that changes the world goes through here."""

    run: str
    step: Step
    plan: Plan
    root: Path
    """The folder of the document."""
    home: Path
    operation_id: str
    deadline: Deadline
    secrets: SecretResolver
    earlier_notes: tuple[Mapping[str, Any], ...]
    """What earlier tries of this step noted before they were cut; oldest first."""

    def observe(self, within_seconds: float = 0.0) -> LiveState:
        """Ask the platform what is there now; what this run saw so long ago will do where it changed nothing since."""
        ...

    def slot(self, role: str, live: LiveState | None = None) -> Slot:
        """The slot a step means, ``candidate`` or ``stable``, as it is now or in `live`; `FatalError` where none is."""
        ...

    def unit(self, role: str) -> Unit:
        """The release that belongs into the slot ``candidate`` or ``stable``, with its own target and files."""
        ...

    def capabilities(self) -> Capabilities:
        """What the target's platform can do."""
        ...

    def call(self, hook: str, **fields: Any) -> list[tuple[str, Any]]:
        """Call an operational hook on every plugin that concerns the target; (plugin, answer), the platform's first.

        `fields` are the hook's own, and `target` where it is another release's; what every hook gets is filled in.
        Raises what the plugin raised, or `FatalError` where the platform gave no answer.
        """
        ...

    def environment(self, role: str) -> Mapping[str, str]:
        """The environment of the user's scripts; `OSPEC_URL` reaches the slot, or the front door for ``front``."""
        ...

    def retire_later(self, slot: Slot, seconds: float) -> None:
        """Keep a slot warm, to be retired by the first command after `seconds`."""
        ...

    def paused(self) -> bool:
        """Whether a person ordered to go no further (`ospec pause`)."""
        ...

    def passed(self) -> bool:
        """Whether a person ordered to go on from this step (`ospec promote`); never so once everybody is exposed."""
        ...

    def looks(self) -> list[Mapping[str, Any]]:
        """What judges were given and answered in this run so far, in order: the notes of steps that judge."""
        ...

    def asked_of(self) -> Mapping[str, str]:
        """Of the measurements that the document asks a source for: the name to the plugin whose numbers count."""
        ...

    def judge(self, name: str) -> tuple[Judge, Any]:
        """A judge by its name, with its settings; `FatalError` where nothing loaded brings it."""
        ...

    def note(self, **body: Any) -> None:
        """Write a `step-note` record: a sub-step, a number, a line; JSON values only."""
        ...

    def log(self, line: str) -> None:
        """One line for the person who watches; also a note."""
        ...

    def output(self, line: str) -> None:
        """One line that the user's program printed: shown, not journaled."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait; raises `CancelledError` on abort and `FatalError` at the step's deadline."""
        ...

    def check(self) -> None:
        """Raise `CancelledError` on abort, `FatalError` at the deadline."""
        ...


@frozen
class StepKind:
    """What a step does. The engine knows no kind by name.

    `run` returns the step's result (JSON values); it raises `OspecError` to fail. It must be idempotent, or its
    `rerun` says that resume has to ask.
    """

    name: str
    run: Callable[[Any], Mapping[str, Any]]
    exposes_users: Callable[[Step, Plan | None], bool] = lambda step, plan: False
    """Whether it can put users on a release that is not yet judged good."""
    reversible: bool = True
    timeout_seconds: float = 300.0
    stop_seconds: float = 1.0
    """How long it may take to end once it was asked to; then the run goes on without it."""
    prepares: bool = False
    """Works in the snapshot only: where nothing but such steps began, there is nothing to return from."""
    moves_traffic: bool = False
    """The prober counts its requests from before the first such step until the run ends."""


Anchor = Literal["before-build", "before-exposure", "before-promotion", "after-guard-window", "on-failure"]


@frozen
class StepContribution:
    """Steps a plugin adds to every plan it concerns."""

    name: str
    anchor: Anchor
    steps: Callable[[Target, Release], Sequence[Step]]
    order: int = 50


# -- protection, secrets, judging, notices ----------------------------------------------------------------------------


@frozen
class Guardrail:
    """Something that must hold before users are exposed. `keys` are the document keys it enforces."""

    name: str
    keys: tuple[str, ...]
    check: Callable[[StepRun, Any], Mapping[str, Any]] | None = None


@frozen
class SecretProvider:
    """Resolves secret names of one `secrets.provider` scheme (``local://env``)."""

    name: str
    schemes: tuple[str, ...]
    resolve: Callable[[Target, str], str]
    """(target, name) to the value; raises `OspecError` where it is missing."""
    version: Callable[[Target, str], str] = lambda target, name: ""
    """The value's version, never derived from the value in a way that tells it."""


@frozen
class Judge:
    """Judges a release by its measurements: a pure function, called at every look with what is new."""

    name: str
    judge: Callable[[JudgeInput], Verdict]
    settings: type | None = None
    """Frozen attrs class of the plugin's own table, `[plugins.<plugin>]`; every field has a default."""


@frozen
class SourceState:
    """What a source of metrics says of itself before a run."""

    problems: tuple[str, ...] = ()
    """What may pass: it cannot be reached now."""
    obstacles: tuple[Obstacle, ...] = ()
    """What will not: it refuses the token, a query is wrong. A deploy is refused, which nobody could judge."""


@frozen
class MetricSource:
    """Where numbers come from besides the platform: a plugin with `collect_metrics`."""

    name: str
    settings: type | None = None
    """Frozen attrs class of the plugin's own table, `[plugins.<plugin>]`."""
    tells: Callable[[Target], Collection[str]] = lambda target: ()
    """Names of the measurements that the document asks this source for: where a release is judged, nobody else's count,
    so that numbers that come sooner do not settle what was to be judged by these."""
    check: Callable[[ObserveContext], SourceState] = lambda ctx: SourceState()
    """Asked by `ospec plan`, `ospec doctor` and before every deploy; ends within seconds."""


@frozen
class Notifier:
    """A channel that tells people; it cannot stop a run.

    `notify` is given the notice, the settings and a resolver, in a thread of its own. It makes one try: a
    `RetryableError` is tried again a few times, after its `retry_after`; anything else that it raises loses the notice
    and is a warning. What it resolves (`secret` fields) may reach the request that tells, and nothing else.
    """

    name: str
    """What documents call the channel: ``slack``."""
    notify: Callable[[Notice, Any, SecretResolver], None]
    settings: type | None = None
    """Frozen attrs class of the plugin's own table, `[plugins.<plugin>]`; fields that are secret are made by
    `ospec.models.notice.secret`."""
    seconds_between: float = 1.0
    """The least time from one notice to the next once a few went in a row; what waits meanwhile is merged."""


# -- stores -----------------------------------------------------------------------------------------------------------


class Lease(Protocol):
    """The right to execute a run of one service and environment, as long as its owner lives."""

    token: int
    """Fencing token: every append carries it; an older owner's appends are refused."""

    def release(self) -> None:
        """Give it back; safe to call twice."""
        ...


class Store(Protocol):
    """Where journals, releases, control messages and locks are kept. Methods raise `OspecError`.

    Codes: ``open-run`` (another run is open; `hints` name it), ``stale-writer`` (fenced out), ``wrong-sequence``,
    ``unknown-run``, ``store-broken``, ``disk-full``.
    """

    def acquire(self, service: str, environment: str) -> Lease | None:
        """Take the lock; None where a living owner holds it."""
        ...

    def owner(self, service: str, environment: str) -> Mapping[str, Any] | None:
        """Who holds the lock now (pid, host, since), or None."""
        ...

    def open_run(self, header: RunHeader, body: Mapping[str, Any], lease: Lease) -> Record:
        """Start a run with its `run-started` record; refuses where the service and environment have an open one."""
        ...

    def append(self, run: str, expected_seq: int, kind: str, body: Mapping[str, Any], lease: Lease) -> Record:
        """Append durably; `expected_seq` is the last sequence number the writer knows."""
        ...

    def close_run(
        self, run: str, expected_seq: int, outcome: str, exit_code: int, body: Mapping[str, Any], lease: Lease
    ) -> Record:
        """Append `run-finished` and close the run, in one transaction."""
        ...

    def records(self, run: str, after: int = 0) -> list[Record]:
        """The run's records after a sequence number."""
        ...

    def header(self, run: str) -> RunHeader:
        """One run; an unambiguous prefix of its id will do."""
        ...

    def runs(self, service: str | None = None, environment: str | None = None, limit: int = 50) -> list[RunHeader]:
        """Newest first."""
        ...

    def open_header(self, service: str, environment: str) -> RunHeader | None:
        """The open run of this service and environment."""
        ...

    def forget_runs(self, before: float, keep: int) -> int:
        """Forget finished runs that started before a time (Unix seconds), never the newest `keep`; how many went."""
        ...

    def put_release(self, release: Mapping[str, Any]) -> None:
        """Remember a release (JSON with `release` and `target`); the same name with another id is refused."""
        ...

    def releases(self, service: str, environment: str) -> list[Mapping[str, Any]]:
        """Newest first, as they were put."""
        ...

    def drop_release(self, service: str, environment: str, release_id: str) -> None:
        """Forget a release (its snapshot was removed)."""
        ...

    def send(self, run: str, kind: str, body: Mapping[str, Any]) -> ControlMessage:
        """Leave a word for the process that executes the run."""
        ...

    def messages(self, run: str, after: int = 0) -> list[ControlMessage]:
        """Words left for a run after a message id."""
        ...

    def set_timer(self, service: str, environment: str, slot: str, at: float | None) -> None:
        """Remember to retire `slot` at `at` (Unix seconds); None forgets it."""
        ...

    def timers(self, service: str, environment: str) -> Mapping[str, float]:
        """Slots to retire, with their times."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


@frozen
class StoreKind:
    """A kind of store: `open(home, settings)` opens it, making what is missing."""

    name: str
    open: Callable[[Path, Mapping[str, Any]], Store]
    settings: type | None = None


@frozen
class Engine:
    """Another way to execute plans (a fleet engine)."""

    name: str
    execute: Callable[..., Any]
    requires: tuple[str, ...] = field(default=())
