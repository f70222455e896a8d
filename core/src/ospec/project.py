"""One service in one environment, opened: its target, the plugins that concern it, its state folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from ospec import aliases, builtin
from ospec.converter import from_stored_json
from ospec.errors import DocumentError, FatalError, RefusedError
from ospec.host.call import Host
from ospec.host.discover import load_plugins
from ospec.host.registry import Registry, collect
from ospec.host.values import Values, refuse_unset, values_of
from ospec.judges import bounds
from ospec.models.context import Deadline, ObserveContext
from ospec.models.live import LiveState, Obstacle
from ospec.models.registration import Judge, Notifier, Platform, StepKind, StepRun, Store, Strategy
from ospec.models.release import Artifact, Release
from ospec.models.target import Target
from ospec.notices import channels
from ospec.notices.outbox import Outbox
from ospec.stages import negotiate
from ospec.stages.load import Loaded, find_document, load
from ospec.stages.resolve import resolve, written_plugins
from ospec.stages.shape import Shape
from ospec.state_folder import home_of, open_store
from ospec.steps.validate import CHECKS
from ospec.telemetry.session import Telemetry

OBSERVE_SECONDS = 30.0
SOURCE_SECONDS = 10.0


@frozen(kw_only=True)
class Choice:
    """What the command line says about which service and environment is meant."""

    file: Path | None = None
    environment: str | None = None
    variables: Mapping[str, str] = field(factory=dict)
    starts_nothing: bool = False
    """Whether unset references may stay, since no program is started that would need their values."""


@define(kw_only=True)
class Project:
    """A target with everything that is needed to plan and run it. Made by `open_project`."""

    loaded: Loaded
    target: Target
    home: Path
    host: Host
    registry: Registry
    plugins: tuple[str, ...]
    """Those that concern the target, the platform's first."""
    platform: Platform
    strategy: Strategy
    secrets: Values
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    telemetry: Telemetry
    seen: LiveState | None = None
    """What `observe` saw last."""
    _store: Store | None = None
    _outbox: Outbox | None = None

    @property
    def root(self) -> Path:
        """The folder of the document."""
        return self.loaded.path.parent

    def store(self) -> Store:
        """The store, opened (and made) at first use."""
        if self._store is None:
            self._store = open_store(self.loaded, self.target, self.registry, self.platform, self.home)
        return self._store

    @property
    def monitoring(self) -> Mapping[str, Any]:
        """The document's section `monitoring`, resolved."""
        section: Mapping[str, Any] = self.target.extra.get("monitoring") or {}
        return section

    def outbox(self) -> Outbox:
        """Where notices are put; they are on their way until `close`."""
        if self._outbox is None:
            self._outbox = channels.outbox(
                self.registry.notifiers,
                {name: self.registry.source("notifier", name) for name in self.registry.notifiers},
                self.target.plugins,
                self.secrets,
                self.monitoring,
            )
        return self._outbox

    def missing_channels(self) -> list[tuple[str, str]]:
        """(channel that the document names and nothing loaded brings, what to do about it)."""
        return list(
            channels.missing_channels(
                self.monitoring, self.target.plugins, self.registry.notifiers, self.host.loaded.available
            )
        )

    def kinds(self) -> Mapping[str, StepKind]:
        """Every step kind there is: those that were registered, and the one that asks registered guardrails."""

        def hold(run: StepRun) -> Mapping[str, Any]:
            guardrail = self.registry.guardrails[run.step.params["name"]]
            assert guardrail.check is not None, "only those with a check are planned"
            return guardrail.check(run, run.step.params["values"])

        return {**self.registry.step_kinds, "guardrail": StepKind("guardrail", hold, prepares=True, stop_seconds=12.0)}

    def judge(self, name: str) -> tuple[Judge, Any]:
        """A judge by its name, with the settings of its plugin's table.

        Raises:
            FatalError: nothing loaded brings it (``unknown-judge``), or its settings do not fit (``invalid-document``).
        """
        found = self.registry.judges.get(name)
        if found is None:
            raise FatalError(f"nothing loaded brings the judge {name!r}", code="unknown-judge")
        if found.settings is None:
            return found, None
        if name == bounds.NAME:
            analysis = self.target.deployment.analysis
            given = {"interval": analysis.interval, "threshold": analysis.threshold}
            return found, found.settings(**{key: value for key, value in given.items() if value is not None})
        table = self.target.plugins.get(self.registry.source("judge", name), {})
        return found, Shape(tells_values=False).section(found.settings, table)

    def chosen_judge(self) -> str:
        """The judge that the document names, or the one that a plugin brings; empty where there is but the core's."""
        named = self.target.deployment.analysis.judge
        others = sorted(name for name in self.registry.judges if name != bounds.NAME)
        return named or (others[0] if others else "")

    def known_releases(self) -> list[Mapping[str, Any]]:
        """The releases that were deployed, newest first; touches nothing where there is no state yet."""
        if not self.home.is_dir():
            return []
        return self.store().releases(self.target.service, self.target.environment)

    def release(self, release_id: str, name: str) -> Release:
        """A release by id; as much as its name tells where the store lost it."""
        for one in self.known_releases():
            if one["release"]["id"] == release_id:
                return from_stored_json(one["release"], Release)
        return Release(name, release_id, self.target.service, self.target.environment, Artifact(""), "")

    def target_of(self, release_id: str, otherwise: Target) -> Target:
        """The target that a release was deployed with; `otherwise` where the store lost it."""
        for one in self.known_releases():
            if one["release"]["id"] == release_id:
                return from_stored_json(one["target"], Target)
        return otherwise

    def observe(self) -> LiveState:
        """What the platform says is there now."""
        live: LiveState = self.host.call_one("observe", self._looking(OBSERVE_SECONDS), self.plugins[0])
        self.seen = live
        return live

    def sources_of_metrics(self) -> tuple[tuple[str, ...], tuple[Obstacle, ...]]:
        """What the sources of metrics say of themselves: problems that may pass, and obstacles that will not."""
        states = [one.check(self._looking(SOURCE_SECONDS)) for one in self.registry.metric_sources.values()]
        return (
            tuple(problem for state in states for problem in state.problems),
            tuple(obstacle for state in states for obstacle in state.obstacles),
        )

    def asked_of(self, target: Target) -> Mapping[str, str]:
        """The plugin that a target asks for a measurement, by the measurement's name."""
        return {
            name: self.registry.source("metric-source", source.name)
            for source in self.registry.metric_sources.values()
            for name in source.tells(target)
        }

    def _looking(self, seconds: float) -> ObserveContext:
        return ObserveContext(
            target=self.target, home=self.home, secrets=self.secrets, deadline=Deadline.after(seconds)
        )

    def refuse_unset(self) -> None:
        """Raise `DocumentError` where something that is looked up when it is used is not set."""
        refuse_unset(self.secrets, self.loaded.locate)

    def files(self, release_id: str) -> Path:
        """The snapshot folder of a release."""
        return self.files_folder() / release_id[:16]

    def files_folder(self) -> Path:
        """The folder of all snapshots of this service and environment."""
        return self.home / "files" / f"{self.target.service}.{self.target.environment}"

    def close(self) -> None:
        """Give back the store, and see notices off, which takes a few seconds at most."""
        if self._outbox is not None:
            self.telemetry.warnings.extend(self._outbox.close())
            self._outbox = None
        if self._store is not None:
            self._store.close()
            self._store = None


def open_project(choice: Choice, telemetry: Telemetry) -> Project:
    """Load and resolve the document, load the plugins it asks for, and check that they can do it.

    Raises:
        DocumentError: the document is wrong or incomplete.
        RefusedError: a plugin is missing, cannot do what is asked, or nothing enforces a protection.
    """
    loaded = load(find_document(choice.file, Path.cwd()))
    target = resolve(loaded, choice.environment, variables=choice.variables, starts_nothing=choice.starts_nothing)
    judge = target.deployment.analysis.judge
    wanted = aliases.plugin_names_for(target.platform, target.strategy, judge)
    monitoring = target.extra.get("monitoring") or {}
    welcome = (*aliases.welcome_plugins(target.strategy), *channels.plugins_of_channels(monitoring, target.plugins))
    plugins = load_plugins(wanted, loaded.document.plugins.enabled, {"core": builtin}, welcome)
    registry = collect(plugins, telemetry)
    platform = _registered(registry.platforms, target.platform, "platform", loaded, "stack.deploy")
    strategy = _registered(registry.strategies, target.strategy, "strategy", loaded, "deployment.strategy")
    if judge:
        _registered(registry.judges, judge, "judge", loaded, "deployment.analysis.judge")
    tables = [(one.name, one.settings) for one in (platform, strategy)]
    tables += [(registry.source("judge", one.name), one.settings) for one in registry.judges.values()]
    tables += [(registry.source("metric-source", one.name), one.settings) for one in registry.metric_sources.values()]
    told = [(registry.source("notifier", one.name), one) for one in registry.notifiers.values()]
    written = written_plugins(loaded, target.environment)
    target = evolve(target, plugins=channels.with_references(target.plugins, written, told))
    _check_settings(loaded, target, [*tables, *((plugin, one.settings) for plugin, one in told)], told)
    negotiate.refuse_unprotected(
        target, registry.guardrails, {scheme for one in registry.secret_providers.values() for scheme in one.schemes}
    )
    negotiate.check_validation(target, CHECKS)
    host = Host(plugins, registry, telemetry).with_attributes(service=target.service, environment=target.environment)
    mine = registry.source("platform", platform.name)
    others = {registry.source("platform", name) for name in registry.platforms}
    return Project(
        loaded=loaded,
        target=target,
        home=home_of(loaded.path.parent),
        host=host,
        registry=registry,
        plugins=(mine, *(name for name in plugins.plugins if name not in others)),
        platform=platform,
        strategy=strategy,
        secrets=values_of(target, registry.secret_providers, {**os.environ, **choice.variables}),
        notes=(
            *negotiate.negotiate(target, platform, strategy, registry.strategies.values()),
            *channels.missing_notes(
                channels.missing_channels(monitoring, target.plugins, registry.notifiers, plugins.available)
            ),
        ),
        warnings=(*loaded.warnings, *plugins.warnings),
        telemetry=telemetry,
    )


def open_journal(choice: Choice) -> tuple[str, Store]:
    """The document's service and the store of its runs; nothing has to be there but who says which store that is.

    Raises:
        RefusedError: nothing was ever stored (``no-runs``).
    """
    loaded = load(find_document(choice.file, Path.cwd()))
    target = _any_target(loaded, choice)
    wanted = aliases.plugin_names_for(target.platform, target.strategy)[:1]
    registry = collect(load_plugins(wanted, loaded.document.plugins.enabled, {"core": builtin}))
    platform = _registered(registry.platforms, target.platform, "platform", loaded, "stack.deploy")
    return target.service, open_store(loaded, target, registry, platform, home_of(loaded.path.parent), make=False)


def _any_target(loaded: Loaded, choice: Choice) -> Target:
    """The target that was asked for; any, where none was and the document alone says not where to deploy."""
    for environment in (choice.environment, *loaded.document.environments):
        try:
            return resolve(loaded, environment, variables=choice.variables, starts_nothing=True)
        except DocumentError as error:
            if choice.environment or error.code != "no-platform":
                raise
            refused = error
    raise refused


def _check_settings(
    loaded: Loaded,
    target: Target,
    tables: Iterable[tuple[str, type | None]],
    notifiers: Iterable[tuple[str, Notifier]],
) -> None:
    """Hold each ``[plugins.<name>]`` to its settings class; raises `DocumentFaults`."""
    shape = Shape(tells_values=False)  # they may come from the environment
    for name, settings in tables:
        if settings is not None and name in target.plugins:
            shape.section(settings, target.plugins[name], ("plugins", name))
    shape.misfits += channels.misfits(target.plugins, notifiers)
    if shape.misfits:
        raise loaded.faults(shape.misfits)


def _registered(there: Mapping[str, Any], name: str, what: str, loaded: Loaded, key: str) -> Any:
    if name in there:
        return there[name]
    package = {"platform": aliases.package_for_platform, "judge": aliases.package_for_judge}.get(
        what, aliases.package_for_strategy
    )(name)
    raise RefusedError(
        f"nothing installed brings the {what} {name!r}",
        code="plugin-missing",
        where=loaded.locate(key),
        hints=(f"pip install {package}",),
    )
