"""What the documentation shows works: documents validate, Python loads, commands run."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import tomli
from ospec.host.discover import load_plugins
from ospec.host.registry import collect
from ospec.models.registration import StepContribution
from ospec.models.release import Artifact, Release
from ospec.models.target import Target

SECONDS = 180
"""For one command of a page."""


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one line as a person would type it, in an environment without OSPEC_ variables, ospec's own first on PATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OSPEC_", "OTEL_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def free_port() -> int:
    """A port below the ephemeral range that nothing listens on now."""
    for port in range(20100 + os.getpid() % 5000, 32000):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")


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


def test_python_compiles_and_plugins_load(python_block: Any) -> None:
    code = compile(python_block.text, python_block.place, "exec")
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
    """The console blocks of a page, in order, in one empty folder; `skip="why"` on the fence leaves one out."""
    commands = []
    for block in page.blocks:
        if block.language != "console":
            continue
        skipped = re.fullmatch(r'skip="(.+)"', block.options)
        assert skipped or not block.options, f'{block.place}: say skip="why"'
        if not skipped:
            commands += [(block, line.removeprefix("$ ")) for line in block.text.splitlines() if line.startswith("$ ")]
    if not commands:
        return
    port = str(free_port())
    for block in page.blocks:
        name = re.fullmatch(r"file=(\S+)", block.options)
        if name:
            (tmp_path / name[1]).write_text(block.text)
    try:
        for block, command in commands:
            done = run(command.replace("8080", port), tmp_path)
            assert done.returncode == 0, f"{block.place}: {command}\n{done.stdout}\n{done.stderr}"
    finally:
        run("ospec down --yes", tmp_path)
