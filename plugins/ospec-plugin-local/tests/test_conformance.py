from __future__ import annotations

from pathlib import Path
from typing import Any

from ospec.testing.conformance import PlatformConformance
from ospec_plugin_local import hooks
from ospec_plugin_local.ports import free_ports


class TestLocal(PlatformConformance):
    plugin = hooks

    def make_settings(self, folder: Path) -> dict[str, Any]:
        return {"port": free_ports(1, ())[0], "stop_seconds": 1.0}
