"""What every check of a platform has: the platform, and a service on it that is taken away in the end."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from ospec.errors import OspecError
from ospec.models.registration import Platform
from ospec.testing.driver import Driver, Running

CANCELLED_SECONDS = 5.0
"""A hook that was asked to stop does within a second; the rest is a busy machine's."""
OWN_MODULES = {"ospec", "attr", "attrs", "pluggy"}
"""What a plugin's hooks module may import when it is loaded, besides the standard library and itself."""


class PlatformChecks:
    """A class of checks; what a subclass of the suite sets is here."""

    plugin: Any = None
    """The module (or object) with the hooks."""
    platform: str = ""
    """Its name, where the plugin registers several."""
    settings: Mapping[str, Any] = {}
    """`[plugins.<name>]`: a front door that nobody uses, say. Override `make_settings` for values that are found."""
    slots: tuple[str, str] = ("blue", "green")
    """Labels of two slots."""

    def make_settings(self, folder: Path) -> Mapping[str, Any]:
        """The settings of one check's service."""
        return self.settings

    @pytest.fixture
    def record(self) -> Platform:
        """The platform as it is registered."""
        found: list[Platform] = [one for one in self.plugin.register_platforms() if self.platform in ("", one.name)]
        assert len(found) == 1, f"set `platform` to one of {[one.name for one in found]}"
        return found[0]

    @pytest.fixture
    def place(self, record: Platform, tmp_path: Path) -> Iterator[Driver]:
        """A service on the platform, taken away in the end."""
        driver = Driver(self.plugin, record, self.make_settings(tmp_path), tmp_path)
        yield driver
        driver.retire(None)

    @pytest.fixture
    def two(self, place: Driver) -> tuple[str, str]:
        """Release one serves, release two stands beside it and is healthy: their slots' ids."""
        self.need(place, "slots")
        first = place.serve("one", self.slots[0])
        second = place.deploy("two", self.slots[1]).slot.id
        place.healthy("two", second)
        place.switch({first: 100.0, second: 0.0})  # whatever deploy did, each check begins with the same
        return first, second

    def need(self, place: Driver, *capabilities: str) -> None:
        """Skip a check of what the platform says it cannot do."""
        for name in capabilities:
            if not getattr(place.platform.capabilities, name):
                pytest.skip(f"{place.platform.name} has no {name}")


def ends_at_once(call: Running) -> None:
    """Assert that a call that was cancelled ends, with no error or one that ospec knows."""
    assert call.ended(CANCELLED_SECONDS), "it goes on although it was cancelled"
    assert call.error is None or isinstance(call.error, OspecError), call.error


def check_settings(settings: type | None) -> None:
    """Assert that a settings class is a frozen attrs class with a default for each key."""
    if settings is None:
        return
    assert attrs.has(settings), f"{settings.__name__} is no attrs class"
    made = settings()
    names = [one.name for one in attrs.fields(settings)]
    if names:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(made, names[0], None)


def check_imports(plugin: Any) -> None:
    """Assert that loading a plugin imports the standard library, itself, and what ospec needs anyway."""
    module = plugin.__name__ if inspect.ismodule(plugin) else type(plugin).__module__
    program = (
        "import sys, ospec.hookspecs, ospec.converter\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
    )
    path = ":".join(one for one in sys.path if one)
    asked = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={"PYTHONPATH": path}
    )
    if asked.returncode and f"No module named '{module}'" in asked.stderr:
        pytest.skip(f"{module} cannot be imported by its name")
    assert asked.returncode == 0, asked.stderr
    allowed = OWN_MODULES | {module.partition(".")[0]} | set(sys.stdlib_module_names)
    foreign = {name for name in asked.stdout.split() if not name.startswith("_")} - allowed
    assert not foreign, f"loading {module} imports {sorted(foreign)}: import them inside the hooks that need them"


def read_if_there(path: Path) -> bytes:
    """What a file of /proc holds, empty where its process is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
