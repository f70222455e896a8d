"""The engine: one loop over a plan's steps, with a journal record before and after each, and the way back."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ospec.engine.evidence import Prober
from ospec.engine.journal import Journal, RunState, error_json
from ospec.engine.step_run import BoundStep, World
from ospec.errors import CancelledError, ExitCode, FatalError, OspecError, PluginBugError, RetryableError
from ospec.models.context import Deadline
from ospec.models.plan import Plan, Step
from ospec.models.registration import StepKind
from ospec.models.run import ControlMessage, Outcome, StepStatus
from ospec.naming import canonical_json
from ospec.steps.verify import probe_path
from ospec.telemetry import names
from ospec.telemetry.session import Telemetry

_POLL_SECONDS = 0.2
_LEAST_LEFT_SECONDS = 5.0
_LARGEST_RESULT = 1_000_000


class Control:
    """What reaches a running run from outside: an abort, from a signal or another process, and a person's orders.

    Args:
        messages: the words that came since it was called last.
    """

    def __init__(self, messages: Callable[[], Iterable[ControlMessage]]) -> None:
        self._messages = messages
        self._aborted = threading.Event()
        self._orders: list[ControlMessage] = []

    def abort(self) -> None:
        """Ask for an abort; safe in a signal handler."""
        self._aborted.set()

    def aborted(self) -> bool:
        """Whether an abort was asked for."""
        for message in self._messages():
            if message.kind == "abort":
                self._aborted.set()
            else:
                self._orders.append(message)
        return self._aborted.is_set()

    def take_orders(self) -> list[ControlMessage]:
        """What was ordered besides an abort, once."""
        taken, self._orders = self._orders, []
        return taken


class Execution:
    """One process's execution of one run, from where its journal stands to its end.

    Args:
        state: the run as journaled so far; kept up to date through `state.take` by whoever made `journal`.
        owner: distinguishes this process's evidence from that of others that executed the same run.
        probe_rate: evidence requests a second; 0 for none.
        promoted: called before a run is closed as promoted.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        world: World,
        journal: Journal,
        state: RunState,
        kinds: Mapping[str, StepKind],
        telemetry: Telemetry,
        control: Control,
        owner: str,
        probe_rate: float,
        promoted: Callable[[], None],
    ) -> None:
        self._plan, self._world, self._journal, self._state = plan, world, journal, state
        self._kinds, self._telemetry, self._control = kinds, telemetry, control
        self._owner, self._probe_rate, self._promoted = owner, probe_rate, promoted
        self._prober: Prober | None = None
        self._now = ""

    def finish(self) -> tuple[Outcome, ExitCode]:
        """Execute what is left of the run and close it."""
        try:
            with self._telemetry.span(names.RUN_SPAN, {names.RUN_ID: self._journal.run}):
                outcome, code = self._execute()
        finally:
            if self._prober:
                self._prober.stop()
        if outcome == "promoted":
            self._promoted()
        self._journal.close(outcome, int(code), error=self._state.error, **self._collected())
        return outcome, code

    def _execute(self) -> tuple[Outcome, ExitCode]:
        if not self._state.failing:
            for step in self._plan.steps:
                if self._state.done(step.id):
                    self._watch_traffic(step, after=True)
                    continue
                self._hold_while_paused(step)
                error = self._attempt(step, Deadline.after(step.timeout_seconds), may_abort=True)
                aborted = isinstance(error, CancelledError)
                if error is not None and (aborted or step.on_failure == "stop"):
                    self._journal.append("path-changed", aborted=aborted, error=self._told(error))
                    break
            else:
                return ("promoted" if self._plan.steps else "unchanged"), ExitCode.OK
        return self._return()

    def _hold_while_paused(self, step: Step) -> None:
        """A pause holds what exposes more users; while they are exposed, the steps that judge hold by themselves."""
        while step.exposes_users and self._state.paused and not self._heard():
            time.sleep(_POLL_SECONDS)

    def _heard(self) -> bool:
        """Listen: orders are journaled, and hold from then on; whether an abort was asked for."""
        aborted = self._control.aborted()
        for order in self._control.take_orders():
            if order.id > self._state.last_order:  # an earlier process of this run may have heard it
                full = bool(order.body.get("full"))
                self._journal.append("order", id=order.id, order=order.kind, step=self._now, full=full)
        return aborted

    # -- the way back --------------------------------------------------------------------------------------------

    def _return(self) -> tuple[Outcome, ExitCode]:
        """Walk the failure path; its own steps are bounded by the rollback timeout together."""
        ended: Outcome = "aborted" if self._state.aborted else ("restored" if self._plan.previous else "failed")
        code = ExitCode.ABORTED if self._state.aborted else ExitCode.FAILED
        if not self._rollout_began():
            return ("aborted" if self._state.aborted else "failed"), code
        # Also one that was cut or failed in the middle: what it did cannot be undone.
        begun = {step_id for step_id, report in self._state.steps.items() if report.status != "skipped"}
        past_return = any(not step.reversible and step.id in begun for step in self._plan.steps)
        if past_return or not self._plan.failure_steps:
            return "failed", ExitCode.NOT_RESTORED
        bound = Deadline.after(max(self._plan.target.rollback_timeout_seconds, _LEAST_LEFT_SECONDS))
        for step in self._plan.failure_steps:
            if self._state.done(step.id):
                continue
            if not self._due(step):
                self._journal.append("step-started", step=step.id, kind=step.kind, title=step.title)
                self._finished(step, "skipped", {"why": f"not needed ({step.when})"}, None)
                continue
            left = max(min(step.timeout_seconds, bound.left), _LEAST_LEFT_SECONDS)
            error = self._attempt(step, Deadline.after(left), may_abort=False)
            if error is not None and step.on_failure == "stop":
                return "failed", ExitCode.NOT_RESTORED
        return ended, code

    def _rollout_began(self) -> bool:
        return any(not self._kinds[step.kind].prepares and step.id in self._state.steps for step in self._plan.steps)

    def _due(self, step: Step) -> bool:
        exposed = any(one.exposes_users and one.id in self._state.steps for one in self._plan.steps)
        if step.when == "exposed":
            return exposed
        if step.when == "stable-cold":
            return not self._stable_is_warm()
        return True

    def _stable_is_warm(self) -> bool:
        bound = BoundStep(
            self._world, self._journal, self._state, self._plan, self._plan.failure_steps[0], Deadline.after(30.0)
        )
        try:
            slot = bound.slot("stable")
        except OspecError:
            return False
        return slot.ready >= slot.wanted > 0

    # -- one step ------------------------------------------------------------------------------------------------

    def _attempt(self, step: Step, deadline: Deadline, *, may_abort: bool) -> OspecError | None:
        """Run one step to its end, journaled; the error it failed with, or None."""
        kind = self._kinds[step.kind]
        if may_abort and self._heard():
            return CancelledError("aborted on request")
        self._now = step.id
        self._watch_traffic(step, after=False)
        if self._prober and "maintenance" in step.params:
            self._prober.in_maintenance = True
        self._journal.append("step-started", step=step.id, kind=step.kind, title=step.title)
        bound = BoundStep(self._world, self._journal, self._state, self._plan, step, deadline)
        result, error = self._run(kind, bound, may_abort)
        if error is None:
            status: StepStatus = "ok"
        elif isinstance(error, CancelledError):
            status = "cancelled"
        else:
            status = "warned" if step.on_failure == "warn" else "failed"
        self._finished(step, status, result, error)
        if error is None:
            self._watch_traffic(step, after=True)
            if self._prober and kind.moves_traffic:
                self._prober.in_maintenance = "maintenance" in step.params
        return error

    def _finished(
        self, step: Step, status: StepStatus, result: Mapping[str, Any] | None, error: OspecError | None
    ) -> None:
        self._journal.append(
            "step-finished",
            step=step.id,
            kind=step.kind,
            title=step.title,
            status=status,
            result=result,
            error=self._told(error) if error else None,
            **self._collected(),
        )

    def _told(self, error: OspecError) -> Mapping[str, Any]:
        """An error as it is journaled, without any value that programs were given."""
        redact = self._world.secrets.redact
        told = error_json(error)
        return {**told, "message": redact(told["message"]), "hints": [redact(hint) for hint in told["hints"]]}

    def _collected(self) -> Mapping[str, Any]:
        collected: dict[str, Any] = {}
        if self._prober:
            collected["evidence"] = self._prober.evidence()
        spans = self._telemetry.take_spans()
        if spans:
            collected["spans"] = spans
        return collected

    def _run(
        self, kind: StepKind, bound: BoundStep, may_abort: bool
    ) -> tuple[Mapping[str, Any] | None, OspecError | None]:
        """Run the step in a thread of its own, so that time limits and aborts hold whatever it does."""
        box: dict[str, Any] = {}
        done = threading.Event()

        def work() -> None:
            try:
                with self._telemetry.span(names.step_span(kind.name), {names.STEP_ID: bound.step.id}):
                    box["result"] = _as_json(_until_no_retry(kind, bound))
            except OspecError as error:
                box["error"] = error
            except (
                Exception,
                SystemExit,
            ) as error:  # whatever it is, it is that step's fault and must not end the run unrestored
                box["error"] = PluginBugError(bound.step.plugin or "core", f"step {kind.name}", error)
            finally:
                done.set()

        threading.Thread(target=contextvars.copy_context().run, args=(work,), name=bound.step.id, daemon=True).start()
        aborted = self._wait(kind, bound, done, may_abort)
        if aborted:
            return None, CancelledError("aborted on request")
        if "error" in box and not isinstance(box["error"], CancelledError):
            return None, box["error"]
        if "result" in box:
            return box["result"], None
        # Nobody aborted it: what was stopped, or did not even stop, was over its time.
        return None, bound.over_time()

    def _wait(self, kind: StepKind, bound: BoundStep, done: threading.Event, may_abort: bool) -> bool:
        """Wait until the step ended, or was stopped and had its time to end; whether it was stopped by an abort."""
        asked: float | None = None
        aborted = False
        while not done.wait(_POLL_SECONDS):
            if asked is None:
                aborted = may_abort and self._heard()
                if aborted or bound.deadline.passed:
                    bound.stop()
                    asked = time.monotonic()
            elif time.monotonic() - asked > kind.stop_seconds:
                bound.abandon()
                break
        return aborted

    # -- evidence ------------------------------------------------------------------------------------------------

    def _watch_traffic(self, step: Step, *, after: bool) -> None:
        """Start the prober before the first step that moves traffic; after it where nothing served before."""
        moves = self._kinds[step.kind].moves_traffic or step.exposes_users  # also what is replaced in place
        if self._prober or self._probe_rate <= 0 or not moves:
            return
        if after or self._plan.stable_slot:
            try:
                bound = BoundStep(self._world, self._journal, self._state, self._plan, step, Deadline.after(10.0))
                live = bound.observe()
                if live.address:
                    path, rate, headers = probe_path(self._plan.target), self._probe_rate, live.probe_headers
                    self._prober = Prober(self._owner, live.address, path, rate, lambda: self._now, headers)
                    self._prober.in_maintenance = self._was_closed()
                    self._prober.start()
            except (OspecError, ValueError):  # a run goes on without evidence; what is wrong there, its steps find out
                self._prober = None

    def _was_closed(self) -> bool:
        """Whether what an earlier process of this run did last to the traffic was to close it for maintenance."""
        steps = {step.id: step for step in (*self._plan.steps, *self._plan.failure_steps)}
        moved = [steps[one] for one in self._state.steps if one in steps and self._kinds[steps[one].kind].moves_traffic]
        return bool(moved) and "maintenance" in moved[-1].params


def _until_no_retry(kind: StepKind, bound: BoundStep) -> Mapping[str, Any]:
    while True:
        try:
            return kind.run(bound)
        except RetryableError as error:
            bound.log(f"{error.message}; trying again")
            if bound.deadline.left <= error.retry_after:
                raise
            bound.pause(error.retry_after)


def _as_json(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result, where it can be journaled."""
    size = len(canonical_json(result))
    if size > _LARGEST_RESULT:
        raise FatalError(f"its result of {size} bytes is over {_LARGEST_RESULT}", code="record-too-large")
    return result
