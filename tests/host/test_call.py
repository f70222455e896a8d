from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ospec.errors import CancelledError, FatalError, OspecError, PluginBugError, RetryableError
from ospec.hookspecs import hookimpl
from ospec.host.call import Host
from ospec.host.discover import load_plugins
from ospec.host.registry import collect
from ospec.models.context import Event, LogsContext, ObserveContext, RetireContext
from ospec.models.live import HealthResult, LiveState, LogLine
from ospec.models.target import Target
from ospec.telemetry import session
from ospec.telemetry.session import Telemetry

TARGET = Target("hello", "Hello", "production", "heap", "at-once")
OBSERVE = ObserveContext(target=TARGET, home=Path("state"))
EVENT = Event(run="r1", service="hello", environment="production", kind="step-started", at=1.0, body={})


def host_of(telemetry: Telemetry | None = None, **plugins: object) -> Host:
    loaded = load_plugins([], None, plugins)
    return Host(loaded, collect(loaded), telemetry or session.off())


def observing(answer: Any) -> object:
    """A plugin that observes `answer`; an exception is raised."""

    class Plugin:
        @hookimpl
        def observe(self, ctx: ObserveContext) -> Any:
            if isinstance(answer, BaseException):
                raise answer
            return answer

    return Plugin()


def test_plugins_are_asked_in_the_given_order_and_those_without_the_hook_left_out() -> None:
    first, second = LiveState(address="first"), LiveState(address="second")
    host = host_of(one=observing(first), two=observing(second), three=object())
    assert host.call("observe", OBSERVE, ["two", "three", "one"]) == [("two", second), ("one", first)]
    assert host.call("observe", OBSERVE, ["three"]) == []


def test_a_plugin_that_is_not_named_is_never_asked() -> None:
    host = host_of(one=observing(LiveState()), other=observing(AssertionError("asked")))
    host.call("observe", OBSERVE, ["one"])


def test_an_implementation_may_take_no_context() -> None:
    class Plugin:
        @hookimpl
        def observe(self) -> LiveState:
            return LiveState(address="here")

    assert host_of(one=Plugin()).call_one("observe", OBSERVE, "one") == LiveState(address="here")


def test_generators_are_read_to_the_end_inside_the_measured_call() -> None:
    class Plugin:
        @hookimpl
        def health_check(self, ctx: Any) -> Iterator[HealthResult]:
            yield HealthResult("first", healthy=True)
            raise RetryableError("later")

    telemetry = session.start(keep_spans=True, environ={})
    with pytest.raises(RetryableError):
        host_of(telemetry, one=Plugin()).call("health_check", OBSERVE, ["one"])
    (span,) = telemetry.take_spans()
    telemetry.close()
    assert span["status"] == "error"


def test_none_is_an_empty_answer_of_an_iterable_and_no_answer_of_a_single_one() -> None:
    class Plugin:
        @hookimpl
        def health_check(self) -> None:
            return None

        @hookimpl
        def observe(self) -> None:
            return None

    host = host_of(one=Plugin())
    assert host.call("health_check", OBSERVE, ["one"]) == [("one", ())]
    assert host.call("observe", OBSERVE, ["one"]) == [("one", None)]


@pytest.mark.parametrize("plugin", [observing(None), object()])
def test_the_one_that_has_to_answer_and_does_not_is_an_error(plugin: object) -> None:
    with pytest.raises(FatalError, match="'heap' gave no answer to hook 'observe'") as caught:
        host_of(heap=plugin).call_one("observe", OBSERVE, "heap")
    assert caught.value.code == "no-answer"


def test_a_hook_that_answers_nothing_may_answer_nothing() -> None:
    class Plugin:
        @hookimpl
        def retire(self, ctx: RetireContext) -> None:
            retired.append(ctx.slot)

    retired: list[str | None] = []
    context = RetireContext(target=TARGET, home=Path("state"), slot="blue")
    assert host_of(one=Plugin()).call_one("retire", context, "one") is None
    assert retired == ["blue"]


@pytest.mark.parametrize(
    "error", [FatalError("no"), RetryableError("wait"), CancelledError(), OspecError("x", code="y")]
)
def test_errors_for_people_pass_as_they_are(error: OspecError) -> None:
    with pytest.raises(OspecError) as caught:
        host_of(one=observing(error)).call("observe", OBSERVE, ["one"])
    assert caught.value is error


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(3), AssertionError("no"), NotImplementedError()])
def test_anything_else_is_a_bug_of_that_plugin(error: BaseException) -> None:
    with pytest.raises(PluginBugError) as caught:
        host_of(one=observing(error)).call("observe", OBSERVE, ["one"])
    assert (caught.value.plugin, caught.value.hook) == ("one", "observe")
    assert caught.value.__cause__ is error
    assert error.__traceback__ is not None


def test_an_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        host_of(one=observing(KeyboardInterrupt())).call("observe", OBSERVE, ["one"])


@pytest.mark.parametrize("answer", [{"slots": []}, "up", (LiveState(),), LiveState])
def test_a_wrong_answer_is_a_bug_of_that_plugin(answer: object) -> None:
    with pytest.raises(PluginBugError, match="expected LiveState"):
        host_of(one=observing(answer)).call("observe", OBSERVE, ["one"])


@pytest.mark.parametrize("answer", ["up", HealthResult("x", healthy=True), ["up"], [None], 7])
def test_a_wrong_item_is_a_bug_of_that_plugin(answer: object) -> None:
    class Plugin:
        @hookimpl
        def health_check(self) -> Any:
            return answer

    with pytest.raises(PluginBugError, match="expected an iterable of HealthResult"):
        host_of(one=Plugin()).call("health_check", OBSERVE, ["one"])


def test_a_hook_that_answers_nothing_and_answers_something_is_a_bug() -> None:
    class Plugin:
        @hookimpl
        def retire(self) -> bool:
            return True

    with pytest.raises(PluginBugError, match="answered bool, expected nothing"):
        host_of(one=Plugin()).call("retire", OBSERVE, ["one"])


class Following:
    """Gives log lines for as long as it is read."""

    def __init__(self) -> None:
        self.ended = False

    @hookimpl
    def logs(self, ctx: LogsContext) -> Iterator[LogLine]:
        try:
            count = 0
            while True:
                yield LogLine(f"line {count}")
                count += 1
        finally:
            self.ended = True


def test_a_stream_gives_each_line_as_it_comes_and_ends_when_its_reader_stops() -> None:
    telemetry = session.start(keep_spans=True, environ={})
    plugin = Following()
    lines = host_of(telemetry, one=plugin).stream("logs", OBSERVE, ["one"])
    assert next(lines) == ("one", LogLine("line 0"))
    assert next(lines) == ("one", LogLine("line 1"))
    with telemetry.span("beside"):
        assert next(lines) == ("one", LogLine("line 2"))
    lines.close()  # type: ignore[attr-defined]
    assert plugin.ended
    beside, logs = telemetry.take_spans()
    telemetry.close()
    assert (logs["name"], logs["status"]) == ("ospec.hook.logs", "ok")
    assert beside["parent_id"] is None


def test_a_stream_checks_each_item() -> None:
    class Plugin:
        @hookimpl
        def logs(self) -> Iterator[Any]:
            yield "text"

    with pytest.raises(PluginBugError, match="answered str, expected an iterable of LogLine"):
        list(host_of(one=Plugin()).stream("logs", OBSERVE, ["one"]))


class Listening:
    """Remembers what it was told, and fails if it was given an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.told: list[str] = []
        self.error = error

    @hookimpl
    def on_event(self, ctx: Event) -> None:
        self.told.append(ctx.kind)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [KeyError("x"), FatalError("no"), CancelledError(), SystemExit(1)])
def test_a_notice_reaches_every_plugin_whatever_one_of_them_does(error: BaseException) -> None:
    failures: list[tuple[str, OspecError]] = []
    bad, good = Listening(error), Listening()
    loaded = load_plugins([], None, {"bad": bad, "good": good})
    host = Host(loaded, collect(loaded), session.off(), lambda plugin, error: failures.append((plugin, error)))
    host.tell(EVENT)
    host.tell(EVENT)
    assert bad.told == good.told == ["step-started", "step-started"]
    assert [plugin for plugin, _ in failures] == ["bad"]


def test_a_failed_notice_is_a_warning_once_where_nobody_else_is_told() -> None:
    telemetry = session.off()
    host = host_of(telemetry, bad=Listening(KeyError("x")))
    for one in (host, host.with_attributes(run="r1"), host):
        one.tell(EVENT)
    (warning,) = telemetry.close()
    assert "plugin 'bad' could not be told of an event" in warning


def test_every_call_of_every_plugin_has_its_span_and_numbers(tmp_path: Path) -> None:
    file = tmp_path / "ospec.prom"
    telemetry = session.start(keep_spans=True, environ={}, metrics_file=file)
    host = host_of(telemetry, one=observing(LiveState()), two=observing(CancelledError()), three=observing(KeyError(1)))
    host = host.with_attributes(service="hello", environment="production").with_attributes(run="r1")
    host.call("observe", OBSERVE, ["one"])
    for plugin in ("two", "three"):
        with pytest.raises(OspecError):
            host.call("observe", OBSERVE, [plugin])
    spans = {span["attributes"]["ospec.plugin"]: span for span in telemetry.take_spans()}
    assert telemetry.close() == ()
    assert {plugin: span["status"] for plugin, span in spans.items()} == {
        "one": "ok",
        "two": "cancelled",
        "three": "error",
    }
    assert spans["one"]["attributes"] == {
        "ospec.plugin": "one",
        "ospec.service": "hello",
        "ospec.environment": "production",
        "ospec.run_id": "r1",
    }
    text = file.read_text()
    for plugin, outcome in (("one", "ok"), ("two", "cancelled"), ("three", "error")):
        assert f'ospec_hook_calls_total{{hook="observe",outcome="{outcome}",plugin="{plugin}"}} 1.0' in text
        assert f'ospec_hook_duration_seconds_count{{hook="observe",plugin="{plugin}"}} 1.0' in text


def test_attributes_stay_with_the_host_they_were_given_to() -> None:
    telemetry = session.start(keep_spans=True, environ={})
    plain = host_of(telemetry, one=observing(LiveState()))
    plain.with_attributes(run="r1")
    plain.call("observe", OBSERVE, ["one"])
    (span,) = telemetry.take_spans()
    telemetry.close()
    assert span["attributes"] == {"ospec.plugin": "one"}


def test_a_call_in_a_thread_with_a_copied_context_is_the_steps_child() -> None:
    telemetry = session.start(keep_spans=True, environ={})
    host = host_of(telemetry, one=observing(LiveState()))
    with telemetry.span("ospec.step.deploy"):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(host.call, "observe", OBSERVE, ["one"]))
        thread.start()
        thread.join()
    call, step = telemetry.take_spans()
    telemetry.close()
    assert call["parent_id"] == step["span_id"]
