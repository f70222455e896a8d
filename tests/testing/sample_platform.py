"""A platform in memory with a real HTTP front door, and the bugs that the conformance suite has to find in it.

It stands for any platform: what "runs" is read from a release's `behaviour.txt` by the server of this file, which is
front door and application at once. OSPEC_SAMPLE_BUG names one bug; without it the platform keeps the contract.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen
from ospec.errors import FatalError
from ospec.hookspecs import hookimpl
from ospec.models.context import (
    DeployContext,
    HealthContext,
    HookContext,
    LogsContext,
    MetricsContext,
    ObserveContext,
    RetireContext,
    RollbackContext,
    SwitchContext,
)
from ospec.models.live import Deployment, HealthResult, LiveState, LogLine, Measurement, Slot, TrafficState
from ospec.models.registration import Capabilities, Platform
from ospec.models.release import ReleaseRef
from ospec.naming import digest

BUG = os.environ.get("OSPEC_SAMPLE_BUG", "")


@frozen
class Settings:
    port: int = 0


@define
class LooseSettings:
    port: int = 0


@define
class Running:
    """A release in a slot."""

    release: ReleaseRef
    behaviour: str
    secret: str
    broken: bool = False
    requests: int = 0
    open: int = 0
    starts: int = 1


@define
class World:
    """What one service has: in memory, beside a file that tells which slots there are."""

    slots: dict[str, Running] = field(factory=dict)
    weights: dict[str, float] = field(factory=dict)
    served: dict[str, float] = field(factory=dict)
    """What the front door does; differs from `weights` by a bug only."""
    looks: int = 0
    generation: int = 0
    turn: float = 0.0
    guard: threading.RLock = field(factory=threading.RLock)
    server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str | None:
        return f"http://127.0.0.1:{self.server.server_address[1]}" if self.server else None

    def next_slot(self) -> str:
        """Whose turn it is: every share gets its part of each hundred requests."""
        self.turn = (self.turn + 37.0) % 100.0
        at = 0.0
        for label, share in sorted(self.served.items()):
            at += share
            if self.turn < at:
                return label
        return ""

    def start(self) -> None:
        """Open the front door."""
        if self.server is None:
            world = self

            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    answer(world, self)

                def log_message(self, *arguments: object) -> None:
                    """Say nothing per request."""

            self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            self.server.daemon_threads = True
            threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close it, and forget everything."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None
        self.slots.clear()
        self.weights, self.served = {}, {}


def answer(world: World, handler: BaseHTTPRequestHandler) -> None:
    """Answer as the application in the slot that is asked, or whose turn it is."""
    path, _, query = handler.path.partition("?")
    front = not path.startswith("/slot/")
    with world.guard:
        label = world.next_slot() if front else path.split("/")[2]
        running = world.slots.get(label)
        if running is None or running.behaviour == "silent":
            handler.send_error(503)
            return
        running.requests += front
        running.broken |= path.endswith("/break")
        running.open += 1
    handler.send_response(500 if running.broken and path.endswith("/health") else 200)
    handler.send_header("x-ospec-release", running.release.name)
    handler.end_headers()
    with contextlib.suppress(OSError):
        if path.endswith("/slow"):
            handler.wfile.flush()
            time.sleep(float(query.partition("=")[2]))
        secret = hashlib.sha256(running.secret.encode()).hexdigest()
        handler.wfile.write((secret if path.endswith("/secret") else running.release.name).encode())
    with world.guard:
        running.open -= 1


class Sample:
    """The plugin."""

    def __init__(self) -> None:
        self.worlds: dict[Path, World] = {}

    def world(self, ctx: HookContext) -> World:
        world = self.worlds.setdefault(ctx.home, World())
        world.looks *= isinstance(ctx, ObserveContext)  # counts looks in a row
        return world

    @hookimpl
    def register_platforms(self) -> Iterable[Platform]:
        able = Capabilities(slots=True, weighted_traffic=True, release_header=True, metrics=True)
        return [Platform("sample", able, settings=LooseSettings if BUG == "settings can be changed" else Settings)]

    @hookimpl
    def observe(self, ctx: ObserveContext) -> LiveState:
        world = self.world(ctx)
        if BUG == "observe writes":
            ctx.home.mkdir(exist_ok=True)
        world.looks += 1
        seen: list[Any] = []
        if BUG == "fingerprint tells health":
            seen = [running.broken for running in world.slots.values()]
        elif BUG == "observe changes what it sees":
            seen = [world.looks > 2]
        labels = sorted(world.slots)
        if BUG == "stable slot is not told":
            return LiveState(tuple(self.slot(world, label, "idle") for label in labels), world.address)
        return LiveState(tuple(self.slot(world, label) for label in labels), world.address, digest(seen))

    def slot(self, world: World, label: str, role: Any = None) -> Slot:
        share = world.weights.get(label, 0.0)
        running = world.slots[label]
        role = role or ("stable" if share > 50 else "candidate" if share else "idle")
        address = f"{world.address}/slot/{label}"
        return Slot(label, label, role, (running.release,), share, running.starts, running.starts, address)

    @hookimpl
    def deploy(self, ctx: DeployContext) -> Deployment:
        made = self.run(ctx)
        if BUG == "deploy moves traffic" and len(self.world(ctx).slots) == 2:
            self.give(self.world(ctx), {made.slot.id: 100.0})
        if BUG == "deploy answers another release":
            return evolve(made, slot=evolve(made.slot, releases=(ReleaseRef(ctx.release.name, ""),)))
        return made

    def give(self, world: World, weights: dict[str, float]) -> None:
        world.weights = world.served = weights

    @hookimpl
    def rollback(self, ctx: RollbackContext) -> Deployment:
        world = self.world(ctx)
        if BUG == "rollback starts nothing" and ctx.slot not in world.slots:
            reference = ReleaseRef(ctx.release.name, ctx.release.id)
            return Deployment(Slot(ctx.slot, ctx.slot, "idle", (reference,), 0.0, 1, 1))
        made = self.run(ctx)
        if BUG == "rollback moves traffic" and made.changed:
            self.give(world, {ctx.slot: 100.0})
        if BUG == "rollback always says that it changed something":
            return Deployment(made.slot, changed=True)
        return made

    def run(self, ctx: DeployContext | RollbackContext) -> Deployment:
        world, label = self.world(ctx), ctx.slot
        held = world.slots.get(label)
        if held and held.release.id == ctx.release.id:
            if BUG == "deploy starts again" and isinstance(ctx, DeployContext):
                held.starts += 1
                return Deployment(self.slot(world, label), changed=True)
            return Deployment(self.slot(world, label), changed=False)
        reference = ctx.target.variables["CONFORMANCE_SECRET"]
        secret = "" if BUG == "secret is not resolved" else ctx.secrets.resolve(reference)
        ctx.home.mkdir(exist_ok=True)
        kept = {"slot": label, "release": ctx.release.name}
        if BUG == "secret in a file":
            kept["environment"] = secret
        (ctx.home / f"{label}.json").write_text(json.dumps(kept))
        ctx.log(f"starting with {secret}" if BUG == "secret in a log line" else "starting")
        behaviour = (ctx.files / "behaviour.txt").read_text().strip()
        running = Running(ReleaseRef(ctx.release.name, ctx.release.id), behaviour, secret, behaviour == "broken")
        with world.guard:
            world.slots[label] = running
        world.start()
        return Deployment(self.slot(world, label))

    @hookimpl
    def health_check(self, ctx: HealthContext) -> Iterable[HealthResult]:
        running = self.world(ctx).slots[ctx.slot]
        if running.behaviour == "silent":
            yield HealthResult("GET /health", BUG == "silence is health", starting=True)
        else:
            yield HealthResult("GET /health", not running.broken or BUG == "every answer is health")

    @hookimpl
    def switch_traffic(self, ctx: SwitchContext) -> TrafficState:
        world = self.world(ctx)
        wanted = {label: share for label, share in ctx.split.weights.items() if share}
        if not set(wanted) <= set(world.slots) and BUG != "unknown slots get traffic":
            if BUG == "bad input raises ValueError":
                raise ValueError("no such slot")
            raise FatalError("no such slot", code="unknown-slot")
        if abs(sum(wanted.values()) - 100) > 0.01 and BUG != "shares need not add up":
            raise FatalError("shares do not add up", code="bad-split")
        if BUG == "a switch is never the same" or world.weights != wanted:
            world.generation += 1
        before = world.served
        self.give(world, wanted)
        if BUG == "front door keeps the old release" and before and len(wanted) == 1:
            world.served = before
        if BUG == "shares are rounded to all or nothing":
            self.give(world, {max(wanted, key=lambda label: wanted[label]): 100.0})
        self.drain(ctx, world, "cancelled is not looked at")
        return TrafficState(dict(world.weights), world.address, str(world.generation), time.time())

    def drain(self, ctx: HookContext, world: World, bug: str) -> None:
        end = time.monotonic() + ctx.target.deployment.drain_seconds
        while time.monotonic() < end:
            if not any(running.open for label, running in world.slots.items() if label not in world.weights):
                return
            if bug == BUG:
                time.sleep(0.01)
            else:
                ctx.pause(0.01)

    @hookimpl
    def collect_metrics(self, ctx: MetricsContext) -> Iterable[Measurement]:
        for running in self.world(ctx).slots.values():
            if running.requests or BUG == "no data is zero":
                release = "" if BUG == "numbers do not tell their release" else running.release.name
                yield Measurement("requests", release, "front door", time.time() // 1, float(running.requests))

    @hookimpl
    def retire(self, ctx: RetireContext) -> None:
        world = self.world(ctx)
        if ctx.slot is None:
            for slot in list(world.slots) if BUG != "something stays" else []:
                del world.slots[slot]
            if BUG != "front door stays open":
                kept = dict(world.slots)
                world.stop()
                world.slots = kept
            return
        if world.weights.get(ctx.slot) and BUG != "what serves is retired":
            raise FatalError("it serves", code="slot-serves")
        if ctx.slot not in world.slots and BUG == "retire fails the second time":
            raise FatalError("no such slot", code="unknown-slot")
        self.drain(ctx, world, "cancelled is not looked at while a slot is retired")
        world.slots.pop(ctx.slot, None)

    @hookimpl
    def logs(self, ctx: LogsContext) -> Iterable[LogLine]:
        return [LogLine("starts", slot, "web-0", one.release.name) for slot, one in self.world(ctx).slots.items()]


class MisspeltSample(Sample):
    """Has a hook that ospec does not know."""

    @hookimpl
    def health_chek(self, ctx: HealthContext) -> None:
        """Never called."""
