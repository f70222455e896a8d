from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from ospec.errors import OspecError, PluginBugError
from ospec.hookspecs import hookimpl
from ospec.host.discover import Loaded, load_plugins
from ospec.host.registry import collect
from ospec.models.registration import (
    Capabilities,
    Engine,
    Guardrail,
    Judge,
    Notifier,
    Platform,
    SecretProvider,
    StepContribution,
    StepKind,
    StoreKind,
    Strategy,
)
from ospec.telemetry import session


def nothing(*_: Any, **__: Any) -> Any:
    return None


def plugin(**answers: Any) -> object:
    """A plugin whose hooks answer with these values; a callable is called."""

    class Plugin:
        pass

    def answering(answer: Any) -> Callable[[], Any]:
        return hookimpl(lambda: answer() if callable(answer) else answer)

    made = Plugin()
    for hook, answer in answers.items():
        setattr(made, hook, answering(answer))
    return made


def loaded(**plugins: object) -> Loaded:
    return load_plugins([], None, plugins)


def test_every_kind_is_found_by_name_with_its_source() -> None:
    records: dict[str, list[Any]] = {
        "register_platforms": [Platform("heap", Capabilities())],
        "register_strategies": [Strategy("at-once", nothing)],
        "register_steps": [StepKind("ticket", nothing), StepContribution("ticket", "on-failure", nothing)],
        "register_secret_providers": [SecretProvider("box", ("box",), nothing)],
        "register_guardrails": [Guardrail("lint", ("guardrails.lint",))],
        "register_notifiers": [Notifier("bell", nothing)],
        "register_judges": [Judge("median", nothing)],
        "register_stores": [StoreKind("memory", nothing)],
        "register_engines": [Engine("fleet", nothing)],
    }
    registry = collect(loaded(all=plugin(**records)))
    found: dict[str, Any] = {
        "platform": registry.platforms["heap"],
        "strategy": registry.strategies["at-once"],
        "step": registry.step_kinds["ticket"],
        "contribution": registry.contributions["ticket"],
        "secret-provider": registry.secret_providers["box"],
        "guardrail": registry.guardrails["lint"],
        "notifier": registry.notifiers["bell"],
        "judge": registry.judges["median"],
        "store": registry.stores["memory"],
        "engine": registry.engines["fleet"],
    }
    assert list(found.values()) == [record for given in records.values() for record in given]
    assert {registry.source(kind, record.name) for kind, record in found.items()} == {"all"}


def test_a_generator_registers_as_well_as_a_list_and_none_registers_nothing() -> None:
    def platforms() -> Iterable[Platform]:
        yield Platform("heap", Capabilities())
        yield Platform("pile", Capabilities())

    registry = collect(loaded(one=plugin(register_platforms=platforms), two=plugin(register_platforms=None)))
    assert list(registry.platforms) == ["heap", "pile"]


def clash(**plugins: object) -> OspecError:
    with pytest.raises(OspecError) as caught:
        collect(loaded(**plugins))
    assert caught.value.code == "registration-clash"
    return caught.value


def test_a_name_clash_names_both_sources() -> None:
    error = clash(
        one=plugin(register_strategies=[Strategy("canary", nothing)]),
        two=plugin(register_strategies=[Strategy("canary", nothing)]),
    )
    assert str(error) == "two: strategy 'canary' is provided by 'one' (built in) and by 'two' (built in)"


def test_one_plugin_with_one_name_twice_clashes() -> None:
    clash(one=plugin(register_judges=[Judge("median", nothing), Judge("median", nothing)]))


def test_aliases_and_schemes_clash_too() -> None:
    heap = Platform("heap", Capabilities(), aliases=("A heap of boxes",))
    pile = Platform("pile", Capabilities(), aliases=("a-heap-of-boxes",))
    assert "of platform 'pile'" in str(clash(one=plugin(register_platforms=[heap, pile])))
    boxes = [SecretProvider(name, ("box",), nothing) for name in ("one", "two")]
    clash(one=plugin(register_secret_providers=boxes))


def test_one_name_for_two_kinds_is_no_clash() -> None:
    collect(loaded(one=plugin(register_judges=[Judge("x", nothing)], register_engines=[Engine("x", nothing)])))


def test_names_and_aliases_are_found_without_case_blanks_and_punctuation() -> None:
    heap = Platform("heap", Capabilities(), aliases=("Docker + Kubernetes",))
    at_once = Strategy("blue-green", nothing)
    registry = collect(loaded(one=plugin(register_platforms=[heap], register_strategies=[at_once])))
    assert registry.platform("docker+kubernetes") is heap
    assert registry.platform("HEAP") is heap
    assert registry.platform("vercel") is None
    assert registry.strategy("blue_green") is at_once


@pytest.mark.parametrize(
    "answer", [[Judge("median", nothing)], "heap", 5, {"heap": 1}, [None], Platform("heap", Capabilities())]
)
def test_a_wrong_record_is_an_error_that_names_the_plugin(answer: object) -> None:
    with pytest.raises(PluginBugError, match="expected an iterable of Platform") as caught:
        collect(loaded(one=plugin(register_platforms=answer)))
    assert (caught.value.plugin, caught.value.hook) == ("one", "register_platforms")


def test_a_record_without_a_name_is_an_error() -> None:
    with pytest.raises(PluginBugError, match="Judge has no name"):
        collect(loaded(one=plugin(register_judges=[Judge(" ", nothing)])))


def test_registration_is_measured() -> None:
    telemetry = session.start(keep_spans=True, environ={})
    collect(loaded(one=plugin(register_judges=[Judge("median", nothing)])), telemetry)
    (span,) = telemetry.take_spans()
    telemetry.close()
    assert span["name"] == "ospec.hook.register_judges"
    assert span["attributes"] == {"ospec.plugin": "one"}
