"""From a document to a `Target`: one environment merged over the rest, references resolved, defaults filled in."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any

from ospec.aliases import platform_name, strategy_name
from ospec.errors import DocumentError
from ospec.models.document import Document, ScriptSection
from ospec.models.target import HealthCheck, HttpEndpoint, Process, Script, Secrets, Target
from ospec.naming import SERVICE_NAME, slug
from ospec.stages.load import Loaded
from ospec.stages.protections import guardrail, protections, strictest
from ospec.stages.references import References
from ospec.stages.shape import Shape

DEFAULT_ENVIRONMENT = "default"
_DEFAULT_STRATEGY = "blue-green"
_TO_PLUGINS = ("cdn", "state")
_KEPT = ("guardrails", "monitoring", "acceptance")


def resolve(
    loaded: Loaded,
    environment: str | None,
    *,
    variables: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
    platform: str | None = None,
    strategy: str | None = None,
) -> Target:
    """One service in one environment.

    Args:
        environment: one of the document's `environments`; None is the document as it stands, called ``default``.
        variables: values for ``${NAME}``, before those of `environ`.
        platform, strategy: instead of the document's own.

    Raises:
        DocumentError: an unknown environment, a reference that nothing sets, nothing that says where to deploy.
    """
    base, part = _merged(loaded, environment)
    document = _document(base)
    name = environment or DEFAULT_ENVIRONMENT
    secrets = document.secrets
    references = References({**environ, **(variables or {})}, {*secrets.required, *secrets.optional}, loaded.locate)
    return Target(
        service=_service(document, loaded),
        name=document.name or loaded.path.parent.name,
        environment=name,
        platform=platform_name(platform or _deploy(document, loaded)),
        strategy=_strategy(document, platform or document.stack.get("deploy", ""), strategy),
        stack=references.everywhere(dict(document.stack), "stack"),
        scripts={key: _script(key, one) for key, one in document.scripts.items()},
        processes=_processes(document),
        variables={key: references.text(_as_text(one), f"variables.{key}") for key, one in document.variables.items()},
        secrets=Secrets(
            references.text(secrets.provider, "secrets.provider"),
            secrets.required,
            secrets.optional,
            references.everywhere(dict(secrets.settings), "secrets"),
        ),
        health_checks=_health_checks(document),
        health_check_url=references.text(document.monitoring.health_check_url, "monitoring.health_check_url"),
        health_check_retries=guardrail(loaded.data, part, "health_check_retries", min),
        startup_seconds=document.deployment.startup_seconds,
        rollback_timeout_seconds=60.0 * (guardrail(loaded.data, part, "rollback_timeout_minutes", min) or 5.0),
        http_endpoints=tuple(
            HttpEndpoint(one.path, one.method, one.status, one.contains) for one in document.acceptance.http_endpoints
        ),
        deployment=document.deployment,
        keep_releases=document.keep_releases,
        include=document.include,
        plugins=references.everywhere(dict(document.plugins.settings), "plugins"),
        protections=protections(loaded.data, part, document, name, loaded.locate),
        extra=references.everywhere(_extra(document, base, loaded.data, part), ""),
    )


# -- merging ----------------------------------------------------------------------------------------------------------


def _merged(loaded: Loaded, environment: str | None) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The base with the environment's part merged over it, and that part."""
    base = {key: one for key, one in loaded.data.items() if key != "environments"}
    if environment is None or (environment == DEFAULT_ENVIRONMENT and environment not in loaded.document.environments):
        return base, {}
    there = loaded.document.environments
    if environment not in there:
        close = difflib.get_close_matches(environment, there, n=1)
        raise DocumentError(
            f"the document has no environment {environment!r}; there are: {', '.join(there) or 'none'}",
            code="unknown-environment",
            where=loaded.locate("environments"),
            hints=(f"did you mean -e {close[0]}?",) if close else (),
        )
    part = there[environment]
    return deep_merge(base, part), part


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`: tables merge key by key, everything else replaces (lists, too)."""
    merged = dict(base)
    for key, value in over.items():
        there = merged.get(key)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        merged[key] = deep_merge(there, value) if both else value  # type: ignore[arg-type]  # both are tables
    return merged


def _document(data: Mapping[str, Any]) -> Document:
    shape = Shape()
    document = shape.section(Document, data)
    if document is None:  # the parts were checked one by one; only what both leave out can be missing
        lines = "; ".join(f"{'.'.join(map(str, one.path))}: {one.message}" for one in shape.misfits)
        raise DocumentError(f"the document with its environment is incomplete: {lines}")
    made: Document = document
    return made


# -- parts of a target --------------------------------------------------------------------------------------------------


def _service(document: Document, loaded: Loaded) -> str:
    found = document.id or slug(loaded.path.parent.name).replace(".", "-").replace("_", "-").strip("-")
    if not SERVICE_NAME.fullmatch(found):
        raise DocumentError(
            f"the folder's name {loaded.path.parent.name!r} makes no service id",
            where=loaded.locate("id"),
            hints=('add id = "my-service" to the document',),
        )
    return found


def _deploy(document: Document, loaded: Loaded) -> str:
    if "deploy" not in document.stack:
        raise DocumentError(
            "the document does not say where to deploy",
            code="no-platform",
            where=loaded.locate("stack"),
            hints=('add [stack] deploy = "local" (or "Docker + Kubernetes", "AWS ECS", "Vercel", …)',),
        )
    return document.stack["deploy"]


def _strategy(document: Document, platform: str, given: str | None) -> str:
    if platform and platform_name(platform) == "script":
        return "script"
    return strategy_name(given or document.deployment.strategy or _DEFAULT_STRATEGY)


def _script(name: str, section: str | tuple[str, ...] | ScriptSection) -> Script:
    if isinstance(section, ScriptSection):
        rerun = "ask" if section.rerun == "ask" else "safe"
        return Script(name, section.run, section.timeout_seconds, rerun)  # type: ignore[arg-type]  # one of the two
    return Script(name, section, rerun="ask" if name == "migrate" else "safe")


def _processes(document: Document) -> dict[str, Process]:
    found = {}
    start = document.scripts.get("start")
    if start is not None:
        found["web"] = Process("web", start.run if isinstance(start, ScriptSection) else start)
    for name, one in document.processes.items():
        found[name] = Process(name, one.start, one.instances, one.port)
    return found


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


def _extra(
    document: Document, base: Mapping[str, Any], data: Mapping[str, Any], part: Mapping[str, Any]
) -> dict[str, Any]:
    """Sections that plugins read, as plain values."""
    found = {key: base[key] for key in (*_TO_PLUGINS, *_KEPT) if key in base}
    found.update(document.others)
    if "guardrails" in found:
        found["guardrails"] = strictest(data, part)
    return found


def _as_text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
