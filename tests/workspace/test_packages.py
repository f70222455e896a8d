"""Every distribution of the workspace is whole, and everything that lists them lists all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import tomli

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PACKAGES = [ROOT / "core", *PLUGINS]
MODULES = sorted(path for package in PACKAGES for path in (package / "src").rglob("*.py"))
MOST_LINES = 500


def project(folder: Path) -> Any:
    """The [project] table of a distribution."""
    return tomli.loads((folder / "pyproject.toml").read_text())["project"]


def package_of(plugin: Path) -> str:
    """The import name of a plugin."""
    return plugin.name.replace("-", "_")


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.name)
def test_a_distribution_is_whole(folder: Path) -> None:
    about = project(folder)
    assert about["version"] == project(ROOT / "core")["version"]
    assert about["requires-python"] == ">=3.10"
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert len((folder / "README.md").read_text().splitlines()) > 3
    assert len(list((folder / "src").glob("*/py.typed"))) == 1
    assert f"`{about['name']}`" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_is_called_alike_everywhere(plugin: Path) -> None:
    about = project(plugin)
    short = plugin.name.removeprefix("ospec-plugin-")
    assert about["name"] == plugin.name
    assert about["entry-points"]["ospec"] == {short: f"{package_of(plugin)}.hooks"}
    assert any(re.match(r"ospec\b", need) for need in about["dependencies"])


def test_contracts_name_every_plugin() -> None:
    settings = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]
    packages = sorted(package_of(plugin) for plugin in PLUGINS)
    linter = settings["importlinter"]
    assert sorted(linter["root_packages"]) == ["ospec", *packages]
    for contract in linter["contracts"]:
        named = [contract.get(key, []) for key in ("source_modules", "forbidden_modules", "modules")]
        for listed in named:
            if any(name in packages for name in listed):
                assert sorted(listed) == packages, contract["name"]
    assert sorted(settings["coverage"]["run"]["source"]) == ["ospec", *packages]


def test_the_readme_installs_what_its_example_enables() -> None:
    command = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("$ "))
    document = tomli.loads((ROOT / "examples" / "hello" / "ospec.toml").read_text())
    wanted = {f"./plugins/ospec-plugin-{name}" for name in document["plugins"]["enabled"]}
    assert set(re.findall(r"\./plugins/\S+", command)) == wanted


def test_pins_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("-") or "://" in line or "/" in line.split("#")[0]] == []


def test_what_ci_runs_is_a_session() -> None:
    sessions = set(re.findall(r"@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text()))
    script = (ROOT / ".ci" / "run").read_text()
    ran = re.search(r"sessions=\(([a-z ]+)\)", script)
    assert ran
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    matrix = re.search(r"session: \[([a-z, ]+)\]", workflow)
    assert matrix
    in_workflow = {*matrix[1].split(", "), *re.findall(r"run: \.ci/run (\w+)$", workflow, re.MULTILINE)}
    assert set(ran[1].split()) | in_workflow <= sessions
    assert set(ran[1].split()) <= in_workflow


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small_and_packages_empty(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    if module.name == "__init__.py":
        code = [node for node in ast.parse(text).body if not isinstance(node, ast.Expr)]
        assert code == []
