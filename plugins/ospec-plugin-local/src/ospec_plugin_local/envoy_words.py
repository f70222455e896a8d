"""Words that several of Envoy's files share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ospec_plugin_local.place import Place

FRONT, CLUSTERS = "front", "clusters"
"""Names of files that Envoy watches, beside one for each slot's routes and one for each deployment's instances."""
API = "type.googleapis.com/envoy"
RELEASE_HEADER = "x-ospec-release"
DRAW_HEADER = "x-ospec-draw"
"""The lot of one request; reaches the application, which has no use for it."""

OWN_HEADER = "x-ospec-own"
"""Says that a request is ospec's own, by the place's mark, which no user knows."""
OWN = "own"
"""The name of the second set of numbers, that of ospec's own requests."""


def told(version: int, resources: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The content of a watched file."""
    return {"version_info": str(version), "resources": list(resources)}


def watched(place: Place, name: str) -> dict[str, Any]:
    """Where Envoy finds what it is told under a name."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(place.routes / f"{name}.json")}}


def regex(text: str) -> dict[str, Any]:
    """A matcher of whole values."""
    return {"safe_regex": {"regex": text}}
