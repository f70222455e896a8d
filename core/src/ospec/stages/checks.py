"""Everything that can be wrong with a document's values: their shape, their references, the parts of environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ospec.models.document import Document
from ospec.stages.metric_names import metric_misfits
from ospec.stages.references import reference_misfits
from ospec.stages.shape import Misfit, Shape
from ospec.stages.toml_positions import Path

NOT_BY_ENVIRONMENT = ("environments", "id", "ospec_version")
"""Keys that say what the document is, whatever the environment."""


@frozen
class Checked:
    """What a look at a document's values gave."""

    document: Document
    """As much of it as fits."""
    misfits: tuple[Misfit, ...]
    respelt: tuple[tuple[Path, str], ...]
    """Paths of keys in another spelling, with the model's name."""
    durations: tuple[tuple[Path, float], ...]
    """Paths of durations that are text, with their seconds."""
    unknown: tuple[Path, ...]
    """Paths of sections that the model does not know."""


def check(data: Any) -> Checked:
    """Hold plain values to the model of documents."""
    shape = Shape()
    document = shape.section(Document, data) or Document()
    shapes = [shape]
    conditions = list(metric_misfits(document))
    unknown: list[Path] = [(key,) for key in document.others]
    for name, part in document.environments.items():
        of_part, merged = _environment(part, ("environments", name))
        shapes.append(of_part)
        conditions += metric_misfits(merged, ("environments", name), document)
        unknown += [("environments", name, key) for key in merged.others]
    return Checked(
        document,
        misfits=tuple(one for each in shapes for one in each.misfits)
        + tuple(reference_misfits(data))
        + tuple(conditions),
        respelt=tuple(one for each in shapes for one in each.respelt),
        durations=tuple(one for each in shapes for one in each.durations),
        unknown=tuple(unknown),
    )


def _environment(part: Mapping[str, Any], path: Path) -> tuple[Shape, Document]:
    """An environment's part is a document of its own, but that what the base says need not be said again."""
    shape = Shape(partial=True)
    shape.misfits += [
        Misfit((*path, key), f"{key!r} cannot differ by environment", "it at the top of the document")
        for key in NOT_BY_ENVIRONMENT
        if key in part
    ]
    document = shape.section(Document, {key: part[key] for key in part if key not in NOT_BY_ENVIRONMENT}, path)
    return shape, document or Document()
