from __future__ import annotations

import contextvars
import functools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ospec.errors import CancelledError, DocumentError, FatalError
from ospec.telemetry import session, spans

CANARY = "hunter2-canary"


class Receiver:
    """A real HTTP server that stands for a collector or a Pushgateway.

    Remembers (method, path, headers, body) of every request and answers `status`.
    """

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.command, self.path, headers, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_POST  # noqa: N815 (the server's own naming)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def no_otel_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's own shell exports must not decide a test."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


def test_off_measures_nothing() -> None:
    telemetry = session.off()
    with telemetry.hook("deploy", "local", {}), telemetry.span("ospec.run"):
        pass
    assert telemetry.take_spans() == []
    assert telemetry.trace_id == ""
    assert telemetry.close() == ()


def test_kept_spans_are_json_with_parents_and_one_trace() -> None:
    telemetry = session.start(keep_spans=True, environ={})
    before = time.time()
    with telemetry.span("ospec.run", {"ospec.run_id": "r1"}), telemetry.hook("deploy", "local", {"ospec.run_id": "r1"}):
        pass
    with telemetry.span("ospec.run"):
        pass
    call, run, other = json.loads(json.dumps(telemetry.take_spans()))
    assert set(run) == {"name", "trace_id", "span_id", "parent_id", "start", "seconds", "status", "attributes"}
    assert (call["name"], run["name"]) == ("ospec.hook.deploy", "ospec.run")
    assert call["parent_id"] == run["span_id"]
    assert (run["parent_id"], other["parent_id"]) == (None, None)
    assert {one["trace_id"] for one in (call, run, other)} == {telemetry.trace_id}
    assert len(telemetry.trace_id) == 32
    assert before - 1 <= run["start"] <= time.time() + 1
    assert 0 <= call["seconds"] <= run["seconds"]
    assert call["attributes"] == {"ospec.plugin": "local", "ospec.run_id": "r1"}
    assert telemetry.take_spans() == []
    telemetry.close()


@pytest.mark.parametrize(
    ("error", "status", "attributes"),
    [
        (FatalError(CANARY, code="no-answer"), "error", {"error.type": "FatalError", "ospec.error_code": "no-answer"}),
        (ValueError(CANARY), "error", {"error.type": "ValueError"}),
        (OSError(5, CANARY), "error", {"error.type": "OSError"}),
        (CancelledError(CANARY), "cancelled", {"error.type": "CancelledError", "ospec.error_code": "cancelled"}),
        (KeyboardInterrupt(CANARY), "cancelled", {"error.type": "KeyboardInterrupt"}),
    ],
)
def test_of_an_error_only_type_and_code_are_kept(error: BaseException, status: str, attributes: dict[str, str]) -> None:
    telemetry = session.start(keep_spans=True, environ={})
    with pytest.raises(type(error)), telemetry.hook("deploy", "local", {}):
        raise error
    (kept,) = telemetry.take_spans()
    telemetry.close()
    assert kept["status"] == status
    assert kept["attributes"] == {"ospec.plugin": "local", **attributes}
    assert CANARY not in json.dumps(kept)


def test_a_thread_with_a_copied_context_continues_the_trace_and_one_without_does_not_mix_in() -> None:
    telemetry = session.start(keep_spans=True, environ={})

    def work() -> None:
        with telemetry.span("inside"):
            pass

    with telemetry.span("outside"):
        context = contextvars.copy_context()
        for target in (functools.partial(context.run, work), work):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    copied, bare, outside = telemetry.take_spans()
    telemetry.close()
    assert copied["parent_id"] == outside["span_id"]
    assert bare["parent_id"] is None


def test_a_call_that_ends_after_the_session_breaks_nothing(tmp_path: Path) -> None:
    telemetry = session.start(keep_spans=True, environ={}, metrics_file=tmp_path / "ospec.prom")
    with telemetry.hook("deploy", "local", {}):
        telemetry.close()
    assert telemetry.close() == ()


def test_no_more_spans_are_kept_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "KEEP_AT_MOST", 3)
    telemetry = session.start(keep_spans=True, environ={})
    for _ in range(5):
        with telemetry.span("ospec.run"):
            pass
    assert len(telemetry.take_spans()) == 3
    assert telemetry.close() == ("2 spans were not kept: at most 3 are",)


def test_a_disabled_sdk_keeps_and_exports_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry = session.start(keep_spans=True, environ=os.environ)
    with telemetry.span("ospec.run"):
        pass
    assert telemetry.take_spans() == []
    assert telemetry.close() == ()
    assert receiver.requests == []


# -- metrics ----------------------------------------------------------------------------------------------------------


def test_metrics_are_written_as_prometheus_text(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    file = tmp_path / "ospec.prom"
    file.write_text("old")
    telemetry = session.start(keep_spans=False, environ={}, metrics_file=file)
    for _ in range(2):
        with telemetry.hook("deploy", 'lo"cal', {}):
            pass
    with pytest.raises(FatalError), telemetry.hook("deploy", 'lo"cal', {}):
        raise FatalError("no")
    assert telemetry.close() == ()
    families = {family.name: family for family in text_string_to_metric_families(file.read_text())}
    assert set(families) == {"ospec_hook_calls", "ospec_hook_duration_seconds"}
    counts = {sample.labels["outcome"]: sample.value for sample in families["ospec_hook_calls"].samples}
    assert counts == {"ok": 2.0, "error": 1.0}
    durations = families["ospec_hook_duration_seconds"].samples
    assert {sample.labels["plugin"] for sample in durations} == {'lo"cal'}
    buckets = [sample.value for sample in durations if sample.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3.0
    assert len(buckets) == 11
    assert [path.name for path in tmp_path.iterdir()] == ["ospec.prom"]


def test_durations_fall_into_their_buckets() -> None:
    from ospec.telemetry.metrics import Metrics

    metrics = Metrics(None, None)
    for seconds in (0.001, 0.0011, 400.0):
        metrics.record("deploy", "local", "ok", seconds)
    _, durations = metrics.collect()
    values = {sample.labels.get("le", sample.name): sample.value for sample in durations.samples}
    assert (values["0.001"], values["0.005"], values["300.0"], values["+Inf"]) == (1, 2, 2, 3)
    assert values["ospec_hook_duration_seconds_sum"] == pytest.approx(400.0021)


def test_calls_from_many_threads_are_all_counted(tmp_path: Path) -> None:
    telemetry = session.start(keep_spans=False, environ={}, metrics_file=tmp_path / "ospec.prom")

    def work() -> None:
        for _ in range(500):
            with telemetry.hook("deploy", "local", {}):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    telemetry.close()
    assert 'outcome="ok",plugin="local"} 2000.0' in (tmp_path / "ospec.prom").read_text()


def test_a_metrics_file_without_a_folder_is_an_error_at_once(tmp_path: Path) -> None:
    for file in (tmp_path / "none" / "ospec.prom", tmp_path):
        with pytest.raises(DocumentError) as caught:
            session.start(keep_spans=False, environ={}, metrics_file=file)
        assert (caught.value.code, caught.value.where) == ("metrics-file", "--metrics-file")


def test_a_metrics_file_that_cannot_be_written_in_the_end_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    telemetry = session.start(keep_spans=False, environ={}, metrics_file=folder / "ospec.prom")
    folder.rmdir()
    (warning,) = telemetry.close()
    assert "metrics were not written" in warning


def test_metrics_are_pushed_in_the_group_of_service_and_environment(receiver: Receiver) -> None:
    """Judged here: request, group and text. Not judged: that a real Pushgateway takes them."""
    telemetry = session.start(keep_spans=False, environ={}, pushgateway=receiver.url)
    telemetry.describe(service="hello", environment="production")
    with telemetry.hook("deploy", "local", {}):
        pass
    assert telemetry.close() == ()
    ((method, path, _, body),) = receiver.requests
    assert method == "PUT"
    assert path == "/metrics/job/ospec/environment/production/service/hello"
    assert b'ospec_hook_calls_total{hook="deploy",outcome="ok",plugin="local"} 1.0' in body


def test_a_pushgateway_that_refuses_or_is_gone_is_a_warning(receiver: Receiver) -> None:
    receiver.status = 400
    telemetry = session.start(keep_spans=False, environ={}, pushgateway=receiver.url)
    (warning,) = telemetry.close()
    assert warning == f"metrics were not pushed to the Pushgateway {receiver.url}: it answered 400"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = unused.getsockname()[1]
        (warning,) = session.start(keep_spans=False, environ={}, pushgateway=f"127.0.0.1:{port}").close()
    assert "were not pushed" in warning


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:port", f"http://me:{CANARY}@x:9091", ""])
def test_a_pushgateway_that_is_no_url_is_an_error_at_once(url: str) -> None:
    with pytest.raises(DocumentError) as caught:
        session.start(keep_spans=False, environ={}, pushgateway=url)
    assert caught.value.code == "pushgateway"
    assert CANARY not in str(caught.value)


# -- OTLP -------------------------------------------------------------------------------------------------------------


def exported(receiver: Receiver) -> tuple[dict[str, str], list[Any]]:
    """Resource attributes and spans of everything the collector got, read with OTLP's own message classes."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    resource: dict[str, str] = {}
    found: list[Any] = []
    for method, path, _, body in receiver.requests:
        assert (method, path) == ("POST", "/v1/traces")
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource |= {pair.key: pair.value.string_value for pair in group.resource.attributes}
            found += [span for scope in group.scope_spans for span in scope.spans]
    return resource, found


@pytest.mark.parametrize("keep", [True, False])
def test_spans_are_exported_by_the_standard_variables(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-deploys")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=shop")
    telemetry = session.start(keep, os.environ)
    with telemetry.span("ospec.run"), pytest.raises(FatalError), telemetry.hook("deploy", "local", {}):
        raise FatalError(CANARY, code="no-answer")
    trace_id, kept = telemetry.trace_id, telemetry.take_spans()
    assert telemetry.close() == ()
    resource, found = exported(receiver)
    assert (resource["service.name"], resource["team"]) == ("shop-deploys", "shop")
    assert sorted(span.name for span in found) == ["ospec.hook.deploy", "ospec.run"]
    assert {span.trace_id.hex() for span in found} == {trace_id}
    assert len(kept) == (2 if keep else 0)
    assert receiver.requests[0][2]["authorization"] == "Bearer token"
    assert all(CANARY.encode() not in body for *_, body in receiver.requests)


def test_a_collector_that_refuses_is_a_warning_without_the_url(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 401
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{receiver.url}/{CANARY}")
    telemetry = session.start(keep_spans=False, environ=os.environ)
    with telemetry.span("ospec.run"):
        pass
    assert telemetry.close() == ("spans were not exported to the OTLP collector on 127.0.0.1: it answered 401",)


def test_a_collector_that_is_not_there_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FLUSH_SECONDS", 0.2)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}/{CANARY}")
        telemetry = session.start(keep_spans=False, environ=os.environ)
        with telemetry.span("ospec.run"):
            pass
        (warning,) = telemetry.close()
        ended = time.monotonic() + 5  # its retries alone would take ten seconds
        while any(thread.name == "ospec-otlp-flush" for thread in threading.enumerate()):
            assert time.monotonic() < ended
            threading.Event().wait(0.01)
    assert warning == "spans were not exported to the OTLP collector on 127.0.0.1: it did not take them in time"


def test_a_missing_exporter_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    telemetry = session.start(keep_spans=True, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    assert telemetry.warnings == ["spans are not exported: OTLP needs its exporter; pip install 'ospec[otlp]'"]
    with telemetry.span("ospec.run"):
        pass
    assert len(telemetry.take_spans()) == 1
    telemetry.close()


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        ({"OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER=console is not supported"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTLP protocol grpc is not supported"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "OTLP protocol http/json is not supported"),
    ],
)
def test_what_cannot_be_exported_is_said(environ: dict[str, str], warning: str | None, receiver: Receiver) -> None:
    telemetry = session.start(False, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **environ})
    with telemetry.span("ospec.run"):
        pass
    warnings = telemetry.close()
    assert len(warnings) == (1 if warning else 0)
    assert not warning or warning in warnings[0]
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", CANARY),
        ("OTEL_EXPORTER_OTLP_HEADERS", CANARY),
        ("OTEL_TRACES_SAMPLER", CANARY),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1"),
    ],
)
def test_a_wrong_variable_is_a_warning_without_its_value(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv(variable, value)
    telemetry = session.start(keep_spans=True, environ=os.environ)
    with telemetry.span("ospec.run"):
        pass
    assert len(telemetry.take_spans()) == 1
    warnings = telemetry.close()
    assert warnings
    assert CANARY not in "".join(warnings)


def test_the_sdk_writes_nothing_to_stderr_by_itself() -> None:
    """In a process of its own, since pytest's own log handlers would take what is logged."""
    code = (
        "import os; from ospec.telemetry import session\n"
        "session.FLUSH_SECONDS = 0.2\n"
        "telemetry = session.start(False, os.environ)\n"
        "with telemetry.span('ospec.run'): pass\n"
        "print(telemetry.close())\n"
    )
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        environ = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{unused.getsockname()[1]}/{CANARY}",
            "OTEL_EXPORTER_OTLP_HEADERS": CANARY,
        }
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "it did not take them in time" in done.stdout
    assert CANARY not in done.stdout


def test_an_endpoint_that_is_no_url_is_a_warning() -> None:
    telemetry = session.start(False, {"OTEL_EXPORTER_OTLP_ENDPOINT": CANARY})
    assert telemetry.close() == ("spans are not exported: OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL",)


def test_nothing_global_is_set_and_nothing_is_loaded_that_is_not_used(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ospec.telemetry import session\n"
        "t = session.start(False, {}, Path(sys.argv[1]))\n"
        "assert not [m for m in sys.modules if m.startswith(('opentelemetry', 'prometheus_client'))]\n"
        "t.close()\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry')]\n"
        "t = session.start(True, {})\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry.sdk.metrics')]\n"
        "t.close()\n"
        "from opentelemetry import trace\n"
        "assert type(trace.get_tracer_provider()).__name__ == 'ProxyTracerProvider'\n"
        "from prometheus_client import REGISTRY\n"
        "assert not [f for f in REGISTRY.collect() if f.name.startswith('ospec')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "ospec.prom")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
