"""Numbers of hook calls, counted in plain dictionaries; prometheus_client is loaded only to write or push them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ospec.errors import DocumentError
from ospec.telemetry import names

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

_PUSH_SECONDS = 3.0


class Metrics:
    """Counts and durations of hook calls, and where they go when the process ends.

    Args:
        file: Prometheus text file (the node exporter's textfile collector reads ``*.prom``), replaced atomically.
        pushgateway: URL of a Pushgateway, or host:port.

    Raises:
        DocumentError: the file's folder does not exist (``metrics-file``), or the URL is none (``pushgateway``).
    """

    def __init__(self, file: Path | None, pushgateway: str | None) -> None:
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise DocumentError(
                f"{file} cannot be written: its folder has to exist, and the name has to be a file's",
                code="metrics-file",
                where="--metrics-file",
                hints=(f"mkdir -p {file.parent}",),
            )
        if pushgateway is not None:
            _check_url(pushgateway)
        self._file = file
        self._pushgateway = pushgateway
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str, str], int] = {}
        self._durations: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        self.grouping: dict[str, str] = {}
        """Labels of the Pushgateway's group: what is pushed replaces the group's earlier numbers."""

    def record(self, hook: str, plugin: str, outcome: str, seconds: float) -> None:
        """Count one hook call."""
        slot = bisect_left(names.DURATION_BUCKETS, seconds)
        with self._lock:
            self._calls[hook, plugin, outcome] = self._calls.get((hook, plugin, outcome), 0) + 1
            durations = self._durations.get((hook, plugin))
            if durations is None:
                durations = self._durations[hook, plugin] = ([0] * (len(names.DURATION_BUCKETS) + 1), [0.0])
            durations[0][slot] += 1
            durations[1][0] += seconds

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks a collector for."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        calls = CounterMetricFamily(
            names.HOOK_CALLS, "Hook calls by plugin and outcome.", labels=[*names.HOOK_LABELS, names.OUTCOME_LABEL]
        )
        durations = HistogramMetricFamily(
            names.HOOK_DURATION, "Duration of hook calls by plugin.", labels=list(names.HOOK_LABELS)
        )
        with self._lock:
            for labels, count in sorted(self._calls.items()):
                calls.add_metric(list(labels), count)
            for key, (counts, total) in sorted(self._durations.items()):
                durations.add_metric(list(key), _cumulative(counts), total[0])
        yield calls
        yield durations

    def close(self) -> list[str]:
        """Write and push; what went wrong."""
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return [*self._write(registry), *self._push(registry)]

    def _write(self, registry: CollectorRegistry) -> Iterator[str]:
        from prometheus_client import write_to_textfile

        if self._file is not None:
            try:
                write_to_textfile(str(self._file), registry)
            except OSError as error:
                yield f"metrics were not written to {self._file}: {error.strerror}"

    def _push(self, registry: CollectorRegistry) -> Iterator[str]:
        if self._pushgateway is not None:
            from prometheus_client import push_to_gateway

            try:
                push_to_gateway(
                    self._pushgateway,
                    job=names.PUSH_JOB,
                    registry=registry,
                    grouping_key=self.grouping,
                    timeout=_PUSH_SECONDS,
                )
            except OSError as error:  # urllib's own errors are among them
                status = getattr(error, "code", None)
                reason = f"it answered {status}" if status else str(getattr(error, "reason", error))
                yield f"metrics were not pushed to the Pushgateway {self._pushgateway}: {reason}"


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    bounds = [*(repr(bound) for bound in names.DURATION_BUCKETS), "+Inf"]
    return [(bound, float(sum(counts[: index + 1]))) for index, bound in enumerate(bounds)]


def _check_url(text: str) -> None:
    parts = urlsplit(text if "//" in text else f"http://{text}")
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable or parts.username is not None:
        raise DocumentError(
            "the Pushgateway has to be an http or https URL without a user and password",
            code="pushgateway",
            where="--pushgateway",
            hints=("use --pushgateway http://127.0.0.1:9091",),
        )
