"""Joins the files that plugins render: one file a path, and no path that leaves the output folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from attrs import evolve

from ospec.errors import FatalError
from ospec.models.live import RenderedFile

_RESERVED_FOLDERS = {".git", ".ospec"}
"""Writing there would change the repository or the state instead of the output."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that some file systems give to devices."""
_UNUSABLE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')


def merge_rendered(answers: Iterable[tuple[str, Iterable[RenderedFile]]]) -> tuple[RenderedFile, ...]:
    """The union of all rendered files, sorted by path, each with its plugin.

    Args:
        answers: (plugin, files) as `Host.call("render", …)` gives them.

    Raises:
        FatalError: a path is not usable inside the output folder (``rendered-path``), or two files share a path
            (``rendered-clash``), also when only case or Unicode form tells them apart or one is the other's folder.
    """
    merged: dict[str, RenderedFile] = {}
    for plugin, files in answers:
        for file in files:
            path = _clean_path(file.path, plugin)
            key = _key(path)
            if key in merged:
                raise _clash(merged[key], path, plugin)
            merged[key] = evolve(file, path=path, plugin=plugin)
    for key, file in merged.items():
        for folder in _folders(key):
            if folder in merged:
                raise _clash(merged[folder], file.path, file.plugin)
    return tuple(sorted(merged.values(), key=lambda file: file.path))


def _clean_path(path: str, plugin: str) -> str:
    """`path` without ``.`` and doubled ``/``; raises where it is not a plain path inside the output folder."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    reason = ""
    if path.startswith("/") or path.endswith("/") or not parts:
        reason = "it has to be relative and name a file"
    elif ".." in parts:
        reason = "`..` leaves the output folder"
    elif _UNUSABLE.search(path):
        reason = "it has a character that not every file system takes"
    elif any(part.endswith((" ", ".")) or _DEVICES.fullmatch(part) for part in parts):
        reason = "it has a name that not every file system takes"
    elif any(part.casefold() in _RESERVED_FOLDERS for part in parts):
        reason = "`.git` and `.ospec` are not for rendered files"
    if reason:
        raise FatalError(
            f"plugin {plugin!r} renders to {path!r}: {reason}",
            code="rendered-path",
            where=plugin,
            hints=("rendered paths look like `ci/deploy.yml`",),
        )
    return "/".join(parts)


def _clash(first: RenderedFile, path: str, plugin: str) -> FatalError:
    return FatalError(
        f"{first.path!r} of plugin {first.plugin!r} and {path!r} of plugin {plugin!r} are one path",
        code="rendered-clash",
        where=path,
        hints=("change a path in one plugin's settings, or leave one out of `[plugins] enabled`",),
    )


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def _folders(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
