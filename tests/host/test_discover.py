from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ospec.errors import DocumentError, ExitCode, OspecError, RefusedError
from ospec.hookspecs import hookimpl
from ospec.host.discover import load_plugins
from ospec.host.registry import collect
from ospec.models.live import LiveState

OBSERVES = "@hookimpl\ndef observe(ctx):\n    return None\n"
Install = Callable[..., None]
HEADER = "from __future__ import annotations\nfrom ospec.hookspecs import hookimpl\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`install(name, code)`: make the plugin `name` discoverable, with `code` as its module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def do(name: str, code: str, distribution: str = "", version: str = "1.2") -> None:
        distribution = distribution or f"acme-{name}"
        module = distribution.replace("-", "_") + "_hooks"
        (tmp_path / f"{module}.py").write_text(HEADER + code)
        metadata = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[ospec]\n{name} = {module}\n")

    yield do
    for name in set(sys.modules) - modules:
        if name.endswith("_hooks"):
            del sys.modules[name]


class Core:
    """A built-in plugin."""

    @hookimpl
    def observe(self) -> LiveState:
        return LiveState()


def refusal(wanted: list[str], enabled: list[str] | None = None) -> OspecError:
    with pytest.raises(OspecError) as caught:
        load_plugins(wanted, enabled, {})
    return caught.value


def test_only_wanted_plugins_are_imported(install: Install) -> None:
    install("heap", OBSERVES)
    install("other", "raise AssertionError('must not be imported')")
    loaded = load_plugins(["heap"], None, {"core": Core()})
    assert list(loaded.plugins) == ["core", "heap"]
    assert set(loaded.hooks["heap"]) == {"observe"}
    assert loaded.warnings == ()
    assert "acme_other_hooks" not in sys.modules


def test_what_is_installed_is_known_without_importing(install: Install) -> None:
    install("heap", "raise AssertionError('must not be imported')", version="3.4")
    available = load_plugins([], None, {}).available["heap"]
    assert (available.distribution, available.version) == ("acme-heap", "3.4")
    assert "acme_heap_hooks" not in sys.modules


def test_with_an_allow_list_all_of_it_and_only_it_is_imported(install: Install) -> None:
    for name in ("heap", "bell", "rest"):
        install(name, OBSERVES)
    loaded = load_plugins(["heap"], ["bell", "heap"], {})
    assert list(loaded.plugins) == ["bell", "heap"]
    assert "acme_rest_hooks" not in sys.modules


def test_names_compare_as_pip_compares_them(install: Install) -> None:
    install("big-heap", OBSERVES)
    assert list(load_plugins(["big_heap"], ["Big.Heap"], {}).plugins) == ["big-heap"]


def test_an_allow_list_without_the_wanted_plugin_is_a_document_error(install: Install) -> None:
    install("heap", OBSERVES)
    error = refusal(["heap"], ["bell"])
    assert isinstance(error, DocumentError)
    assert (error.code, error.where) == ("plugin-not-enabled", "plugins.enabled")
    assert error.hints == ('write enabled = ["bell", "heap"]',)
    assert "acme_heap_hooks" not in sys.modules


def test_a_builtin_needs_no_place_on_the_allow_list() -> None:
    assert list(load_plugins(["core"], [], {"core": Core()}).plugins) == ["core"]


def test_a_missing_plugin_names_what_to_install() -> None:
    error = refusal(["nowhere-to-be-found"])
    assert (error.code, error.exit_code) == ("plugin-missing", ExitCode.REFUSED)
    assert error.hints == ("pip install ospec-plugin-nowhere-to-be-found",)


def test_a_missing_plugin_with_a_near_name_is_suggested(install: Install) -> None:
    install("kubernetes-classic", OBSERVES)
    assert "did you mean 'kubernetes-classic'?" in refusal(["kubernetes-clasic"]).hints


def test_a_package_name_instead_of_a_plugin_name_is_understood(install: Install) -> None:
    install("heap", OBSERVES)
    assert refusal(["ospec-plugin-heap"]).hints == ("did you mean 'heap'?", "pip install ospec-plugin-heap")


def test_a_missing_plugin_of_the_allow_list_that_nothing_needs_is_a_warning(install: Install) -> None:
    install("heap", OBSERVES)
    loaded = load_plugins(["heap"], ["heap", "bellx"], {})
    assert list(loaded.plugins) == ["heap"]
    assert len(loaded.warnings) == 1
    assert "plugin 'bellx' is not installed; it is skipped" in loaded.warnings[0]
    assert "pip install ospec-plugin-bellx" in loaded.warnings[0]


@pytest.mark.parametrize("fault", ["import no_such_module_at_all", "1/0", "raise SystemExit(3)", "def ("])
def test_a_broken_plugin_is_skipped_unless_it_is_wanted(install: Install, fault: str) -> None:
    install("heap", OBSERVES)
    install("bell", fault)
    loaded = load_plugins(["heap"], ["heap", "bell"], {})
    assert list(loaded.plugins) == ["heap"]
    assert "plugin 'bell' of acme-bell 1.2 cannot be imported" in loaded.warnings[0]
    error = refusal(["bell"])
    assert (error.code, error.exit_code, error.where) == ("plugin-broken", ExitCode.REFUSED, "bell")
    assert error.__cause__ is not None
    assert error.hints == ("pip install --force-reinstall acme-bell",)


def test_two_distributions_with_one_name_clash(install: Install) -> None:
    install("heap", OBSERVES, distribution="acme-heap")
    install("heap", OBSERVES, distribution="zeta-heap", version="0.4")
    for error in (refusal(["heap"]), refusal([], ["heap"])):
        assert error.code == "plugin-clash"
        assert "acme-heap 1.2 and by zeta-heap 0.4" in str(error)
    assert list(load_plugins([], None, {}).plugins) == []


@pytest.mark.parametrize("wanted", [["heap"], []])
def test_a_misspelt_hook_is_an_error_with_a_suggestion(install: Install, wanted: list[str]) -> None:
    install("heap", "@hookimpl\ndef swich_traffic(ctx):\n    pass\n")
    error = refusal(wanted, ["heap"])
    assert isinstance(error, RefusedError)
    assert (error.code, error.where) == ("unknown-hook", "heap")
    assert error.hints == ("did you mean 'switch_traffic'?",)


def test_an_unknown_hook_lists_the_hooks(install: Install) -> None:
    install("heap", "@hookimpl\ndef zzz(ctx):\n    pass\n")
    assert "observe, render, deploy" in refusal(["heap"]).hints[0]


def test_an_optional_unknown_hook_is_left_alone(install: Install) -> None:
    install("heap", "@hookimpl(optionalhook=True)\ndef of_the_next_version(ctx):\n    pass\n" + OBSERVES)
    assert set(load_plugins(["heap"], None, {}).hooks["heap"]) == {"observe"}


def test_a_wrong_signature_names_plugin_and_argument(install: Install) -> None:
    install("heap", "@hookimpl\ndef observe(context):\n    pass\n")
    error = refusal(["heap"])
    assert error.code == "hook-signature"
    assert "'heap'" in str(error)
    assert "context" in str(error)


@pytest.mark.parametrize("option", ["wrapper", "hookwrapper"])
def test_a_wrapper_is_refused(install: Install, option: str) -> None:
    install("heap", f"@hookimpl({option}=True)\ndef observe(ctx):\n    return (yield)\n")
    assert refusal(["heap"]).code == "hook-wrapper"


def test_a_forgotten_marker_is_a_warning(install: Install) -> None:
    install("heap", OBSERVES + "def deploy(ctx):\n    pass\n")
    assert load_plugins(["heap"], None, {}).warnings == ("plugin 'heap' has a function 'deploy' without @hookimpl",)


def test_a_helper_imported_under_a_hooks_name_is_none_of_our_business(install: Install) -> None:
    install("heap", OBSERVES + "from shutil import copy as deploy\n")
    assert load_plugins(["heap"], None, {}).warnings == ()


def test_a_clash_of_installed_plugins_names_their_distributions(install: Install) -> None:
    code = (
        "from ospec.models.registration import Engine\n"
        "@hookimpl\ndef register_engines():\n    return [Engine('fleet', execute=print)]\n"
    )
    install("one", code)
    install("two", code, version="0.4")
    with pytest.raises(OspecError, match=r"'one' of acme-one 1\.2 and by 'two' of acme-two 0\.4"):
        collect(load_plugins(["one", "two"], None, {}))
