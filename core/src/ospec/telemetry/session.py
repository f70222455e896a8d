"""What one process start measures: spans and numbers of hook calls, steps and runs. Off, it costs next to nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ospec.errors import CancelledError
from ospec.telemetry import names
from ospec.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from ospec.telemetry.spans import Tracing

FLUSH_SECONDS = 3.0
"""How long the end of a run waits for a collector."""
_NOTHING: AbstractContextManager[None] = nullcontext()
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Telemetry:
    """Measures hook calls and spans; made by `start` or `off`."""

    def __init__(self, tracing: Tracing | None, metrics: Metrics | None, warnings: list[str]) -> None:
        self._tracing = tracing
        self._metrics = metrics
        self.warnings = warnings
        """What a person should know: an exporter that is missing, a collector that does not answer."""

    @property
    def trace_id(self) -> str:
        """The trace id of every span of this session, 32 hex digits; empty where there are no spans."""
        return self._tracing.trace_id if self._tracing is not None else ""

    def hook(
        self, hook: str, plugin: str, attributes: Mapping[str, str], current: bool = True
    ) -> AbstractContextManager[None]:
        """Measure one hook call of one plugin: span ``ospec.hook.<hook>``, count and duration.

        Args:
            attributes: of the span, beside the plugin; never values of the user.
            current: whether spans begun inside become children; False for a generator, which runs in its
                reader's context.
        """
        if self._tracing is None and self._metrics is None:
            return _NOTHING
        given = {names.PLUGIN: plugin, **attributes}
        return _Measured(self._tracing, self._metrics, names.HOOK_SPAN + hook, given, current, (hook, plugin))

    def span(self, name: str, attributes: Mapping[str, str] | None = None) -> AbstractContextManager[None]:
        """Measure a run or step; spans begun inside are its children, also in threads with a copied context."""
        if self._tracing is None:
            return _NOTHING
        return _Measured(self._tracing, None, name, attributes or {}, True, None)

    def describe(self, *, service: str, environment: str) -> None:
        """Say whose numbers these are: the Pushgateway's group."""
        if self._metrics is not None:
            given = {"service": service, "environment": environment}
            self._metrics.grouping.update({key: value for key, value in given.items() if value})

    def take_spans(self) -> list[dict[str, Any]]:
        """The spans that ended since the last call, as JSON values (see `span_as_json`); empty where none are kept."""
        return self._tracing.take() if self._tracing is not None else []

    def close(self) -> tuple[str, ...]:
        """Export, write and push what is left, within a few seconds; give all warnings. Safe to call twice."""
        tracing, self._tracing = self._tracing, None
        metrics, self._metrics = self._metrics, None
        if tracing is not None:
            self.warnings += tracing.close(FLUSH_SECONDS)
        if metrics is not None:
            self.warnings += metrics.close()
        return tuple(self.warnings)


class _Measured:
    """One span and, for a hook call, its numbers."""

    __slots__ = ("_attributes", "_began", "_current", "_labels", "_metrics", "_name", "_started", "_tracing")

    def __init__(
        self,
        tracing: Tracing | None,
        metrics: Metrics | None,
        name: str,
        attributes: Mapping[str, str],
        current: bool,
        labels: tuple[str, str] | None,
    ) -> None:
        self._tracing = tracing
        self._metrics = metrics
        self._name = name
        self._attributes = attributes
        self._current = current
        self._labels = labels

    def __enter__(self) -> None:
        if self._tracing is not None:
            self._started = self._tracing.start(self._name, self._attributes, self._current)
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._began
        outcome = _outcome(error)
        if self._metrics is not None and self._labels is not None:
            self._metrics.record(*self._labels, outcome, seconds)
        if self._tracing is not None:
            self._tracing.end(self._started, outcome, error)


def off() -> Telemetry:
    """A telemetry that measures nothing."""
    return Telemetry(None, None, [])


def start(
    keep_spans: bool,
    environ: Mapping[str, str],
    metrics_file: Path | None = None,
    pushgateway: str | None = None,
) -> Telemetry:
    """Begin to measure what will be kept, exported, written or pushed; the SDK is loaded only where spans are.

    Args:
        keep_spans: keep ended spans for `take_spans` (the run's journal).
        environ: the process's environment: whether to export. The exporter reads its other OTEL_* variables itself.
        metrics_file: Prometheus text file to write at the end.
        pushgateway: URL of a Pushgateway to push to at the end.

    Raises:
        DocumentError: `metrics_file` or `pushgateway` cannot be used.
    """
    metrics = Metrics(metrics_file, pushgateway) if metrics_file is not None or pushgateway is not None else None
    warnings: list[str] = []
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Telemetry(None, metrics, warnings)
    endpoint = _endpoint(environ, warnings)
    if not endpoint and not keep_spans:
        return Telemetry(None, metrics, warnings)
    from ospec.telemetry.spans import Tracing

    return Telemetry(Tracing(keep_spans, endpoint, warnings), metrics, warnings)


def _endpoint(environ: Mapping[str, str], warnings: list[str]) -> str:
    """The collector that the standard variables ask for, or nothing."""
    wanted = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    endpoint = next((environ[name] for name in _ENDPOINTS if environ.get(name)), "")
    if wanted == "otlp":
        endpoint = endpoint or "http://localhost:4318"
    elif wanted:
        if wanted != "none":
            warnings.append(f"OTEL_TRACES_EXPORTER={wanted} is not supported: use otlp or none")
        return ""
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "http/protobuf")
    if endpoint and protocol != "http/protobuf":
        warnings.append(f"OTLP protocol {protocol} is not supported: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
        return ""
    if endpoint and not endpoint.startswith(("http://", "https://")):
        warnings.append("spans are not exported: OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL")
        return ""
    return endpoint


def _outcome(error: BaseException | None) -> str:
    if error is None or isinstance(error, GeneratorExit):
        return "ok"
    return "cancelled" if isinstance(error, (CancelledError, KeyboardInterrupt)) else "error"
