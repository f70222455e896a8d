"""What the documentation shows works: documents validate, Python loads, commands run."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import socket
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
from ospec.host.discover import load_plugins
from ospec.host.registry import collect
from ospec.models.registration import StepContribution
from ospec.models.release import Artifact, Release
from ospec.models.target import Target

ROOT = Path(__file__).parents[2]
SECONDS = 180
"""For one command of a page."""


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one line as a person would type it, in an environment without OSPEC_ variables, ospec's own first on PATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OSPEC_", "OTEL_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def with_free_ports() -> Callable[[str], str]:
    """Gives text with the ports that pages show (8080, 8090) as two that nothing listens on now, the same each time."""
    found: list[str] = []
    for port in range(10100 + os.getpid() % 4000, 15000):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)):
                found.append(str(port))
        if len(found) == 2:
            break
    first, second = found
    return lambda text: text.replace("8080", first).replace("8090", second)


def test_toml_is_a_document_or_a_part_of_one(toml_block: Any, tmp_path: Path) -> None:
    if toml_block.options == "pyproject":
        assert tomli.loads(toml_block.text)["project"]["entry-points"]["ospec"]
        return
    (tmp_path / "ospec.toml").write_text(toml_block.text)
    checked = run("ospec validate ospec.toml", tmp_path)
    assert checked.returncode == 0, f"{toml_block.place}\n{checked.stdout}{checked.stderr}"
    assert "warning" not in checked.stderr


def test_yaml_is_a_document_or_a_part_of_one(yaml_block: Any, tmp_path: Path) -> None:
    (tmp_path / "ospec.yaml").write_text(yaml_block.text)
    checked = run("ospec validate ospec.yaml", tmp_path)
    assert checked.returncode == 0, f"{yaml_block.place}\n{checked.stdout}{checked.stderr}"


def _run_tests_of(block: Any, request: pytest.FixtureRequest) -> None:
    """Call the tests that a block shows, with the fixtures that they name."""
    shown: dict[str, Any] = {}
    exec(block.text, shown)
    for name, test in shown.items():
        if name.startswith("test_"):
            test(**{one: request.getfixturevalue(one) for one in inspect.signature(test).parameters})


def test_python_compiles_and_plugins_load(
    python_block: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    code = compile(python_block.text, python_block.place, "exec")
    # The conformance suites run in the plugins' own folders, where they stand in just these words.
    if python_block.page.name == "test.md" and "Conformance" not in python_block.text:
        _run_tests_of(python_block, request)
    if "@hookimpl" not in python_block.text or python_block.page.name == "hooks.md":  # tests/hooks runs those
        return
    plugin = types.ModuleType("ospec_plugin_of_the_page")
    exec(code, vars(plugin))
    loaded = load_plugins([], [], {"shown": plugin})
    registry = collect(loaded)
    assert registry.sources or hasattr(plugin, "on_event")
    release = Release("v1", "0" * 64, "shop", "default", Artifact("1" * 64), "2" * 64)
    target = Target("shop", "Shop", "default", "local", "blue-green")
    for contribution in plugin.register_steps() if hasattr(plugin, "register_steps") else ():
        if isinstance(contribution, StepContribution):
            assert contribution.steps(target, release)


def test_commands_run(page: Any, tmp_path: Path) -> None:
    """The console blocks of a page, in order, in one folder; `skip="why"` on the fence leaves one out.

    Lines without ``$`` have to be in what the command before them printed. A page may say in comments what its reader
    has already: ``<!-- in examples/hello -->``, ``<!-- run first: COMMAND -->``.
    """
    commands = [one for block in page.blocks if block.language == "console" for one in _commands(block)]
    if not commands:
        return
    ports = with_free_ports()
    _prepare(page, tmp_path, ports)
    try:
        for place, command, wanted in [*_first(page), *commands]:
            done = run(ports(command), tmp_path)
            assert done.returncode == 0, f"{place}: {command}\n{done.stdout}\n{done.stderr}"
            assert [line for line in wanted if line not in done.stdout] == [], f"{place}: {command}\n{done.stdout}"
    finally:
        run("ospec down --yes; ospec down -e staging --yes", tmp_path)


def _commands(block: Any) -> list[tuple[str, str, list[str]]]:
    """(place, command, lines it has to print) of one block."""
    skipped = re.fullmatch(r'skip="(.+)"', block.options)
    assert skipped or not block.options, f'{block.place}: say skip="why"'
    found: list[tuple[str, str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((block.place, line.removeprefix("$ "), []))
        else:
            found[-1][2].append(line)
    return [] if skipped else found


def _first(page: Any) -> list[tuple[str, str, list[str]]]:
    """What the reader has done before, by the page's comments."""
    text = page.path.read_text(encoding="utf-8")
    return [(page.path.name, command, []) for command in re.findall(r"<!-- run first: (.+) -->", text)]


def _prepare(page: Any, folder: Path, ports: Callable[[str], str]) -> None:
    """Put the files there that the page shows, and the example that it starts from, without its guard window."""
    example = re.search(r"<!-- in (examples/\w+) -->", page.path.read_text(encoding="utf-8"))
    if example:
        shutil.copytree(ROOT / example[1], folder, dirs_exist_ok=True)
        document = folder / "ospec.toml"
        text = ports(document.read_text())
        document.write_text(text.replace("rollback_threshold_seconds = 5", "rollback_threshold_seconds = 0"))
    for block in page.blocks:
        name = re.search(r"\bfile=(\S+)", block.options)
        if name:
            (folder / name[1]).write_text(ports(block.text))
