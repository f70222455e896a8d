"""The running Envoy: telling it clusters and routes, and waiting until it says that it serves them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from ospec.errors import FatalError
from ospec.models.context import HookContext

from ospec_plugin_local.admin import AdminError, get
from ospec_plugin_local.envoy_words import CLUSTERS, FRONT
from ospec_plugin_local.place import Place
from ospec_plugin_local.state import SLOTS

_PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.0005
_SLOWEST_POLL_SECONDS = 0.02
Told = tuple[str, Mapping[str, Any]]
"""Its version, and a route configuration."""
NOTHING_TOLD: Told = ("", {})


@frozen
class Host:
    """An instance as one cluster has it."""

    cluster: str
    port: int
    healthy: bool
    open_requests: int


class Envoy:
    """Envoy of one place, by its administration socket and its files."""

    def __init__(self, place: Place) -> None:
        self._place, self._socket = place, str(place.admin_socket)

    def answers(self) -> bool:
        """Whether it runs and can be asked."""
        try:
            return get(self._socket, "/ready", seconds=1.0).startswith(b"LIVE")
        except AdminError:
            return False

    def tell(self, ctx: HookContext, name: str, content: Mapping[str, Any], wait: bool) -> None:
        """Replace a watched file by renaming, the only way that Envoy notices, and wait until it serves it.

        Args:
            name: ``clusters``, or a listener, whose routes these are, or a cluster, whose instances these are.
            wait: False where Envoy does not run and will read the file when it starts.

        Raises:
            FatalError: it does not take it, with its own words (``proxy-refused``); the file is as it was before.
        """
        path = self._place.routes / f"{name}.json"
        before = path.read_bytes() if path.exists() else None
        prefix = _statistics(name)
        refusals = self._version(prefix)[1] if wait else 0
        self._rename_to(path, json.dumps(content, indent=1).encode())
        if wait:
            try:
                self._wait_for_version(ctx, prefix, str(content["version_info"]), refusals)
            except FatalError:
                if before is not None:
                    self._rename_to(path, before)
                raise

    def told(self, name: str = FRONT) -> Told:
        """What a listener, or another watched file, was told last."""
        try:
            content = json.loads((self._place.routes / f"{name}.json").read_bytes())
            return str(content["version_info"]), content["resources"][0]
        except (OSError, ValueError, LookupError):
            return NOTHING_TOLD

    def clusters(self) -> frozenset[str]:
        """The clusters that it was told of, which have statistics."""
        try:
            content = json.loads((self._place.routes / f"{CLUSTERS}.json").read_bytes())
            return frozenset(one["name"] for one in content["resources"])
        except (OSError, ValueError, LookupError):
            return frozenset()

    def told_at(self) -> float:
        """When the front door was told its shares last, in Unix seconds; 0 where it never was."""
        try:
            return (self._place.routes / f"{FRONT}.json").stat().st_mtime
        except OSError:
            return 0.0

    def hosts(self) -> list[Host]:
        """What it knows of each instance, in each cluster that it is in; nothing where it does not answer."""
        try:
            answer = json.loads(get(self._socket, "/clusters?format=json"))
        except AdminError:
            return []
        return [
            Host(cluster["name"], one["address"]["socket_address"]["port_value"], _healthy(one), _open(one))
            for cluster in answer.get("cluster_statuses", [])
            for one in cluster.get("host_statuses", [])
        ]

    def open_requests(self, cluster: str) -> int:
        """Requests under way to the cluster now; 0 where Envoy is gone, and with it every request."""
        stat = f"cluster.{cluster}.upstream_rq_active"
        try:
            return int(self._stats(f"^{stat}$").get(stat, 0))
        except AdminError:
            return 0

    def served(self, name: str = FRONT) -> Told:
        """What a listener does now.

        Raises:
            AdminError: Envoy does not answer.
        """
        dump = json.loads(get(self._socket, f"/config_dump?resource=dynamic_route_configs&name_regex=^{name}$"))
        for entry in dump.get("configs", []):
            configuration = entry.get("route_config", {})
            if configuration.get("name") == name:
                return str(entry.get("version_info", "")), configuration
        return NOTHING_TOLD

    def _rename_to(self, path: Path, content: bytes) -> None:
        draft = self._place.envoy / "stage" / path.name
        draft.write_bytes(content)
        draft.replace(path)

    def _wait_for_version(self, ctx: HookContext, prefix: str, wanted: str, refusals: int) -> None:
        def is_so() -> bool:
            version, refused = self._version(prefix)
            if version != wanted and refused > refusals:
                raise self._refused(prefix)
            return version == wanted

        if not self._wait(ctx, is_so):
            raise self._refused(prefix)

    def _version(self, prefix: str) -> tuple[str, int]:
        """The version it serves of one file, and how often it has refused that file; nothing where it is silent."""
        try:
            found = self._stats(f"^{prefix.replace('.', '[.]')}[.](version_text|update_rejected|update_failure)$")
        except AdminError:
            return "", 0
        refused = (int(found.get(f"{prefix}.{name}", 0)) for name in ("update_rejected", "update_failure"))
        return str(found.get(f"{prefix}.version_text", "")), sum(refused)

    def _refused(self, prefix: str) -> FatalError:
        log = self._place.logs / "envoy.log"
        said = [line for line in last_lines(log, 200) if "reject" in line or "[error]" in line]
        return FatalError(
            f"the proxy did not take its new configuration ({prefix}): "
            f"{said[-1].rpartition('] ')[2] if said else 'it gives no reason'}",
            code="proxy-refused",
            where="local",
            hints=(f"read all that it says in {log}",),
        )

    def _stats(self, pattern: str) -> dict[str, Any]:
        answer = json.loads(get(self._socket, f"/stats?format=json&filter={pattern}"))
        return {entry["name"]: entry["value"] for entry in answer["stats"] if "name" in entry}

    def _wait(self, ctx: HookContext, is_so: Callable[[], bool]) -> bool:
        """Whether `is_so` came true in time."""
        end, pause = time.monotonic() + min(_PATIENCE_SECONDS, ctx.deadline.left), _POLL_SECONDS
        while not is_so():
            if time.monotonic() > end:
                return False
            ctx.pause(pause)
            pause = min(pause * 1.3, _SLOWEST_POLL_SECONDS)
        return True


def _statistics(name: str) -> str:
    """How the statistics of a watched file begin."""
    if name == CLUSTERS:
        return "cluster_manager.cds"
    return f"http.{name}.rds.{name}" if name in (FRONT, *SLOTS) else f"cluster.{name}"


def _healthy(host: Mapping[str, Any]) -> bool:
    """Whether a host gets requests: no flag is set, and it was not told to be leaving."""
    status = host.get("health_status", {})
    return status.get("eds_health_status", "HEALTHY") == "HEALTHY" and not any(one is True for one in status.values())


def _open(host: Mapping[str, Any]) -> int:
    return sum(int(one.get("value", 0)) for one in host.get("stats", ()) if one.get("name") == "rq_active")


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file that may be long; none where it is missing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 512 * max(count, 1)))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[-count:] if count else []
