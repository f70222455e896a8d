"""What is loaded only where it is used: each is looked for in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "opentelemetry",
    "prometheus_client",
    "cattrs",
    "jinja2",
    "rich",
    "ruamel",
    "tomli",
    "requests",
    "httpx",
    "asyncio",
)


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in `sys.modules` after a statement, in a process of its own."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "ospec.hookspecs",
        "ospec.converter",
        "ospec.host.discover",
        "ospec.host.registry",
        "ospec.host.call",
        "ospec.host.rendered",
        "ospec.telemetry.names",
        "ospec.telemetry.session",
        "ospec.telemetry.metrics",
        "ospec.telemetry.waterfall",
    ],
)
def test_a_module_loads_nothing_heavy(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert "ospec" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_calling_hooks_without_telemetry_loads_no_sdk() -> None:
    loaded = loaded_by(
        "import os\n"
        "from ospec.host import call, discover, registry\n"
        "from ospec.telemetry import session\n"
        "telemetry = session.start(False, {})\n"
        "plugins = discover.load_plugins([], None, {})\n"
        "call.Host(plugins, registry.collect(plugins, telemetry), telemetry)\n"
        "telemetry.close()"
    )
    assert loaded.isdisjoint(HEAVY)


def test_the_way_of_looking_can_fail() -> None:
    assert "rich" in loaded_by("import rich")
