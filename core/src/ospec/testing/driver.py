"""Drives a platform's hooks directly, one service in one environment, as the engine would."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ospec.models import context
from ospec.models.context import Batch, Deadline
from ospec.models.document import Deployment as DeploymentSettings
from ospec.models.live import Deployment, HealthResult, LiveState, LogLine, Measurement, TrafficSplit, TrafficState
from ospec.models.registration import Platform
from ospec.models.release import Artifact, Release, ReleaseRef
from ospec.models.target import HealthCheck, Process, Secrets, Target
from ospec.naming import digest

CANARY = "canary-5e1f0c7a9b"
"""The value of the only secret; nothing may hold it but the application."""
_PATIENCE_SECONDS = 60.0


class Canary:
    """A resolver that knows one secret, ``CONFORMANCE_SECRET``."""

    def resolve(self, text: str) -> str:
        """Replace the reference by the value."""
        return text.replace("${CONFORMANCE_SECRET}", CANARY)

    def names(self, text: str) -> tuple[str, ...]:
        """The secret, where `text` refers to it."""
        return ("CONFORMANCE_SECRET",) if "${CONFORMANCE_SECRET}" in text else ()


class Driver:
    """A service on the platform under test.

    Args:
        plugin: module or object with the hooks.
        platform: the record that it registers.
        settings: its `[plugins.<name>]` table.
        folder: an empty folder for state and releases.
    """

    def __init__(self, plugin: Any, platform: Platform, settings: Mapping[str, Any], folder: Path) -> None:
        self.plugin, self.platform = plugin, platform
        self.home, self.files = folder / "home", folder / "files"
        self.lines: list[str] = []
        self.target = Target(
            service="conformance",
            name="Conformance",
            environment="test",
            platform=platform.name,
            strategy="blue-green",
            processes={"web": Process("web", (sys.executable, "server.py"), 2)},
            variables={"CONFORMANCE_SECRET": "${CONFORMANCE_SECRET}"},
            secrets=Secrets(required=("CONFORMANCE_SECRET",)),
            health_checks=(HealthCheck("/health", 0.2, 2.0),),
            deployment=DeploymentSettings(drain_seconds=30.0),
            plugins={platform.name: settings},
        )

    # -- hooks ---------------------------------------------------------------------------------------------------

    def call(self, hook: str, kind: Callable[..., Any], **fields: Any) -> Any:
        """Call one hook with a context of `kind`; lines it logs are kept in `lines`."""
        given = {
            "target": self.target,
            "home": self.home,
            "operation_id": "conformance/1",
            "deadline": Deadline.after(_PATIENCE_SECONDS),
            "secrets": Canary(),
            "log": self.lines.append,
            **fields,
        }
        return getattr(self.plugin, hook)(kind(**given))

    def observe(self) -> LiveState:
        """What the platform says is there."""
        live: LiveState = self.call("observe", context.ObserveContext)
        return live

    def deploy(self, name: str, slot: str, behaviour: str = "good", **fields: Any) -> Deployment:
        """Have `slot` run a release of the sample application."""
        made: Deployment = self.call(
            "deploy", context.DeployContext, slot=slot, **self._of_release(name, behaviour), **fields
        )
        return made

    def batch(self, name: str, slot: str, batch: Batch, behaviour: str = "good", **fields: Any) -> Deployment:
        """Replace instances of `slot` by a release, as far as `batch` says."""
        return self.deploy(name, slot, behaviour, batch=batch, **fields)

    def roll_back(self, name: str, slot: str, **fields: Any) -> Deployment:
        """Have `slot` run a release again that was deployed before."""
        made: Deployment = self.call("rollback", context.RollbackContext, slot=slot, **self._of_release(name), **fields)
        return made

    def health(self, name: str, slot: str) -> list[HealthResult]:
        """Ask every instance once."""
        return list(self.call("health_check", context.HealthContext, slot=slot, **self._of_release(name)) or ())

    def switch(
        self, weights: Mapping[str, float], split: Mapping[str, Any] | None = None, **fields: Any
    ) -> TrafficState:
        """Give each slot its share; `split` has what else a `TrafficSplit` says."""
        slots = tuple(slot for slot in self.observe().slots if slot.id in weights)
        asked = TrafficSplit(weights, **(split or {}))
        state: TrafficState = self.call("switch_traffic", context.SwitchContext, split=asked, slots=slots, **fields)
        return state

    def retire(self, slot: str | None, **fields: Any) -> None:
        """Take a slot away, or everything."""
        self.call("retire", context.RetireContext, slot=slot, **fields)

    def metrics(self) -> list[Measurement]:
        """The numbers of the last half minute."""
        slots = self.observe().slots
        return list(self.call("collect_metrics", context.MetricsContext, slots=slots, since_seconds=30.0) or ())

    def logs(self) -> list[LogLine]:
        """The last lines of every instance."""
        return list(self.call("logs", context.LogsContext, lines=50) or ())

    # -- what takes several ----------------------------------------------------------------------------------------

    def healthy(self, name: str, slot: str) -> None:
        """Wait until every instance is healthy."""
        results: list[HealthResult] = []

        def asked() -> bool:
            results[:] = self.health(name, slot)
            return bool(results) and all(one.healthy for one in results)

        until(asked, lambda: f"release {name} in slot {slot} did not become healthy: {results}")

    def serve(self, name: str, slot: str) -> str:
        """The whole way of a good release: deployed, healthy, with all the traffic. Its slot's id."""
        made = self.deploy(name, slot).slot.id
        self.healthy(name, made)
        self.switch({other.id: 0.0 for other in self.observe().slots} | {made: 100.0})
        return made

    def reference(self, name: str, behaviour: str = "good") -> ReleaseRef:
        """How the platform should report a release."""
        release = self._of_release(name, behaviour)["release"]
        return ReleaseRef(release.name, release.id)

    def weights(self) -> dict[str, float]:
        """What `observe` says of the front door's traffic, by slot id, without those that get none."""
        return {slot.id: slot.weight_percent for slot in self.observe().slots if slot.weight_percent}

    def _of_release(self, name: str, behaviour: str = "") -> dict[str, Any]:
        files = self.files / name
        if not files.is_dir():
            files.mkdir(parents=True)
            shutil.copy(Path(__file__).with_name("sample_app.py"), files / "server.py")
            (files / "behaviour.txt").write_text((behaviour or "good") + "\n")
        source = digest((files / "behaviour.txt").read_text() + name)
        release = Release(name, source, self.target.service, self.target.environment, Artifact(source), "")
        return {"release": release, "files": files}

    # -- the front door --------------------------------------------------------------------------------------------

    def ask(
        self, path: str = "/", address: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        """(status, release in the header, body) of one answer of the front door, or of a slot's own address."""
        with self.asking(path, address, headers) as answer:
            return answer.status, answer.headers.get("x-ospec-release", ""), answer.read()

    @contextlib.contextmanager
    def asking(
        self, path: str, address: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """One answer whose head has come; its connection is closed in the end."""
        url = urlsplit(address or self.observe().address or "")
        assert url.hostname, "the platform gives no address to ask"
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", url.path.rstrip("/") + path, headers=dict(headers or {}))
            yield connection.getresponse()
        finally:
            connection.close()

    def releases_that_answer(self, times: int, headers: Mapping[str, str] | None = None) -> set[str]:
        """The releases that a number of requests reach."""
        return {self.ask(headers=headers)[1] for _ in range(times)}


class Running:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            self.error = error

    def ended(self, seconds: float) -> bool:
        """Whether it ends within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


def until(is_so: Callable[[], bool], tell: Callable[[], str], seconds: float = _PATIENCE_SECONDS) -> None:
    """Ask until it is so; raise `AssertionError` with what `tell` says after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, tell()
        time.sleep(0.02)
