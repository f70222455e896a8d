"""What would make any deploy fail here, found before one begins: no proxy, a busy port, a missing program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from ospec.errors import DocumentError, OspecError
from ospec.models.live import Obstacle
from ospec.models.target import Target

from ospec_plugin_local.binary import envoy_path
from ospec_plugin_local.place import Place
from ospec_plugin_local.platform import check_address, with_settings
from ospec_plugin_local.programs import check_on_path, check_takes_traffic
from ospec_plugin_local.residents import Residents
from ospec_plugin_local.state import load_state


def obstacles(place: Place, target: Target) -> Iterator[Obstacle]:
    """Everything that is in the way; raises `DocumentError` for a wrong setting."""

    state, residents = load_state(place), Residents(place)
    served = residents.weights(state) if state else {}
    of_place: tuple[Callable[[], object], ...] = (
        envoy_path,
        lambda: residents.check_ports(with_settings(state, target, served), state),
    )
    of_document: tuple[Callable[[], object], ...] = (
        lambda: check_address(state, target, served),
        lambda: check_takes_traffic(target),
        lambda: check_on_path(target, os.environ.get("PATH", os.defpath)),
    )
    for check in (*of_place, *of_document):
        try:
            check()
        except DocumentError:
            raise
        except OspecError as error:
            yield Obstacle(error.message, error.code, error.where, error.hints, of_document=check in of_document)
