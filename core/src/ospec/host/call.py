"""Calls hooks, each plugin apart, so that every call has its own span, numbers, answer and fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ospec.errors import FatalError, OspecError
from ospec.host.answers import answer_type, checked, streamed
from ospec.host.discover import Loaded
from ospec.host.implementations import Implementation
from ospec.host.registry import Registry
from ospec.models.context import Event, HookContext
from ospec.telemetry import names
from ospec.telemetry.session import Telemetry


class Host:
    """The plugins of one process, ready to be asked.

    Args:
        on_notice_failure: told once per plugin, with its name and error, when its `on_event` fails; None makes it a
            warning of `telemetry`.
    """

    def __init__(
        self,
        loaded: Loaded,
        registry: Registry,
        telemetry: Telemetry,
        on_notice_failure: Callable[[str, OspecError], None] | None = None,
    ) -> None:
        self.loaded = loaded
        self.registry = registry
        self.telemetry = telemetry
        self._on_notice_failure = on_notice_failure or self._warn
        self._attributes: Mapping[str, str] = {}
        self._failed_notices: set[str] = set()
        self._listeners = [hooks["on_event"] for hooks in loaded.hooks.values() if "on_event" in hooks]

    def with_attributes(self, *, run: str = "", service: str = "", environment: str = "") -> Host:
        """The same host, whose calls carry these attributes on their spans; empty ones are left out."""
        other = Host(self.loaded, self.registry, self.telemetry, self._on_notice_failure)
        other._failed_notices = self._failed_notices
        given = {names.RUN_ID: run, names.SERVICE: service, names.ENVIRONMENT: environment}
        other._attributes = {**self._attributes, **{key: value for key, value in given.items() if value}}
        self.telemetry.describe(service=service, environment=environment)
        return other

    def call(self, hook: str, ctx: HookContext, plugins: Sequence[str]) -> list[tuple[str, Any]]:
        """Ask `plugins` in order, leaving out those without the hook.

        Returns:
            (plugin, answer) of each: a tuple where the hook answers an iterable (empty for None), else the answer.

        Raises:
            OspecError: as a plugin raised it; `PluginBugError` for anything else it raised or a wrong answer. The
                plugins after it are not asked.
        """
        empty = () if answer_type(hook).many else None
        asked = ((plugin, self._implementation(hook, plugin)) for plugin in plugins)
        return [
            (plugin, empty if (answer := self._ask(implementation, ctx)) is None else answer)
            for plugin, implementation in asked
            if implementation is not None
        ]

    def call_one(self, hook: str, ctx: HookContext, plugin: str) -> Any:
        """Ask the one plugin that has to answer (the platform).

        Raises:
            FatalError: it has no such hook, or answered None where the hook answers something (``no-answer``).
            OspecError: as in `call`.
        """
        implementation = self._implementation(hook, plugin)
        answer = None if implementation is None else self._ask(implementation, ctx)
        if implementation is None or (answer is None and answer_type(hook).classes):
            raise FatalError(
                f"plugin {plugin!r} gave no answer to hook {hook!r}",
                code="no-answer",
                where=plugin,
                hints=(f"pip install --upgrade ospec-plugin-{plugin}, or report it to the authors of {plugin!r}",),
            )
        return answer

    def on_failure(self, hook: str, plugin: str) -> str:
        """What a failure of the plugin's implementation does, ``stop`` or ``warn``; empty where it has none."""
        implementation = self._implementation(hook, plugin)
        return implementation.on_failure if implementation else ""

    def stream(self, hook: str, ctx: HookContext, plugins: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """(plugin, item) as they come, one plugin after the other; for answers that may not end (`logs`)."""
        for plugin in plugins:
            implementation = self._implementation(hook, plugin)
            if implementation is not None:
                for item in streamed(implementation, {"ctx": ctx}, self.telemetry, self._attributes):
                    yield plugin, item

    def tell(self, event: Event) -> None:
        """Tell every plugin of a journal record. One that fails is reported once and stops nothing."""
        for listener in self._listeners:
            self._tell_one(listener, event)

    def _tell_one(self, listener: Implementation, event: Event) -> None:
        try:
            self._ask(listener, event)
        except OspecError as error:
            if listener.plugin not in self._failed_notices:
                self._failed_notices.add(listener.plugin)
                self._on_notice_failure(listener.plugin, error)

    def _warn(self, plugin: str, error: OspecError) -> None:
        self.telemetry.warnings.append(f"plugin {plugin!r} could not be told of an event: {error.message}")

    def _implementation(self, hook: str, plugin: str) -> Implementation | None:
        return self.loaded.hooks[plugin].get(hook)

    def _ask(self, implementation: Implementation, ctx: HookContext | Event) -> Any:
        return checked(implementation, {"ctx": ctx}, self.telemetry, self._attributes)
