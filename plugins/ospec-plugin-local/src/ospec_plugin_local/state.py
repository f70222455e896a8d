"""The platform's memory of one service in one environment: what should run and what was told to the proxy."""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from attrs import evolve, field, frozen
from ospec.converter import from_json, to_json
from ospec.errors import FatalError, RetryableError
from ospec.models.context import HookContext

from ospec_plugin_local.place import Place, writing

VERSION = 1
SLOTS = ("blue", "green")
WEB = "web"
"""The process that takes traffic."""


@frozen
class InstanceState:
    """One copy of one process that should run."""

    id: str
    process: str
    port: int | None
    """None for a worker."""
    leaving: bool = False
    """It gets no more requests, and ends when those under way have."""


@frozen
class SlotState:
    """What a slot holds."""

    label: str
    release: str
    release_id: str
    key: str
    """``<label>-<serial>``: names this deployment's programs, its cluster and its environment at the keeper."""
    files: str
    instances: tuple[InstanceState, ...]
    check_path: str = ""
    """What the proxy asks instances for; empty: it only connects."""
    check_seconds: float = 5.0

    @property
    def ports(self) -> tuple[int, ...]:
        """Ports of the instances that take traffic."""
        return tuple(one.port for one in self.instances if one.process == WEB and one.port and not one.leaving)

    @property
    def counted(self) -> dict[str, int]:
        """How many instances of each process it has, without those that leave."""
        return dict(Counter(one.process for one in self.instances if not one.leaving))

    def program(self, instance: InstanceState) -> str:
        """The name of an instance's program, its files and its log."""
        return f"{self.key}.{instance.id}"

    @property
    def program_names(self) -> tuple[str, ...]:
        """Every program of the slot."""
        return tuple(self.program(one) for one in self.instances)


@frozen
class State:
    """All of it. `slots` and `past` are by label; `slots` has what was asked for last.

    Who gets which traffic is in what was told to the proxy.
    """

    host: str
    port: int
    slot_ports: Mapping[str, int]
    """Where each slot is reached alone."""
    stop_seconds: float
    log_bytes: int
    log_files: int
    serial: int = 0
    """Counts deployments."""
    generation: int = 0
    """Counts what was told to the proxy; never used twice."""
    stable: str = ""
    """The slot that took all the traffic last…"""
    former: str = ""
    """…and the one that had it before, while it stays warm."""
    slots: Mapping[str, SlotState] = field(factory=dict)
    past: Mapping[str, SlotState] = field(factory=dict)
    """What each slot held last, for its logs."""
    mark: str = ""
    """What requests of ospec's own say, and no user knows."""
    others: tuple[SlotState, ...] = ()
    """What else is in slots whose instances are replaced in place, a few at a time."""

    @property
    def address(self) -> str:
        """The front door's URL."""
        return url_of(self.host, self.port)

    @property
    def program_names(self) -> tuple[str, ...]:
        """Every program of every slot."""
        return tuple(name for held in self.held for name in held.program_names)

    @property
    def held(self) -> tuple[SlotState, ...]:
        """Every deployment of every slot."""
        return (*self.slots.values(), *self.others)

    @property
    def keys(self) -> dict[str, str]:
        """The slot's label of each deployment's key."""
        return {one.key: one.label for one in self.held}

    def held_in(self, label: str) -> tuple[SlotState, ...]:
        """What a slot holds, the release that was asked for last first."""
        return tuple(one for one in self.held if one.label == label)

    def led_by(self, held: SlotState) -> State:
        """The state in which this deployment is what its slot was asked for last; what was there stays beside it."""
        label, before = held.label, self.slots.get(held.label)
        others = tuple(one for one in self.others if one.key != held.key)
        if before and before.key != held.key:
            others = (*others, before)
        return evolve(self, slots={**self.slots, label: held}, others=others)

    def having(self, held: SlotState) -> State:
        """The state with a deployment as it is now."""
        return evolve(
            self,
            slots={label: held if one.key == held.key else one for label, one in self.slots.items()},
            others=tuple(held if one.key == held.key else one for one in self.others),
        )

    def without(self, held: SlotState) -> State:
        """The state without a deployment that was beside another one."""
        others = tuple(one for one in self.others if one.key != held.key)
        return evolve(self, others=others, past={**self.past, held.label: held})


def url_of(host: str, port: int) -> str:
    """The URL that reaches a listener from this machine."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 (compared, not bound)
    return f"http://{f'[{reached}]' if ':' in reached and not reached.startswith('[') else reached}:{port}"


def load_state(place: Place) -> State | None:
    """The state, or None before the first deployment.

    Raises:
        FatalError: the file is broken (``state-broken``) or another version's (``state-version``).
    """
    try:
        found = json.loads(place.state.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _broken(place, str(error)) from error
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and version != VERSION:
        newer = version > VERSION
        raise FatalError(
            f"{place.state} has format {version}, this ospec-plugin-local reads {VERSION}",
            code="state-version",
            where="local",
            hints=(
                "install the newer ospec-plugin-local that wrote it"
                if newer
                else "take the service down with the older ospec-plugin-local that wrote it, then deploy again",
            ),
        )
    try:
        return from_json({key: value for key, value in found.items() if key != "version"}, State)
    except Exception as error:  # whatever does not fit, the file is not ours to read
        raise _broken(place, f"{type(error).__name__}: {error}") from error


def save_state(place: Place, state: State) -> None:
    """Keep the state durably; a reader sees the old or the new one."""
    draft = place.root / ".state.json"
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"version": VERSION, **to_json(state)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place.state)


@contextmanager
def changing(ctx: HookContext, place: Place) -> Iterator[None]:
    """Hold the place's lock for as long as something is changed there.

    Raises:
        RetryableError: another holder kept it until the deadline.
        FatalError: the disk is full, or not ours to write.
    """
    with writing(), place.lock.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if ctx.deadline.passed:
                    raise RetryableError("another ospec changes this service", code="busy", where="local") from error
                ctx.pause(0.02)
            else:
                break
        yield


def _broken(place: Place, why: str) -> FatalError:
    return FatalError(
        f"{place.state} cannot be read: {why}",
        code="state-broken",
        where="local",
        hints=("what runs goes on; end it, whatever the file says, and deploy again: ospec down",),
    )
