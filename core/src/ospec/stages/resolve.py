"""From a document to a `Target`: one environment merged over the rest, references resolved, defaults filled in."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ospec.aliases import platform_name, strategy_name
from ospec.errors import DocumentError
from ospec.models.document import Document, ScriptSection
from ospec.models.target import Command, HealthCheck, HttpEndpoint, Process, Script, Secrets, Target
from ospec.naming import SERVICE_NAME, slug
from ospec.stages.load import Loaded, dotted
from ospec.stages.protections import guardrails, protections
from ospec.stages.references import References
from ospec.stages.shape import Shape
from ospec.stages.toml_positions import Path

DEFAULT_ENVIRONMENT = "default"
_DEFAULT_STRATEGY = "blue-green"
_DEFAULT_ROLLBACK_MINUTES = 5.0
_ALWAYS_USED: tuple[Path, ...] = (
    ("id",),
    ("stack", "deploy"),
    ("deployment", "strategy"),
    ("deployment", "analysis", "judge"),
    ("state",),
    ("plugins", "enabled"),
)
"""What says which service is meant, and who works on it: needed by every command."""
_FOR_PLUGINS = ("monitoring", "acceptance", "cdn", "state")
"""Sections that a target keeps as they are written, beside those that nobody knows."""


def resolve(
    loaded: Loaded,
    environment: str | None,
    *,
    variables: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
    platform: str | None = None,
    strategy: str | None = None,
    starts_nothing: bool = False,
) -> Target:
    """One service in one environment.

    Args:
        environment: one of the document's `environments`; None is the document as it stands, called ``default``.
        variables: values for ``${NAME}``, before those of `environ`.
        platform, strategy: instead of the document's own.
        starts_nothing: references that nothing sets stay as they are, where they do not say who is to work: whoever
            only looks, or takes away, needs no more.

    Raises:
        DocumentError: an unknown environment, a reference that nothing sets, nothing that says where to deploy.
    """
    name = environment or DEFAULT_ENVIRONMENT
    base, part = _levels(loaded, name)
    base = _with_tables(base, part)
    where = _Where(loaded, name)
    data = _without_references(deep_merge(base, part), environ, variables or {}, where, starts_nothing)
    document = _document({**data, "environments": loaded.data.get("environments", {})}, where)
    deploy = platform or _deploy(document, where)
    rails = guardrails(base, part)
    return Target(
        service=_service(document, loaded),
        name=document.name or loaded.path.absolute().parent.name,
        environment=name,
        platform=platform_name(deploy),
        strategy=_strategy(document, platform_name(deploy), strategy),
        stack=document.stack,
        scripts={key: _script(key, one) for key, one in document.scripts.items()},
        processes=_processes(document),
        variables={key: _as_text(one) for key, one in document.variables.items()},
        secrets=_secrets(document),
        health_checks=_health_checks(document),
        health_check_url=document.monitoring.health_check_url,
        health_check_retries=rails.get("health_check_retries"),
        startup_seconds=document.deployment.startup_seconds,
        rollback_timeout_seconds=60.0 * (rails.get("rollback_timeout_minutes") or _DEFAULT_ROLLBACK_MINUTES),
        http_endpoints=tuple(
            HttpEndpoint(one.path, one.method, one.status, one.contains) for one in document.acceptance.http_endpoints
        ),
        deployment=document.deployment,
        keep_releases=document.keep_releases,
        include=document.include,
        plugins=document.plugins.settings,
        protections=protections(rails, document, name, where.first),
        extra={
            **document.others,
            **{key: data[key] for key in _FOR_PLUGINS if key in data},
            **({"guardrails": rails} if rails else {}),
        },
    )


def written_plugins(loaded: Loaded, environment: str) -> Mapping[str, Any]:
    """The ``[plugins.<name>]`` tables of an environment as they are written, references and all."""
    tables: Mapping[str, Any] = deep_merge(*_levels(loaded, environment)).get("plugins") or {}
    return tables


# -- one environment over the rest ------------------------------------------------------------------------------------


def _levels(loaded: Loaded, name: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The document without its environments, and the part of the one that is asked for."""
    base = {key: one for key, one in loaded.data.items() if key != "environments"}
    there: Mapping[str, Any] = loaded.data.get("environments", {})
    if name in there:
        return base, there[name]
    if name == DEFAULT_ENVIRONMENT:
        return base, {}
    close = difflib.get_close_matches(name, there, n=1)
    raise DocumentError(
        f"the document has no environment {name!r}; there are: {', '.join(there) or 'none'}",
        code="unknown-environment",
        where=loaded.locate("environments"),
        hints=(f"did you mean -e {close[0]}?",) if close else (f"add [environments.{name}] to the document",),
    )


def _with_tables(base: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with scripts as tables where an environment's part is one: ``"x"`` is short for ``{ run = "x" }``."""
    scripts, over = base.get("scripts") or {}, part.get("scripts") or {}
    tables = {
        key: {"run": one} for key, one in scripts.items() if not isinstance(one, Mapping) and _is_table(over, key)
    }
    return {**base, **({"scripts": {**scripts, **tables}} if tables else {})}


def _is_table(section: Mapping[str, Any], key: str) -> bool:
    return isinstance(section.get(key), Mapping)


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`: tables merge key by key, everything else replaces (lists, too)."""
    merged = dict(base)
    for key, value in over.items():
        there = merged.get(key)
        merged[key] = deep_merge(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
    return merged


class _Where:
    """Places in a document: the environment's own spelling comes before the base's."""

    def __init__(self, loaded: Loaded, environment: str) -> None:
        self._loaded, self._environment = loaded, environment

    def of(self, path: Path) -> str:
        own = ("environments", self._environment, *path)
        while own not in self._loaded.positions and path not in self._loaded.positions and path:
            own, path = own[:-1], path[:-1]
        return self._loaded.locate(dotted(own if own in self._loaded.positions else path))

    def first(self, keys: Sequence[str]) -> str:
        paths = [tuple(key.split(".")) for key in keys]
        for prefix in (("environments", self._environment), ()):
            for path in paths:
                if (*prefix, *path) in self._loaded.positions:
                    return self._loaded.locate(".".join((*prefix, *path)))
        return self._loaded.locate(keys[0])


def _without_references(
    data: dict[str, Any], environ: Mapping[str, str], flags: Mapping[str, str], where: _Where, starts_nothing: bool
) -> dict[str, Any]:
    secrets = data.get("secrets") or {}
    references = References(environ, flags, {*secrets.get("required", ()), *secrets.get("optional", ())})
    resolved: dict[str, Any] = references.everywhere(data)
    names = [
        name
        for name, path in references.unset.items()
        if not starts_nothing or any(path[: len(used)] == used for used in _ALWAYS_USED)
    ]
    if names:
        raise DocumentError(
            "not set: " + ", ".join(f"${{{name}}}" for name in names),
            code="unset-variable",
            where=where.of(references.unset[names[0]]),
            hints=(
                f"set it: --var {names[0]}=VALUE, or export {names[0]}=VALUE",
                f"or name {names[0]} in secrets.required",
            ),
        )
    return resolved


def _document(data: Mapping[str, Any], where: _Where) -> Document:
    shape = Shape(tells_values=False)
    document: Document | None = shape.section(Document, data)
    if document is None or shape.misfits:  # what only the whole can lack, or what a reference brought
        first = shape.misfits[0]
        told = "; ".join(f"{dotted(one.path)}: {one.message}, expected {one.expected}" for one in shape.misfits)
        raise DocumentError(f"once environment and references are filled in: {told}", where=where.of(first.path))
    return document


# -- parts of a target ------------------------------------------------------------------------------------------------


def _service(document: Document, loaded: Loaded) -> str:
    folder = loaded.path.absolute().parent.name
    service = document.id or slug(folder).replace(".", "-").replace("_", "-").strip("-")
    if not SERVICE_NAME.fullmatch(service):
        raise DocumentError(
            f"the folder's name {folder!r} makes no service id",
            where=loaded.locate("id"),
            hints=('add id = "my-service" to the document',),
        )
    return service


def _deploy(document: Document, where: _Where) -> str:
    deploy = document.stack.get("deploy", "").strip()
    if not deploy:
        raise DocumentError(
            "the document does not say where to deploy",
            code="no-platform",
            where=where.of(("stack", "deploy")),
            hints=('add [stack] deploy = "local" (or "Docker + Kubernetes", "AWS ECS", "Vercel", …)',),
        )
    return deploy


def _strategy(document: Document, platform: str, given: str | None) -> str:
    if platform == "script":
        return "script"
    return strategy_name(given or document.deployment.strategy or _DEFAULT_STRATEGY)


def _script(name: str, section: str | tuple[str, ...] | ScriptSection) -> Script:
    table = section if isinstance(section, ScriptSection) else ScriptSection(section)
    rerun: Literal["safe", "ask"] = "ask" if (table.rerun or _rerun_of(name)) == "ask" else "safe"
    return Script(name, table.run, table.timeout_seconds, rerun)


def _rerun_of(name: str) -> str:
    return "ask" if name == "migrate" else "safe"


def _processes(document: Document) -> dict[str, Process]:
    found = {}
    start = document.scripts.get("start")
    if start is not None:
        command: Command = start.run if isinstance(start, ScriptSection) else start
        found["web"] = Process("web", command, document.deployment.instances or 1)
    for name, one in document.processes.items():
        found[name] = Process(name, one.start, one.instances, one.port)
    return found


def _secrets(document: Document) -> Secrets:
    section = document.secrets
    return Secrets(section.provider, section.required, section.optional, section.settings)


def _health_checks(document: Document) -> tuple[HealthCheck, ...]:
    """The checks as written; a `health_check_url` at the application's own address is one, too."""
    checks = [
        HealthCheck(one.endpoint, one.interval_seconds, one.timeout_seconds)
        for one in document.monitoring.health_checks
    ]
    url = document.monitoring.health_check_url
    for own in ("${APP_URL}", "${HEALTH_CHECK_URL}"):
        path = url[len(own) :] or "/"
        if url.startswith(own) and path.startswith("/") and path not in [check.endpoint for check in checks]:
            checks.append(HealthCheck(path))
    return tuple(checks)


def _as_text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
