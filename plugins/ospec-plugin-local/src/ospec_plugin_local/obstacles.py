"""What would make any deploy fail here, found before one begins: no proxy, a busy port, a missing program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from ospec.errors import DocumentError, OspecError
from ospec.models.live import Obstacle
from ospec.models.target import Target

from ospec_plugin_local.binary import envoy_path
from ospec_plugin_local.place import Place
from ospec_plugin_local.platform import with_settings
from ospec_plugin_local.programs import check_on_path
from ospec_plugin_local.residents import Residents
from ospec_plugin_local.state import load_state


def obstacles(place: Place, target: Target) -> Iterator[Obstacle]:
    """Everything that is in the way; raises `DocumentError` for a wrong setting."""

    def ports() -> object:
        state = load_state(place)
        return Residents(place).check_ports(with_settings(state, target), state)

    checks: tuple[Callable[[], object], ...] = (
        envoy_path,
        ports,
        lambda: check_on_path(target, os.environ.get("PATH", os.defpath)),
    )
    for check in checks:
        try:
            check()
        except DocumentError:
            raise
        except OspecError as error:
            yield Obstacle(error.message, error.code, error.where, error.hints)
