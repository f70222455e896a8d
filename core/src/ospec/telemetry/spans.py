"""Spans: the only importer of opentelemetry. Importing this module loads the SDK, so `session` does it where spans are
exported or kept. Nothing global is set: a provider of its own, one trace for one process start."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import attach, detach
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from ospec.telemetry import names

KEEP_AT_MOST = 5000
"""Spans kept for the journal between two `take`s; about 1 KB each."""
_GRACE_SECONDS = 0.5


class _OneTrace(RandomIdGenerator):
    """Gives every span the same trace id, so that spans without a parent are found together."""

    def __init__(self) -> None:
        self.trace_id = super().generate_trace_id()

    def generate_trace_id(self) -> int:
        return self.trace_id


class _Keeper(SpanProcessor):
    """Keeps ended spans as JSON values until they are taken."""

    def __init__(self) -> None:
        self._kept: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            if len(self._kept) < KEEP_AT_MOST:
                self._kept.append(span_as_json(span))
            else:
                self.dropped += 1

    def take(self) -> list[dict[str, Any]]:
        with self._lock:
            taken, self._kept = self._kept, []
        return taken


class _Watched(SpanExporter):
    """Counts what the exporter could not deliver."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.lost += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Listener(logging.Handler):
    """Hears the SDK's log instead of stderr. Takes from it what holds no value: a header or a URL may be a secret."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status = ""
        """The HTTP status that the collector last refused with."""
        self.faults: list[str] = []
        """Messages before their values are filled in."""
        logging.getLogger("opentelemetry").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"code: (\d{3})", record.getMessage())
        if found:
            self.status = found[1]
        self.faults.append(re.sub(r"%\S*?[a-z]", "…", str(record.msg)))

    def close(self) -> None:
        logging.getLogger("opentelemetry").removeHandler(self)
        super().close()


class Tracing:
    """Starts spans, keeps them, exports them.

    Args:
        keep: keep ended spans for `take`.
        endpoint: the collector's URL, or nothing. The exporter itself reads the OTEL_* variables.
        warnings: gets what keeps spans from being exported.
    """

    def __init__(self, keep: bool, endpoint: str, warnings: list[str]) -> None:
        self._log = _Listener()
        resource = Resource({"service.name": "ospec"}).merge(OTELResourceDetector().detect())
        ids = _OneTrace()
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=ids)
        self._keeper = _Keeper() if keep else None
        self._watched = self._export(warnings) if endpoint else None
        self._host = urlsplit(endpoint).hostname
        if self._keeper is not None:
            self._provider.add_span_processor(self._keeper)
        warnings += [f"OpenTelemetry: {fault}" for fault in self._log.faults]
        self._tracer = self._provider.get_tracer("ospec")
        self.trace_id = f"{ids.trace_id:032x}"

    def _export(self, warnings: list[str]) -> _Watched | None:
        """Export to the collector; None with a warning where the exporter is not installed or cannot be made."""
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            watched = _Watched(OTLPSpanExporter())
            self._provider.add_span_processor(BatchSpanProcessor(watched))
        except ImportError:
            warnings.append("spans are not exported: OTLP needs its exporter; pip install 'ospec[otlp]'")
            return None
        except (ValueError, OSError) as error:
            warnings.append(f"spans are not exported: an OTEL_* variable is wrong ({type(error).__name__})")
            return None
        return watched

    def start(self, name: str, attributes: Mapping[str, str], current: bool) -> tuple[Any, Any]:
        """Start a span below the current one; what `end` is given. With `current` it becomes the parent of others."""
        span = self._tracer.start_span(name, attributes=attributes)
        return span, attach(set_span_in_context(span)) if current else None

    def end(self, started: tuple[Any, Any], outcome: str, error: BaseException | None) -> None:
        """End a span. Of an error only type and code are recorded: its message may quote a value of the user."""
        span, token = started
        if token is not None:
            detach(token)
        span.set_attribute(names.OUTCOME, outcome)
        if error is not None:
            span.set_attribute(names.ERROR_TYPE, type(error.__cause__ or error).__name__)
            code = getattr(error, "code", None)
            if isinstance(code, str):
                span.set_attribute(names.ERROR_CODE, code)
            if outcome == "error":
                span.set_status(Status(StatusCode.ERROR))
        span.end()

    def take(self) -> list[dict[str, Any]]:
        """The spans that ended since the last `take`."""
        return [] if self._keeper is None else self._keeper.take()

    def close(self, seconds: float) -> list[str]:
        """Export what is left, waiting at most `seconds`; what went wrong."""
        warnings = []
        if self._keeper is not None and self._keeper.dropped:
            warnings.append(f"{self._keeper.dropped} spans were not kept: at most {KEEP_AT_MOST} are")
        if self._watched is None:
            self._provider.shutdown()
            self._log.close()
            return warnings
        flushing = threading.Thread(target=self._provider.shutdown, name="ospec-otlp-flush", daemon=True)
        flushing.start()
        flushing.join(seconds)
        late = flushing.is_alive()
        if late:
            self._watched.shutdown()  # ends its retries, and with them the thread
            flushing.join(_GRACE_SECONDS)
        self._log.close()
        if late or self._watched.lost:
            reason = f"it answered {self._log.status}" if self._log.status else "it did not take them in time"
            warnings.append(f"spans were not exported to the OTLP collector on {self._host}: {reason}")
        return warnings


def span_as_json(span: ReadableSpan) -> dict[str, Any]:
    """A span as JSON values: name, trace_id, span_id, parent_id, start (Unix seconds), seconds, status, attributes."""
    attributes = dict(span.attributes or {})
    start, end = span.start_time or 0, span.end_time or 0
    context = span.get_span_context()
    assert context is not None  # the SDK's spans always have one
    return {
        "name": span.name,
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent is not None else None,
        "start": start / 1e9,
        "seconds": (end - start) / 1e9,
        "status": attributes.pop(names.OUTCOME, "ok"),
        "attributes": attributes,
    }
