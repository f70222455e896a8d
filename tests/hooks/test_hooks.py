"""One test a hook: the example of its docstring, run as a plugin under the host."""

from __future__ import annotations

import inspect
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ospec import hookspecs
from ospec.errors import PluginBugError
from ospec.host.call import Host
from ospec.host.discover import Loaded, load_plugins
from ospec.host.implementations import hook_names
from ospec.host.registry import Registry, collect
from ospec.models import live, registration
from ospec.models.context import (
    DeployContext,
    Event,
    HealthContext,
    LogsContext,
    MetricsContext,
    ObserveContext,
    RenderContext,
    RetireContext,
    RollbackContext,
    SwitchContext,
)
from ospec.models.live import (
    Deployment,
    HealthResult,
    LiveState,
    LogLine,
    Measurement,
    RenderedFile,
    Slot,
    TrafficSplit,
    TrafficState,
)
from ospec.models.registration import Capabilities, StepContribution, StepKind
from ospec.models.release import Artifact, Release
from ospec.models.target import Target
from ospec.telemetry import session

TARGET = Target("hello", "Hello", "production", "heap", "all-at-once")
RELEASE = Release("v2", "a" * 64, "hello", "production", Artifact("b" * 64), "c" * 64)
BLUE = Slot("blue", "blue", "idle")
COMMON: dict[str, Any] = {"target": TARGET, "home": Path("state")}
IN_SLOT: dict[str, Any] = {**COMMON, "release": RELEASE, "slot": "blue", "files": Path("files")}


def example(hook: str, **names: Any) -> Loaded:
    """The docstring's example as a loaded plugin; `names` are those that it leaves to the reader."""
    code = textwrap.dedent((inspect.getdoc(getattr(hookspecs, hook)) or "").partition("Example::")[2])
    module = types.ModuleType("example")
    module.__dict__.update(vars(live), hookimpl=hookspecs.hookimpl, **names)
    module.__dict__.update({name: value for name, value in vars(registration).items() if not name.startswith("_")})
    module.__dict__["__name__"] = "example"
    exec(code, module.__dict__)
    return load_plugins([], None, {"example": module})


def answer(hook: str, ctx: Any, **names: Any) -> Any:
    """What the example answers when the host asks it."""
    loaded = example(hook, **names)
    return Host(loaded, collect(loaded), session.off()).call_one(hook, ctx, "example")


def registered(hook: str, **names: Any) -> Registry:
    """What the example registers."""
    return collect(example(hook, **names))


def noting(notes: list[Any], result: Any = None) -> Callable[..., Any]:
    """A function that notes what it is given and gives `result`."""

    def note(*given: Any) -> Any:
        notes.append(given)
        return result

    return note


def test_hook_observe() -> None:
    assert answer("observe", ObserveContext(**COMMON)) == LiveState()


def test_hook_render() -> None:
    files = answer("render", RenderContext(**COMMON, release=RELEASE))
    assert files == (RenderedFile("ci/deploy.yml", "..."),)


def test_hook_deploy() -> None:
    started: list[Any] = []
    given = answer("deploy", DeployContext(**IN_SLOT), start_instances=noting(started, BLUE))
    assert given == Deployment(BLUE)
    assert started == [("blue", RELEASE, Path("files"))]


def test_hook_health_check() -> None:
    (result,) = answer("health_check", HealthContext(**IN_SLOT))
    assert result == HealthResult("GET /health", healthy=True, instance="web-0")


def test_hook_switch_traffic() -> None:
    written: list[Any] = []
    context = SwitchContext(**COMMON, split=TrafficSplit({"blue": 100.0}))
    given = answer("switch_traffic", context, write_weights=noting(written), read_weights=lambda: written[0][0])
    assert given == TrafficState({"blue": 100.0})


def test_hook_collect_metrics() -> None:
    (given,) = answer("collect_metrics", MetricsContext(**COMMON))
    assert isinstance(given, Measurement)
    assert (given.metric, given.value, given.seconds) == ("requests", 120, 1.0)


def test_hook_rollback() -> None:
    started: list[Any] = []
    assert answer("rollback", RollbackContext(**IN_SLOT), start_again=noting(started, BLUE)) == Deployment(BLUE)
    assert started == [("blue", RELEASE)]


def test_hook_retire() -> None:
    stopped: list[Any] = []
    assert answer("retire", RetireContext(**COMMON, slot="blue"), stop_instances=noting(stopped)) is None
    assert stopped == [("blue",)]


def test_hook_logs() -> None:
    assert answer("logs", LogsContext(**COMMON)) == (LogLine("started", slot="blue", instance="web-0"),)


def test_hook_register_platforms() -> None:
    platform = registered("register_platforms").platform("A Heap of Boxes")
    assert platform is not None
    assert platform.capabilities == Capabilities(slots=True)


def test_hook_register_strategies() -> None:
    def plan_all_at_once(given: Any) -> Any:
        raise AssertionError("registering must not plan")

    strategy = registered("register_strategies", plan_all_at_once=plan_all_at_once).strategies["all-at-once"]
    assert strategy.plan is plan_all_at_once


def test_hook_register_steps() -> None:
    open_ticket = noting([], {})
    registry = registered("register_steps", open_ticket=open_ticket, ticket_steps=noting([], ()))
    assert isinstance(registry.step_kinds["ticket"], StepKind)
    assert registry.step_kinds["ticket"].run is open_ticket
    contribution = registry.contributions["ticket"]
    assert isinstance(contribution, StepContribution)
    assert contribution.anchor == "before-exposure"
    assert contribution.steps(TARGET, RELEASE) == ()


def test_hook_register_secret_providers() -> None:
    provider = registered("register_secret_providers", open_box=noting([], "value")).secret_providers["box"]
    assert provider.schemes == ("box",)
    assert provider.resolve(TARGET, "TOKEN") == "value"


def test_hook_register_guardrails() -> None:
    guardrail = registered("register_guardrails", check_lint=noting([], {})).guardrails["lint"]
    assert guardrail.keys == ("guardrails.lint",)
    assert guardrail.check is not None


def test_hook_register_notifiers() -> None:
    assert registered("register_notifiers", ring=print).notifiers["bell"].notify is print


def test_hook_register_metric_sources() -> None:
    source: Any = registered("register_metric_sources").metric_sources["thermometer"]
    assert (source.tells(TARGET), source.check(None).obstacles) == (("temperature",), ())


def test_hook_register_judges() -> None:
    judge: Any = registered("register_judges", by_median=print).judges["median"].judge
    assert judge is print


def test_hook_register_stores() -> None:
    store = object()
    assert (
        registered("register_stores", open_memory=noting([], store)).stores["memory"].open(Path("state"), {}) is store
    )


def test_hook_register_engines() -> None:
    assert registered("register_engines", execute_on_fleet=print).engines["fleet"].execute is print


def test_hook_on_event(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = example("on_event")
    event = Event(run="r1", service="hello", environment="production", kind="step-started", at=1.0, body={"step": "x"})
    Host(loaded, collect(loaded), session.off()).tell(event)
    assert capsys.readouterr().out == "step-started {'step': 'x'}\n"


def test_every_hook_has_its_test() -> None:
    assert {f"test_hook_{hook}" for hook in hook_names()} <= set(globals())


def test_an_example_that_does_not_run_is_noticed() -> None:
    with pytest.raises(PluginBugError, match="start_instances"):
        answer("deploy", DeployContext(**IN_SLOT))
