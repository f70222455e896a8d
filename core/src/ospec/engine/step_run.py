"""What a step is given: the hooks, the clock, the journal and the environment, bound to one step of one run."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ospec.engine.journal import Journal, RunState
from ospec.engine.looks import looks_of
from ospec.errors import CancelledError, FatalError, OspecError
from ospec.models import context
from ospec.models.context import Deadline, SecretResolver
from ospec.models.live import LiveState, Slot
from ospec.models.plan import Plan, Step
from ospec.models.registration import Capabilities, Judge, Unit
from ospec.models.target import Target

_CONTEXTS: Mapping[str, type[context.HookContext]] = {
    "observe": context.ObserveContext,
    "render": context.RenderContext,
    "deploy": context.DeployContext,
    "health_check": context.HealthContext,
    "switch_traffic": context.SwitchContext,
    "collect_metrics": context.MetricsContext,
    "rollback": context.RollbackContext,
    "retire": context.RetireContext,
}
_ONLY_PLATFORM = ("observe", "deploy", "retire")
_PLATFORM_ANSWERS = (*_ONLY_PLATFORM, "rollback", "switch_traffic")
_CHANGING = ("deploy", "switch_traffic", "rollback", "retire", "render")
_WHOLE_PERCENT = 99.5


class HookHost(Protocol):
    """Calls hooks, each plugin apart (`ospec.host.call.Host`)."""

    def call(self, hook: str, ctx: Any, plugins: Any) -> list[tuple[str, Any]]: ...

    def call_one(self, hook: str, ctx: Any, plugin: str) -> Any: ...

    def on_failure(self, hook: str, plugin: str) -> str: ...


class World:
    """What all steps of a run share: who can be called, and where things are.

    Args:
        plugins: those that concern the target, the platform's first.
        retire_at: remembers when to retire a slot (id, Unix seconds).
        judge: finds a judge by its name, with its settings.
        asked_of: the plugin whose measurements of a name count where a release is judged.
    """

    def __init__(
        self,
        *,
        host: HookHost,
        plugins: tuple[str, ...],
        capabilities: Capabilities,
        root: Path,
        home: Path,
        secrets: SecretResolver,
        units: Callable[[str], Unit],
        retire_at: Callable[[str, float], None],
        judge: Callable[[str], tuple[Judge, Any]],
        asked_of: Mapping[str, str],
        output: Callable[[str, str], None],
    ) -> None:
        self.host, self.plugins, self.capabilities = host, plugins, capabilities
        self.root, self.home, self.secrets = root, home, secrets
        self.units, self.retire_at, self.judge, self.output = units, retire_at, judge, output
        self.asked_of = asked_of
        self._seen: tuple[float, LiveState] | None = None

    def seen(self, within_seconds: float) -> LiveState | None:
        """What was observed last, where that is not longer ago and nothing was changed from here since."""
        at, live = self._seen or (-math.inf, None)
        return live if time.monotonic() - at <= within_seconds else None

    def call(self, hook: str, note: Callable[..., None], **fields: Any) -> list[tuple[str, Any]]:
        """Call `hook` on all plugins it concerns; (plugin, answer), the platform's first.

        Where several answer, each call is a sub-step: noted with its seconds, and with its error where the plugin
        declared that its failure only warns.
        """
        ctx = _CONTEXTS[hook](**fields)
        if hook in _CHANGING:
            self._seen = None
        platform = self.plugins[0]
        asked = [plugin for plugin in self.plugins if self.host.on_failure(hook, plugin)]
        if hook in _PLATFORM_ANSWERS:
            asked = [platform, *(plugin for plugin in asked if plugin != platform and hook not in _ONLY_PLATFORM)]
        answers: list[tuple[str, Any]] = []
        for plugin in asked:
            started, warned = time.monotonic(), {}
            try:
                if plugin == platform and hook in _PLATFORM_ANSWERS:
                    answers.append((plugin, self.host.call_one(hook, ctx, plugin)))
                else:
                    answers += self.host.call(hook, ctx, (plugin,))
            except CancelledError:
                raise
            except OspecError as error:
                if plugin == platform or self.host.on_failure(hook, plugin) != "warn":
                    raise
                warned = {"warned": self.secrets.redact(error.message), "code": error.code}
            if warned or (len(asked) > 1 and hook in _CHANGING):
                note(hook=hook, plugin=plugin, seconds=round(time.monotonic() - started, 3), **warned)
        if hook == "observe":
            self._seen = time.monotonic(), answers[0][1]
        return answers


class BoundStep:
    """One try of one step: the `StepRun` of `ospec.models.registration`."""

    def __init__(
        self, world: World, journal: Journal, state: RunState, plan: Plan, step: Step, deadline: Deadline
    ) -> None:
        self.run, self.step, self.plan = journal.run, step, plan
        self.root, self.home, self.secrets = world.root, world.home, world.secrets
        self.operation_id = f"{journal.run}/{step.id}"
        self.deadline = deadline
        self.cancelled = threading.Event()
        self.earlier_notes = tuple(state.notes.get(step.id, ()))
        self._world, self._journal, self._state = world, journal, state
        self._abandoned = False

    def stop(self) -> None:
        """Ask the step to end: `pause`, `check` and every hook that looks at `cancelled` do within a second."""
        self.cancelled.set()

    def abandon(self) -> None:
        """The run goes on without this try: whatever it still wants to do through here is refused."""
        self._abandoned = True
        self.cancelled.set()

    # -- the StepRun protocol ------------------------------------------------------------------------------------

    def observe(self, within_seconds: float = 0.0) -> LiveState:
        live: LiveState = self._world.seen(within_seconds) or self.call("observe")[0][1]
        return live

    def slot(self, role: str, live: LiveState | None = None) -> Slot:
        name = self.plan.stable_slot if role == "stable" else self.plan.candidate_slot
        found = [slot for slot in (live or self.observe()).slots if name in (slot.id, slot.label)]
        if not name or not found:
            raise FatalError(f"there is no {role} slot ({name or 'none planned'})", code="no-slot")
        return found[0]

    def unit(self, role: str) -> Unit:
        return self._world.units(role)

    def capabilities(self) -> Capabilities:
        return self._world.capabilities

    def call(self, hook: str, **fields: Any) -> list[tuple[str, Any]]:
        self.check()
        fields.setdefault("target", self.plan.target)
        return self._world.call(
            hook,
            self.note,
            **fields,
            home=self.home,
            operation_id=self.operation_id,
            deadline=self.deadline,
            cancelled=self.cancelled,
            secrets=self.secrets,
            log=self.log,
        )

    def asked_of(self) -> Mapping[str, str]:
        return self._world.asked_of

    def environment(self, role: str) -> Mapping[str, str]:
        target = self.plan.target if role == "front" else self.unit(role).target
        release = self.plan.release if role == "front" else self.unit(role).release
        live = self.observe()
        name = {"stable": self.plan.stable_slot, "candidate": self.plan.candidate_slot}.get(role, "")
        slot = next((slot for slot in live.slots if name and name in (slot.id, slot.label)), None)
        url = (slot.address if slot and not _serves(slot) else None) or live.address or ""
        return script_environment(
            target,
            self.secrets,
            url=url,
            front_door=live.address or "",
            OSPEC_RELEASE=release.name,
            OSPEC_SLOT=slot.label if slot else "",
            OSPEC_RUN_ID=self.run,
            OSPEC_STEP_ID=self.step.id,
        )

    def retire_later(self, slot: Slot, seconds: float) -> None:
        self._world.retire_at(slot.id, time.time() + seconds)

    def paused(self) -> bool:
        return self._state.paused

    def passed(self) -> bool:
        exposing = [number for number, step in enumerate(self.plan.steps) if step.exposes_users]
        waits_for_more = any(step.id == self.step.id for step in self.plan.steps[: max(exposing, default=0)])
        return waits_for_more and (self.step.id in self._state.passed or self._state.passed_all)

    def looks(self) -> list[Mapping[str, Any]]:
        return looks_of(self._state)

    def judge(self, name: str) -> tuple[Judge, Any]:
        return self._world.judge(name)

    def note(self, **body: Any) -> None:
        if self._abandoned:
            raise CancelledError()
        self._journal.append("step-note", step=self.step.id, note=body)

    def log(self, line: str) -> None:
        self.note(line=self.secrets.redact(line))

    def output(self, line: str) -> None:
        self._world.output(self.step.id, line)

    def pause(self, seconds: float) -> None:
        self.cancelled.wait(min(seconds, self.deadline.left))
        self.check()

    def check(self) -> None:
        if self._abandoned or (self.cancelled.is_set() and not self.deadline.passed):
            raise CancelledError()
        if self.deadline.passed:
            raise self.over_time()

    def over_time(self) -> FatalError:
        """The error of a step that took too long."""
        return FatalError(
            f"step {self.step.id} ({self.step.title}) took longer than its {self.step.timeout_seconds:g} s",
            code="time-limit",
        )


def script_environment(
    target: Target, secrets: SecretResolver, *, url: str, front_door: str, **more: str
) -> Mapping[str, str]:
    """The environment of the user's scripts: the caller's, the document's variables, and where to ask.

    Args:
        url: the address under test (the candidate's own before the switch, the front door after).
        front_door: what users reach.
    """
    known = {"HEALTH_CHECK_URL": url, "APP_URL": front_door}
    made = {**os.environ}
    for name, address in known.items():
        if address:
            made.setdefault(name, address)
    for name in (*target.secrets.required, *target.secrets.optional):
        made[name] = secrets.resolve(f"${{{name}}}")
    for name, value in target.variables.items():
        for key, address in known.items():
            value = value.replace(f"${{{key}}}", made.get(key, address))
        made[name] = secrets.resolve(value)
    return {
        **made,
        "OSPEC_SERVICE": target.service,
        "OSPEC_ENVIRONMENT": target.environment,
        "OSPEC_URL": url,
        **more,
    }


def _serves(slot: Slot) -> bool:
    return slot.weight_percent >= _WHOLE_PERCENT
