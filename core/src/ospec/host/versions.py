"""What executes a run: versions and the kind of machine, for its journal. Nothing here names a person or a machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ospec.host.discover import Loaded

_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def versions(loaded: Loaded, plugins: Collection[str]) -> Mapping[str, Any]:
    """Versions of ospec, of the plugins that concern a run, of Python and the system; JSON values.

    Args:
        plugins: their names; what is no distribution of its own (the core's) is left out.
    """
    found = {name: loaded.available[name] for name in loaded.plugins if name in plugins and name in loaded.available}
    return {
        "ospec": _version("ospec"),
        "plugins": {one.distribution: one.version for one in found.values()},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}".strip(),
        "machine": platform.machine(),
        "host_kind": host_kind(os.environ),
    }


def host_kind(environment: Mapping[str, str]) -> str:
    """``ci``, ``container`` or ``machine``, as far as it can be seen."""
    if environment.get("CI", "").lower() not in ("", "0", "false"):
        return "ci"
    return "container" if any(Path(mark).exists() for mark in _CONTAINER_MARKS) else "machine"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a checkout that was never installed
        return ""
