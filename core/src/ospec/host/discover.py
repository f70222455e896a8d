"""Finds and imports plugins: only those that are allowed and, without an allow-list, only those that are wanted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from attrs import field, frozen

from ospec.errors import DocumentError, OspecError, RefusedError
from ospec.host.implementations import Implementation, Inspector, unmarked

GROUP = "ospec"
"""The entry-point group that plugins register in."""
PACKAGE_PREFIX = "ospec-plugin-"
"""How the distribution of a plugin is called."""


@frozen
class Available:
    """A plugin that is installed, known without importing it."""

    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.name!r} of {self.distribution} {self.version}"


@frozen
class Loaded:
    """The plugins of one process: imported, checked, ready to be called."""

    plugins: Mapping[str, object]
    """The plugin objects (modules) by name, the core's own first."""
    hooks: Mapping[str, Mapping[str, Implementation]]
    """What each plugin implements: plugin name to hook name to implementation."""
    available: Mapping[str, Available] = field(factory=dict)
    """Everything that is installed, loaded or not."""
    warnings: tuple[str, ...] = ()


def load_plugins(
    names_wanted: Collection[str],
    enabled: Sequence[str] | None,
    builtin: Mapping[str, object],
    welcome: Collection[str] = (),
) -> Loaded:
    """Import what a target needs, and nothing that is not allowed.

    Args:
        names_wanted: plugin names that the target cannot do without (its platform, its strategy).
        enabled: `[plugins] enabled`, the allow-list; None where the document has none, and then only
            `names_wanted` are imported.
        builtin: the core's own plugins by name; always loaded.
        welcome: plugins that are loaded without an allow-list, too, where they are installed.

    Raises:
        DocumentError: the allow-list leaves out a wanted name (``plugin-not-enabled``).
        RefusedError: a wanted plugin is not installed (``plugin-missing``) or cannot be imported (``plugin-broken``);
            two distributions bring one name (``plugin-clash``); a plugin's hooks are wrong (`Inspector`).
    """
    wanted = [normal(name) for name in names_wanted if normal(name) not in builtin]
    allowed = None if enabled is None else [normal(name) for name in enabled if normal(name) not in builtin]
    if allowed is not None:
        _check_allowed(wanted, allowed)
    found = installed()
    inspector = Inspector()
    plugins: dict[str, object] = dict(builtin)
    warnings: list[str] = []
    unlisted = [*wanted, *(name for name in welcome if name in found)]
    for name in dict.fromkeys(unlisted if allowed is None else allowed):
        plugin = _import(name, found) if name in wanted else _import_or_warn(name, found, warnings)
        if plugin is not None:
            plugins[name] = plugin
    hooks = {}
    for name, plugin in plugins.items():
        hooks[name] = inspector.implementations(name, plugin)
        warnings += [f"plugin {name!r} has a function {hook!r} without @hookimpl" for hook in unmarked(plugin)]
    return Loaded(plugins, hooks, {name: _about(points[0]) for name, points in found.items()}, tuple(warnings))


def installed() -> Mapping[str, Sequence[EntryPoint]]:
    """The entry points of every installed plugin by normal name, sorted; nothing is imported."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, _about(point).distribution)):
        found.setdefault(normal(point.name), []).append(point)
    return found


def normal(name: str) -> str:
    """A plugin's name as it is compared: lower case, ``-`` for ``_`` and ``.``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _about(point: EntryPoint) -> Available:
    if point.dist is None:
        return Available(normal(point.name), point.value, "")
    return Available(normal(point.name), point.dist.name, point.dist.version)


def _check_allowed(wanted: Iterable[str], allowed: Sequence[str]) -> None:
    left_out = [name for name in wanted if name not in allowed]
    if left_out:
        names = ", ".join(f'"{name}"' for name in [*allowed, *left_out])
        raise DocumentError(
            f"the document needs plugin {left_out[0]!r}, which `enabled` leaves out",
            code="plugin-not-enabled",
            where="plugins.enabled",
            hints=(f"write enabled = [{names}]",),
        )


def _import(name: str, found: Mapping[str, Sequence[EntryPoint]]) -> object:
    points = found.get(name, ())
    if not points:
        raise _missing(name, found)
    if len(points) > 1:
        first, second = _about(points[0]), _about(points[1])
        raise RefusedError(
            f"plugin {name!r} is brought by {first.distribution} {first.version} "
            f"and by {second.distribution} {second.version}",
            code="plugin-clash",
            where=name,
            hints=(f"pip uninstall {second.distribution}", f"pip uninstall {first.distribution}"),
        )
    try:
        return points[0].load()
    except (Exception, SystemExit) as error:  # a plugin's import may raise anything
        about = _about(points[0])
        raise RefusedError(
            f"plugin {about} cannot be imported: {type(error).__name__}: {error}",
            code="plugin-broken",
            where=name,
            hints=(f"pip install --force-reinstall {about.distribution}",),
        ) from error


def _import_or_warn(name: str, found: Mapping[str, Sequence[EntryPoint]], warnings: list[str]) -> object | None:
    try:
        return _import(name, found)
    except OspecError as error:
        if error.code == "plugin-clash":  # which of the two is meant is not ours to guess
            raise
        warnings.append(f"{error.message}; it is skipped" + "".join(f" ({hint})" for hint in error.hints))
        return None


def _missing(name: str, found: Mapping[str, Sequence[EntryPoint]]) -> RefusedError:
    short = name.removeprefix(PACKAGE_PREFIX)
    near = difflib.get_close_matches(short, found, n=1, cutoff=0.6)
    return RefusedError(
        f"plugin {name!r} is not installed",
        code="plugin-missing",
        where=name,
        hints=[*(f"did you mean {other!r}?" for other in near), f"pip install {PACKAGE_PREFIX}{short}"],
    )
