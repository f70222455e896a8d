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
    Batch,
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
from ospec.models.live import (
    Deployment,
    HealthResult,
    LiveState,
    LogLine,
    Maintenance,
    Measurement,
    Slot,
    TrafficSplit,
    TrafficState,
)
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
    count: int = 2
    """Instances…"""
    cut: bool = False
    """Its requests under way end with it."""
    healthy: int = 0
    """…and how many of them were found healthy, and get users."""


@define
class World:
    """What one service has: in memory, beside a file that tells which slots there are."""

    slots: dict[str, Running] = field(factory=dict)
    beside: dict[str, Running] = field(factory=dict)
    """Another release in a slot whose instances are replaced in place."""
    weights: dict[str, float] = field(factory=dict)
    split: TrafficSplit = TrafficSplit({})
    served: dict[str, float] = field(factory=dict)
    """What the front door does; differs from `weights` by a bug only."""
    looks: int = 0
    generation: int = 0
    turn: float = 0.0
    within: int = 0
    guard: threading.RLock = field(factory=threading.RLock)
    server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str | None:
        return f"http://127.0.0.1:{self.server.server_address[1]}" if self.server else None

    def next_slot(self, turn: float) -> str:
        """Whose turn it is; the slot that gains is first, so that it keeps its turns as it grows."""
        at = 0.0
        for label, share in sorted(self.served.items(), key=lambda item: (item[0] != self.split.gaining, item[0])):
            at += share
            if turn < at:
                return label
        return ""

    def next_turn(self) -> float:
        """Every share gets its part of each hundred requests."""
        self.turn = (self.turn + 37.0) % 100.0
        return self.turn

    def held_in(self, label: str) -> list[Running]:
        """The releases in a slot."""
        return [kind[label] for kind in (self.slots, self.beside) if label in kind]

    def next_in(self, label: str) -> Running | None:
        """Whose turn it is within a slot: by its healthy instances, where there are several releases."""
        inside = self.held_in(label)
        if len(inside) < 2:
            return inside[0] if inside else None
        turns = [one for one in inside for _ in range(one.count if BUG == "whoever starts gets users" else one.healthy)]
        self.within += 1
        return turns[self.within % len(turns)] if turns else inside[0]

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
        self.beside.clear()
        self.weights, self.served = {}, {}


def slot_for(world: World, headers: Any) -> tuple[str, str]:
    """(the slot for a request to the front door, the cookie that it is given)."""
    for rule in world.split.headers if BUG != "header rules are not looked at" else ():
        name = (
            rule.name if BUG != "header names tell case" else next((k for k in headers if k == rule.name.lower()), "")
        )
        if name and headers.get(name) == rule.value:
            return rule.slot, ""
    if not world.split.sticky:
        return world.next_slot(world.next_turn()), ""
    known = headers.get("cookie", "").partition("sample=")[2]
    turn = float(known) if known else world.next_turn()
    given = "" if known else f"sample={turn}; Path=/"
    return world.next_slot(
        99.9 - turn if BUG == "users move" and world.weights[world.split.gaining] > 50 else turn
    ), given


def maintained(world: World, handler: BaseHTTPRequestHandler) -> None:
    """Answer for maintenance."""
    page = world.split.maintenance or Maintenance()
    handler.send_response(200 if BUG == "maintenance is a good answer" else 503)
    handler.send_header("Retry-After", str(page.retry_after_seconds))
    handler.send_header("Content-Type", page.content_type)
    handler.end_headers()
    handler.wfile.write(page.body.encode())


def answer(world: World, handler: BaseHTTPRequestHandler) -> None:
    """Answer as the application in the slot that is asked, or whose turn it is."""
    path, _, query = handler.path.partition("?")
    front, given = not path.startswith("/slot/"), ""
    with world.guard:
        if front and world.split.maintenance:
            maintained(world, handler)
            return
        label, given = slot_for(world, handler.headers) if front else (path.split("/")[2], "")
        running = world.next_in(label)
        if running is None or running.behaviour == "silent" or not running.count:
            handler.send_error(503)
            return
        running.requests += front
        running.broken |= path.endswith("/break")
        running.open += 1
    handler.send_response(500 if running.broken and path.endswith("/health") else 200)
    handler.send_header("x-ospec-release", running.release.name)
    if given:
        handler.send_header("Set-Cookie", given)
    handler.end_headers()
    with contextlib.suppress(OSError):
        if path.endswith("/slow"):
            handler.wfile.flush()
            wait = time.monotonic() + float(query.partition("=")[2])
            while time.monotonic() < wait and not running.cut:
                time.sleep(0.01)
            handler.wfile.write(b"" if running.cut else b"slow")
            running.open -= 1
            return
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
        able = Capabilities(
            slots=True,
            weighted_traffic=True,
            header_routing=True,
            sticky_sessions=True,
            maintenance=True,
            batches=True,
            release_header=True,
            metrics=True,
        )
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
        lies = BUG == "what left is still told"
        inside = [one for one in world.held_in(label) if one.count or lies] or [world.slots[label]]
        role = role or ("stable" if share > 50 else "candidate" if share else "idle")
        address = f"{world.address}/slot/{label}"
        wanted = sum(one.count * one.starts for one in inside)
        ready = sum(one.healthy * one.starts for one in inside)
        releases = tuple(one.release for one in inside)
        if BUG == "one release is told of two":
            releases = releases[:1]
        return Slot(label, label, role, releases, share, wanted, ready, address)

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
        if ctx.batch and not (BUG == "the way back goes by itself" and isinstance(ctx, RollbackContext)):
            return self.roll(ctx, ctx.batch)
        held = world.slots.get(label)
        if held and held.release.id == ctx.release.id and not ctx.batch:
            if BUG == "deploy starts again" and isinstance(ctx, DeployContext):
                held.starts += 1
                return Deployment(self.slot(world, label), changed=True)
            return Deployment(self.slot(world, label), changed=False)
        running = self.start(ctx)
        with world.guard:
            world.slots[label] = running
        world.start()
        return Deployment(self.slot(world, label))

    def roll(self, ctx: DeployContext | RollbackContext, batch: Batch) -> Deployment:
        """Go to a batch: what is too much of others leaves, what is missing of the release comes."""
        world, label = self.world(ctx), ctx.slot
        inside = {one.release.id: one for one in world.held_in(label)}
        own = inside.pop(ctx.release.id, None) or self.start(ctx, 0)
        changed = BUG == "a batch is never the same"
        for other in inside.values():
            if other.count > batch.others:
                changed = True
                self.leave(ctx, world, (own, other), batch)
        with world.guard:
            if own.count < batch.instances:
                changed, own.count = True, batch.instances
            lies = BUG == "what left is still told" and isinstance(ctx, DeployContext)
            left = [one for one in inside.values() if one.count or lies]
            world.slots[label] = own
            world.beside.pop(label, None)
            if left:
                world.beside[label] = left[0]
        return Deployment(self.slot(world, label), changed)

    def leave(self, ctx: HookContext, world: World, both: tuple[Running, Running], batch: Batch) -> None:
        own, other = both
        going = other.count - batch.others
        while own.healthy + other.healthy - going < batch.least_ready and BUG != "too few are left":
            if ctx.deadline.passed:
                raise FatalError("too few", code="too-few-ready")
            ctx.pause(0.02)
        other.cut = BUG == "requests end with their instance"
        while other.open and not other.cut:
            ctx.pause(0.01)
        with world.guard:
            if BUG != "a batch of nothing stops nothing" or batch.instances:
                other.count -= going
            other.healthy = min(other.healthy, other.count)

    def start(self, ctx: DeployContext | RollbackContext, count: int = 2) -> Running:
        """A release that runs, not yet found healthy."""
        label = ctx.slot
        named = ctx.target.variables["CONFORMANCE_SECRET"]
        secret = "" if BUG == "secret is not resolved" else ctx.secrets.resolve(named)
        ctx.home.mkdir(exist_ok=True)
        kept = {"slot": label, "release": ctx.release.name}
        if BUG == "secret in a file":
            kept["environment"] = secret
        (ctx.home / f"{label}.json").write_text(json.dumps(kept))
        ctx.log(f"starting with {secret}" if BUG == "secret in a log line" else "starting")
        behaviour = (ctx.files / "behaviour.txt").read_text().strip()
        reference = ReleaseRef(ctx.release.name, ctx.release.id)
        return Running(reference, behaviour, secret, behaviour == "broken", count=count)

    @hookimpl
    def health_check(self, ctx: HealthContext) -> Iterable[HealthResult]:
        inside = self.world(ctx).held_in(ctx.slot)
        asked = (
            inside
            if BUG == "health is asked of every release"
            else [one for one in inside if one.release.id == ctx.release.id]
        )
        for running in asked:
            if running.behaviour == "silent":
                yield HealthResult("GET /health", BUG == "silence is health", starting=True)
            else:
                healthy = not running.broken or BUG == "every answer is health"
                running.healthy = running.count if healthy else running.healthy
                yield HealthResult("GET /health", healthy)

    @hookimpl
    def switch_traffic(self, ctx: SwitchContext) -> TrafficState:
        world = self.world(ctx)
        wanted = {label: share for label, share in ctx.split.weights.items() if share}
        if not set(wanted) <= set(world.slots) and BUG != "unknown slots get traffic":
            if BUG == "bad input raises ValueError":
                raise ValueError("no such slot")
            raise FatalError("no such slot", code="unknown-slot")
        closed = ctx.split.maintenance if not wanted else None
        if abs(sum(wanted.values()) - 100) > 0.01 and not closed and BUG != "shares need not add up":
            raise FatalError("shares do not add up", code="bad-split")
        if BUG == "a switch is never the same" or world.weights != wanted:
            world.generation += 1
        before, kept = world.served, world.split
        self.give(world, wanted)
        world.split = evolve(ctx.split, maintenance=closed)
        if BUG == "header rules stay" and kept.headers:
            world.split = evolve(world.split, headers=kept.headers)
        if BUG == "users are kept for ever" and kept.sticky:
            world.split = evolve(world.split, sticky=True, gaining=kept.gaining)
        if BUG == "maintenance goes on" and kept.maintenance:
            world.split = evolve(world.split, maintenance=kept.maintenance)
        if BUG == "front door keeps the old release" and before and len(wanted) == 1:
            world.served = before
        if BUG == "shares are rounded to all or nothing":
            self.give(world, {max(wanted, key=lambda label: wanted[label]): 100.0})
        self.drain(ctx, world, "cancelled is not looked at")
        told = ctx.split
        return TrafficState(
            dict(world.weights),
            world.address,
            str(world.generation),
            time.time(),
            headers=told.headers,
            sticky=told.sticky,
            maintenance=closed is not None,
        )

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
        world.beside.pop(ctx.slot, None)

    @hookimpl
    def logs(self, ctx: LogsContext) -> Iterable[LogLine]:
        return [LogLine("starts", slot, "web-0", one.release.name) for slot, one in self.world(ctx).slots.items()]


class MisspeltSample(Sample):
    """Has a hook that ospec does not know."""

    @hookimpl
    def health_chek(self, ctx: HealthContext) -> None:
        """Never called."""
