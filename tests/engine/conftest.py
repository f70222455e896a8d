"""A platform in memory, with slots and weights and no proxy, so that the engine's own behaviour can be looked at."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec import builtin
from ospec.errors import FatalError
from ospec.hookspecs import hookimpl
from ospec.host.call import Host
from ospec.host.discover import load_plugins
from ospec.host.registry import collect
from ospec.host.values import values_of
from ospec.models.document import Deployment, TrafficSwitching
from ospec.models.live import Deployment as Deployed
from ospec.models.live import HealthResult, LiveState, Role, Slot, TrafficState
from ospec.models.registration import Capabilities, Platform
from ospec.models.release import ReleaseRef
from ospec.models.run import Record
from ospec.models.target import HealthCheck, Process, Script, Target
from ospec.project import Project
from ospec.stages.load import Loaded
from ospec.stores.sqlite import SqliteStore
from ospec.telemetry.session import off


class Heap:
    """Slots in a dictionary. `effects` counts what was really done, so that doubled effects show."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.effects: list[str] = []
        self.unhealthy: set[str] = set()
        """Names of releases whose health is bad."""
        self.unhealthy_once_serving: set[str] = set()
        self.before: dict[str, Callable[[Any], None]] = {}
        """Called at the start of a hook, by its name."""

    def live(self) -> LiveState:
        return LiveState(tuple(self.slots.values()), "http://127.0.0.1:9", "")

    def plugin(self) -> types.ModuleType:
        module = types.ModuleType("heap_plugin")
        hooks = (self.observe, self.deploy, self.rollback, self.health_check, self.switch_traffic, self.retire)
        for method in hooks:
            setattr(module, method.__name__, hookimpl(_as_function(method)))
        module.register_platforms = hookimpl(  # type: ignore[attr-defined]
            lambda: [Platform("heap", Capabilities(slots=True, weighted_traffic=True))]
        )
        return module

    def observe(self, ctx: Any) -> LiveState:
        return self.live()

    def deploy(self, ctx: Any) -> Deployed:
        return self._start(ctx, "deploy")

    def rollback(self, ctx: Any) -> Deployed:
        return self._start(ctx, "rollback")

    def _start(self, ctx: Any, hook: str) -> Deployed:
        self.before.get(hook, lambda ctx: None)(ctx)
        there = self.slots.get(ctx.slot)
        if there and there.release and there.release.id == ctx.release.id and there.ready:
            return Deployed(there, changed=False)
        self.effects.append(f"{hook} {ctx.release.name}")
        role = there.role if there else "candidate"
        weight = there.weight_percent if there else 0.0
        ref = ReleaseRef(ctx.release.name, ctx.release.id)
        self.slots[ctx.slot] = Slot(ctx.slot, ctx.slot, role, (ref,), weight, wanted=1, ready=1)
        return Deployed(self.slots[ctx.slot])

    def health_check(self, ctx: Any) -> list[HealthResult]:
        self.before.get("health_check", lambda ctx: None)(ctx)
        slot = self.slots[ctx.slot]
        name = ctx.release.name
        bad = name in self.unhealthy or (name in self.unhealthy_once_serving and slot.weight_percent == 100)
        return [HealthResult("GET /", healthy=not bad, detail="500" if bad else "")]

    def switch_traffic(self, ctx: Any) -> TrafficState:
        self.before.get("switch_traffic", lambda ctx: None)(ctx)
        if {slot.id: slot.weight_percent for slot in self.slots.values()} != ctx.split.weights:
            self.effects.append(f"switch {sorted(ctx.split.weights.items())}")
        whole = 100 in ctx.split.weights.values()
        for slot_id, weight in ctx.split.weights.items():
            before: Role = self.slots[slot_id].role
            role: Role = ("stable" if weight == 100 else "idle") if whole else before
            self.slots[slot_id] = evolve(self.slots[slot_id], weight_percent=weight, role=role)
        return TrafficState(dict(ctx.split.weights), applied_at=1.0)

    def retire(self, ctx: Any) -> None:
        self.before.get("retire", lambda ctx: None)(ctx)
        gone = list(self.slots) if ctx.slot is None else [ctx.slot]
        for slot_id in gone:
            if ctx.slot is not None and self.slots.get(slot_id) and self.slots[slot_id].weight_percent:
                raise FatalError(f"slot {slot_id} serves", code="slot-serves")
            if self.slots.pop(slot_id, None):
                self.effects.append(f"retire {slot_id}")


def _as_function(method: Any) -> Any:
    def function(ctx: Any) -> Any:
        return method(ctx)

    function.__annotations__ = {}
    return function


class Quiet:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.lines: list[str] = []

    def record(self, record: Record) -> None:
        self.records.append(record)

    def output(self, step: str, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def heap() -> Heap:
    return Heap()


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


@pytest.fixture
def target() -> Target:
    return Target(
        service="shop",
        name="Shop",
        environment="default",
        platform="heap",
        strategy="blue-green",
        scripts={"start": Script("start", "true"), "test": Script("test", "true")},
        processes={"web": Process("web", "true")},
        health_checks=(HealthCheck("/", interval_seconds=0.01),),
        health_check_retries=2,
        startup_seconds=5.0,
        deployment=Deployment(
            strategy="blue-green", traffic_switching=TrafficSwitching(rollback_threshold_seconds=0.05), keep_seconds=0.0
        ),
    )


@pytest.fixture
def make_project(tmp_path: Path, heap: Heap) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []
    root = tmp_path / "app"
    root.mkdir()
    (root / "app.txt").write_text("1")

    def make(target: Target, **others: types.ModuleType) -> Project:
        loaded = load_plugins(["blue-green", "canary"], None, {"core": builtin, "heap": heap.plugin(), **others})
        registry = collect(loaded)
        document = Loaded(None, root / "ospec.toml", (), lambda path: path)  # type: ignore[arg-type]  # nobody reads it
        project = Project(
            loaded=document,
            target=target,
            home=root / ".ospec",
            host=Host(loaded, registry, off()),
            registry=registry,
            plugins=("heap", "core", *others),
            platform=registry.platforms[target.platform],
            strategy=registry.strategies[target.strategy],
            secrets=values_of(target, {}, {}),
            notes=(),
            warnings=(),
            telemetry=off(),
        )
        made.append(project)
        return project

    yield make
    for project in made:
        project.close()


@pytest.fixture
def project(make_project: Callable[[Target], Project], target: Target) -> Project:
    return make_project(target)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours gets to run after it."""


def _kill_at(patch: pytest.MonkeyPatch, at: int, moment: str) -> None:
    """From the moment on nothing can be written any more, whichever thread tries."""
    count, dead = 0, False

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal count, dead
            count += 1
            dead = dead or (count == at and moment == "before")
            if dead:
                raise Killed
            result = original(*arguments, **named)
            dead = count == at
            if dead:
                raise Killed
            return result

        return wrapper

    for name in ("open_run", "append", "close_run"):
        patch.setattr(SqliteStore, name, counted(getattr(SqliteStore, name)))
    patch.setattr(threading, "excepthook", lambda arguments: None)  # the step's thread dies of it, too


@pytest.fixture
def killing() -> types.SimpleNamespace:
    """`at(patch, record, moment)` kills the process at that record, before or after it is written, by `Killed`."""
    return types.SimpleNamespace(at=_kill_at, Killed=Killed)
