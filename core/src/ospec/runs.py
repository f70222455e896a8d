"""Runs of a project in this process: the lease, the journal, the signals, and what is tidied up at the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal, Protocol

from attrs import define

from ospec import touched
from ospec.converter import from_stored_json, to_json
from ospec.engine.execute import Control, Execution
from ospec.engine.journal import Journal, RunState, error_json, fold, new_run_id
from ospec.engine.step_run import World
from ospec.errors import ExitCode, FatalError, OspecError, RefusedError
from ospec.host.versions import versions
from ospec.models.context import Deadline, Event, RetireContext
from ospec.models.live import LiveState
from ospec.models.plan import Plan
from ospec.models.registration import Lease, Unit
from ospec.models.run import ControlMessage, Record, RunHeader, open_run_refused
from ospec.notices.records import channels_of, notice_of
from ospec.project import Project
from ospec.steps.processes import Identity, end_group
from ospec.steps.snapshot import remove_tree, sealed_marker

_POLL_SECONDS = 0.05
_HEARD_SECONDS = 10.0
_STOP_SECONDS = 30.0
_STEP_END_SECONDS = 60.0
"""How long the step that is under way may take to end before the way back begins."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Watcher(Protocol):
    """Who follows a run as it happens: a terminal, a pipe."""

    def record(self, record: Record) -> None:
        """A record was journaled."""
        ...

    def output(self, step: str, line: str) -> None:
        """A user's program printed a line."""
        ...


class _Unheard:
    """A watcher that may go away: whatever it raises is its own trouble, and it is told nothing more."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher: Watcher | None = watcher

    def record(self, record: Record) -> None:
        self._tell(lambda watcher: watcher.record(record))

    def output(self, step: str, line: str) -> None:
        self._tell(lambda watcher: watcher.output(step, line))

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        if self._watcher is not None:
            try:
                what(self._watcher)
            except (OSError, ValueError):  # the terminal hung up, the pipe was closed
                self._watcher = None


@define
class Held:
    """The right to run a project, held by this process."""

    project: Project
    lease: Lease

    @property
    def key(self) -> tuple[str, str]:
        """Service and environment."""
        return self.project.target.service, self.project.target.environment


@contextmanager
def hold(project: Project) -> Iterator[Held]:
    """Hold the project's lock; slots whose time is over are retired first.

    Raises:
        RefusedError: another process holds it (``open-run``), naming its run.
    """
    service, environment = project.target.service, project.target.environment
    lease = project.store().acquire(service, environment)
    if lease is None:
        raise _held_by_another(project)
    try:
        yield Held(project, lease)
    finally:
        lease.release()


def _held_by_another(project: Project) -> RefusedError:
    service, environment = project.target.service, project.target.environment
    opened = project.store().open_header(service, environment)
    if opened is not None:
        return open_run_refused(opened)
    owner = project.store().owner(service, environment) or {}
    return RefusedError(
        f"process {owner.get('pid', '?')} on {owner.get('host', '?')} works on {service} in {environment} right now",
        code="open-run",
        hints=("try again in a moment",),
    )


def ask_owner_to_abort(project: Project, run: str | None = None) -> RunState | None:
    """Ask the living process that executes the open run to return from it, and wait for the run's end.

    Returns:
        The finished run; None where there is no open run or nobody who lives executes it.
    """
    store = project.store()
    key = (project.target.service, project.target.environment)
    opened = store.open_header(*key)
    if opened is None or store.owner(*key) is None:
        return None
    check_run(opened, run)
    touched.touch(f"run {opened.run} was asked to return and goes on with that: ospec show {opened.run}")
    store.send(opened.run, "abort", {"pid": os.getpid()})
    wait_seconds = project.target.rollback_timeout_seconds + _STEP_END_SECONDS
    deadline = time.monotonic() + wait_seconds
    while store.owner(*key) is not None:  # also the end of a run holds the lock a moment longer
        if time.monotonic() > deadline:
            raise OspecError(
                f"run {opened.run} did not end within {wait_seconds:g} s",
                code="time-limit",
                hints=(f"look at it: ospec show {opened.run}",),
            )
        time.sleep(_POLL_SECONDS)
    return fold(store.records(opened.run)) if store.header(opened.run).outcome else None


def order(project: Project, kind: Literal["pause", "promote"], run: str | None, *, full: bool = False) -> RunHeader:
    """Give an order to the living process that executes the open run, and wait until it was heard.

    Raises:
        RefusedError: no run is open (``no-open-run``), or nobody who lives executes it (``nobody-executes``).
        OspecError: the order was not heard in time (``time-limit``).
    """
    store, key = project.store(), (project.target.service, project.target.environment)
    opened = store.open_header(*key)
    if opened is None:
        raise RefusedError("there is no open run", code="no-open-run", hints=("list the runs: ospec history",))
    check_run(opened, run)
    if store.owner(*key) is None:
        raise RefusedError(
            f"nobody executes run {opened.run} any more",
            code="nobody-executes",
            hints=(f"go on with it: ospec resume {opened.run}", f"or go back: ospec abort {opened.run}"),
        )
    sent = store.send(opened.run, kind, {"pid": os.getpid(), "full": full})
    deadline = time.monotonic() + _HEARD_SECONDS
    while fold(store.records(opened.run)).last_order < sent.id:
        if time.monotonic() > deadline:
            raise OspecError(
                f"run {opened.run} did not hear it within {_HEARD_SECONDS:g} s",
                code="time-limit",
                hints=(f"look at it: ospec show {opened.run}",),
            )
        time.sleep(_POLL_SECONDS)
    return opened


def check_run(opened: RunHeader, run: str | None) -> None:
    """Refuse to touch an open run that is not the one that was named."""
    if run is not None and opened.run != run:
        raise RefusedError(
            f"run {run} is not the open run of {opened.service} in {opened.environment}, which is {opened.run}",
            code="unknown-run",
            hints=("name its document: -f FILE", "list the runs: ospec history"),
        )


def begin(held: Held, plan: Plan, watcher: Watcher, probe_rate: float) -> RunState:
    """Start a run of `plan` and execute it to its end; the state it ended in."""
    watcher = _Unheard(watcher)
    at = time.time()
    release = plan.release
    run = new_run_id(at, os.urandom(3))
    header = RunHeader(run, *held.key, plan.action, release.name, release.id, at)
    state = RunState()
    seen = held.project.seen or held.project.observe()  # the plan was just made from it
    executed_by = versions(held.project.host.loaded, held.project.plugins)
    body = {"run": run, "plan": to_json(plan), "address": seen.address, "executed_by": executed_by}
    tell = _teller(held.project, state, watcher, run)
    touched.touch(_then(run))
    journal = Journal.start(held.project.store(), held.lease, header, body, tell)
    return _execute(held, plan, journal, state, watcher, probe_rate)


def take_over(
    held: Held, header: RunHeader, watcher: Watcher, probe_rate: float, *, abort: bool = False, rerun: bool = True
) -> RunState:
    """Execute an open run that nobody executes any more from where it stands, or with `abort` send it back first.

    Raises:
        OspecError: without `rerun`, where a script was cut that the document says to ask about (``script-was-cut``).
    """
    watcher = _Unheard(watcher)
    store = held.project.store()
    state = fold(store.records(header.run))
    plan = from_stored_json(state.started["plan"], Plan)
    if not (abort or rerun):
        _refuse_to_rerun(state, plan)
    touched.touch(_then(header.run))
    if abort or state.failing:  # the cut step is not tried again, which would have ended what it left running
        _end_what_was_left(state)
    tell = _teller(held.project, state, watcher, header.run)
    journal = Journal(store, held.lease, header.run, state.last_seq, tell)
    if abort and not state.failing:
        journal.append(
            "path-changed", aborted=True, error=error_json(OspecError("aborted on request", code="cancelled"))
        )
    return _execute(held, plan, journal, state, watcher, probe_rate)


def _then(run: str) -> str:
    return f"see how far it came: ospec show {run}, then ospec resume or ospec abort"


def _end_what_was_left(state: RunState) -> None:
    for step_id, report in state.steps.items():
        for note in state.notes.get(step_id, ()) if report.status == "running" else ():
            if "group" in note:
                end_group(Identity(note["group"], note["started"]))


def _refuse_to_rerun(state: RunState, plan: Plan) -> None:
    for step_id, report in state.steps.items():
        for note in state.notes.get(step_id, ()) if report.status == "running" else ():
            script = plan.target.scripts.get(str(note.get("script")))
            if script and script.rerun == "ask":
                error = OspecError(
                    f"scripts.{script.name} was cut and may have done a part of its work",
                    code="script-was-cut",
                    where=f"scripts.{script.name}.rerun",
                    hints=(
                        f"look at what it did, then run it again: ospec resume {state.run} --yes",
                        f"or return to the previous release: ospec abort {state.run}",
                    ),
                )
                error.exit_code = ExitCode.WAITING
                raise error


def _execute(
    held: Held, plan: Plan, journal: Journal, state: RunState, watcher: Watcher, probe_rate: float
) -> RunState:
    project, store = held.project, held.project.store()
    service, environment = held.key
    seen = 0

    def messages() -> list[ControlMessage]:
        nonlocal seen
        found = store.messages(journal.run, seen)
        seen = max([seen, *(message.id for message in found)])
        return found

    def keep_release() -> None:
        store.set_timer(service, environment, plan.candidate_slot, None)
        store.put_release({"release": to_json(plan.release), "target": to_json(plan.target)})

    world = World(
        host=project.host.with_attributes(run=journal.run),
        plugins=project.plugins,
        capabilities=project.platform.capabilities,
        root=project.root,
        home=project.home,
        secrets=project.secrets,
        units=lambda role: unit(project, plan, role),
        retire_at=lambda slot, at: store.set_timer(service, environment, slot, at),
        judge=project.judge,
        asked_of=project.asked_of(plan.target),
        output=watcher.output,
    )
    control = Control(messages)
    execution = Execution(
        plan=plan,
        world=world,
        journal=journal,
        state=state,
        kinds=project.kinds(),
        telemetry=project.telemetry,
        control=control,
        owner=str(held.lease.token),
        probe_rate=probe_rate,
        promoted=keep_release,
    )
    try:
        with _signals_to(control.abort):
            outcome, _ = execution.finish()
    except OspecError as error:  # the journal cannot be written: nobody can say what was done from here on
        error.exit_code = ExitCode.NOT_RESTORED
        error.hints = (*error.hints, f"then go on with it: ospec resume {journal.run}")
        raise
    if outcome == "promoted":
        try:
            prune(held)
        except (OspecError, OSError) as error:  # what was deployed is deployed, whether or not old things could go
            project.telemetry.warnings.append(f"old releases were not removed: {error}")
    return state


def unit(project: Project, plan: Plan, role: str) -> Unit:
    """The release that belongs into a slot of the plan, with the target it was planned with."""
    release = plan.previous if role == "stable" else plan.release
    if release is None:
        raise FatalError("there is no previous release", code="no-slot")
    target = plan.target if release.id == plan.release.id else project.target_of(release.id, plan.target)
    project.secrets.watch(target)
    return Unit(release, target, project.files(release.id))


def _teller(project: Project, state: RunState, watcher: Watcher, run: str) -> Callable[[Record], None]:
    def tell(record: Record) -> None:
        state.take(record)
        watcher.record(record)
        target = project.target
        event = Event(
            run=run,
            service=target.service,
            environment=target.environment,
            kind=record.kind,
            at=record.at,
            body=record.body,
        )
        project.host.tell(event)
        project.outbox().tell(lambda: notice_of(event, state), channels_of(event))

    return tell


@contextmanager
def _signals_to(abort: Callable[[], None]) -> Iterator[None]:
    """Turn the signals that end a program into an abort of the run; one that was ignored stays ignored (nohup)."""

    def handle(number: int, frame: FrameType | None) -> None:
        abort()

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- tidying up -------------------------------------------------------------------------------------------------------


def retire_due(held: Held, *, everything: bool = False, but: str = "") -> list[str]:
    """Retire slots that were kept warm and whose time is over, or that went cold; the ids of those that went.

    Args:
        everything: whatever their time, and also idle slots that have none.
        but: a slot (id or label) that is about to be used.
    """
    project, gone = held.project, []
    timers = project.store().timers(*held.key)
    live = project.observe() if timers or everything else LiveState()
    opened = open_plan(held)
    used = {but, *((opened.stable_slot, opened.candidate_slot) if opened else ())}
    for slot in live.slots:
        at = timers.get(slot.id, 0.0 if everything else None)
        if at is None or not used.isdisjoint((slot.id, slot.label)) or slot.role != "idle" or slot.weight_percent:
            continue
        if everything or at <= time.time() or slot.ready == 0:
            _retire(project, slot.id)
            gone.append(slot.id)
    idle = {slot.id for slot in live.slots if slot.role == "idle" and slot.id not in gone}
    for slot_id in timers:
        if slot_id not in idle:
            project.store().set_timer(*held.key, slot_id, None)
    return gone


def open_plan(held: Held) -> Plan | None:
    """The plan of the open run: what it is about to use, or may have to return to, is nobody's to remove."""
    store = held.project.store()
    opened = store.open_header(*held.key)
    return from_stored_json(fold(store.records(opened.run)).started["plan"], Plan) if opened else None


def retire_all(held: Held) -> None:
    """Have the platform take everything of the target away, and forget its timers. Scripts take nothing away."""
    if not held.project.platform.capabilities.scripted:
        _retire(held.project, None)
    for slot_id in held.project.store().timers(*held.key):
        held.project.store().set_timer(*held.key, slot_id, None)


def _retire(project: Project, slot_id: str | None) -> None:
    ctx = RetireContext(
        target=project.target,
        home=project.home,
        secrets=project.secrets,
        deadline=Deadline.after(
            project.target.deployment.drain_seconds + project.platform.stop_seconds(project.target) + _STOP_SECONDS
        ),
        slot=slot_id,
        log=project.telemetry.warnings.append,
    )
    touched.touch("see what is there: ospec status")
    project.host.call_one("retire", ctx, project.plugins[0])


def close_taken_down(held: Held, opened: RunHeader) -> None:
    """Close an open run whose service was taken away."""
    store = held.project.store()
    state = fold(store.records(opened.run))
    _end_what_was_left(state)
    error = error_json(OspecError("the service was taken down", code="taken-down"))
    body = {"outcome": "aborted", "exit_code": int(ExitCode.ABORTED), "error": error}
    store.close_run(opened.run, state.last_seq, "aborted", int(ExitCode.ABORTED), body, held.lease)


def prune(held: Held) -> int:
    """Forget releases beyond `keep_releases` and remove snapshots that no release needs; how many folders went."""
    project, store = held.project, held.project.store()
    live = {release.id for slot in project.observe().slots for release in slot.releases}
    known = [one["release"]["id"] for one in store.releases(*held.key)]
    opened = open_plan(held)
    live |= {release.id for release in (opened.release, opened.previous) if release} if opened else set()
    kept = {*known[: project.target.keep_releases], *(one for one in known if one in live)}
    for release_id in known:
        if release_id not in kept:
            store.drop_release(*held.key, release_id)
    folder = project.files_folder()
    needed = {project.files(release_id).name for release_id in kept | live}
    gone = [one for one in folder.iterdir() if one.is_dir() and one.name not in needed] if folder.is_dir() else []
    for one in gone:
        remove_tree(sealed_marker(one))  # first: a folder that is half removed must not look complete
        remove_tree(one)
    return len(gone)


def forget_logs(project: Project) -> None:
    """Remove what the scripts of forgotten runs printed."""
    known = {header.run for header in project.store().runs(limit=1_000_000)}
    folder = project.home / "logs"
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.name not in known:
            remove_tree(one)


def exit_code(state: RunState) -> ExitCode:
    """The exit code a finished run ended with."""
    return ExitCode((state.finished or {}).get("exit_code", ExitCode.NOT_RESTORED))
