"""What the model's types cannot say: names, ranges, references, the same keys inside `environments`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ospec.models.document import Document, Guardrails
from ospec.naming import SERVICE_NAME
from ospec.stages.shape import Misfit, Path, Shape

_REFERENCE = re.compile(r"\$(\$|\{[^}]*\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCAN_LEVELS = ("off", "warn", "error", "block")
_LEFT_TO_SHELL = ("scripts", "processes")


def further_misfits(document: Document, data: Mapping[str, Any]) -> Iterator[Misfit]:
    """Everything else that is wrong with a document whose types fit."""
    yield from _top(document)
    yield from _scripts(document, data)
    yield from _guardrails(document.guardrails, ("guardrails",))
    yield from _references(data, ())
    yield from _environments(document)
    yield from _monitoring(document)


def _top(document: Document) -> Iterator[Misfit]:
    if document.id and not SERVICE_NAME.fullmatch(document.id):
        yield Misfit(("id",), f"{document.id!r} is no service id", "lower-case letters, digits and hyphens, at most 63")
    if document.keep_releases < 1:
        yield Misfit(("keep_releases",), f"found {document.keep_releases}", "1 or more")
    for label, slot in document.deployment.environments.items():
        if slot.instances is not None and slot.instances < 1:
            yield Misfit(("deployment", "environments", label, "instances"), f"found {slot.instances}", "1 or more")
    for name, process in document.processes.items():
        if process.instances < 1:
            yield Misfit(("processes", name, "instances"), f"found {process.instances}", "1 or more")
        if name == "web" or not SERVICE_NAME.fullmatch(name):
            expected = "lower-case letters, digits and hyphens; not web, which is what scripts.start runs"
            yield Misfit(("processes", name), f"{name!r} cannot name a process", expected)


def _scripts(document: Document, data: Mapping[str, Any]) -> Iterator[Misfit]:
    for name, script in document.scripts.items():
        command = script if isinstance(script, (str, tuple)) else script.run
        if not command or (isinstance(command, str) and not command.strip()):
            yield Misfit(("scripts", name), "the command is empty", "a command")
        if not isinstance(script, (str, tuple)) and script.rerun not in ("safe", "ask"):
            yield Misfit(("scripts", name, "rerun"), f"found {script.rerun!r}", "safe or ask")


def _guardrails(guardrails: Guardrails, path: Path) -> Iterator[Misfit]:
    if guardrails.min_test_coverage is not None and not 0 <= guardrails.min_test_coverage <= 1:
        found = f"found {guardrails.min_test_coverage:g}"
        yield Misfit((*path, "min_test_coverage"), found, "a share between 0 and 1", "80 % is 0.8")
    if isinstance(guardrails.security_scan, str) and guardrails.security_scan not in _SCAN_LEVELS:
        expected = f"true, false or one of {', '.join(_SCAN_LEVELS)}"
        yield Misfit((*path, "security_scan"), f"found {guardrails.security_scan!r}", expected)
    if guardrails.rollback_timeout_minutes is not None and guardrails.rollback_timeout_minutes <= 0:
        yield Misfit((*path, "rollback_timeout_minutes"), "it is not above 0", "minutes, more than 0")
    if guardrails.health_check_retries is not None and guardrails.health_check_retries < 1:
        yield Misfit((*path, "health_check_retries"), "it is below 1", "1 or more")
    if guardrails.deployment and path == ("guardrails",):
        shape = Shape()
        inner = shape.section(Guardrails, guardrails.deployment, (*path, "deployment"))
        yield from shape.misfits
        if inner is not None:
            yield from _guardrails(inner, (*path, "deployment"))


def _references(value: Any, path: Path) -> Iterator[Misfit]:
    """`${NAME}` must be closed and a name, outside of commands, which a shell reads."""
    if path and path[0] in _LEFT_TO_SHELL:
        return
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _references(one, (*path, str(key)))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _references(one, (*path, number))
    elif isinstance(value, str):
        for found in _REFERENCE.finditer(value):
            inner = found[1]
            if inner != "$" and not (inner.endswith("}") and _NAME.fullmatch(inner[1:-1])):
                yield Misfit(path, f"{found[0]!r} is no reference", "${NAME}, or $$ for one dollar sign")


def _environments(document: Document) -> Iterator[Misfit]:
    for name, part in document.environments.items():
        path: Path = ("environments", name)
        if not SERVICE_NAME.fullmatch(name):
            yield Misfit(path, f"{name!r} is no environment's name", "lower-case letters, digits and hyphens")
        for key in ("environments", "id", "ospec_version"):
            if key in part:
                yield Misfit((*path, key), f"{key} cannot differ by environment", "it in the document itself")
        yield from _fragment({key: one for key, one in part.items() if key != "environments"}, path)


def _fragment(part: Mapping[str, Any], path: Path) -> Iterator[Misfit]:
    """An environment's part is a document of its own, but that required keys may stand in the base."""
    shape = Shape()
    document = shape.section(Document, part, path)
    yield from (misfit for misfit in shape.misfits if not misfit.message.endswith("is missing"))
    if document is not None:
        for misfit in (*_scripts(document, part), *_top(document), *_guardrails(document.guardrails, ("guardrails",))):
            yield Misfit((*path, *misfit.path), misfit.message, misfit.expected, misfit.hint)
        for key in document.others:
            yield Misfit((*path, key), f"unknown key {key!r}", "a section of the document")


def _monitoring(document: Document) -> Iterator[Misfit]:
    for number, check in enumerate(document.monitoring.health_checks):
        path: Path = ("monitoring", "health_checks", number)
        if not check.endpoint.startswith("/"):
            yield Misfit((*path, "endpoint"), f"found {check.endpoint!r}", "a path that begins with /")
        for name in ("interval_seconds", "timeout_seconds"):
            if getattr(check, name) <= 0:
                yield Misfit((*path, name), f"found {getattr(check, name):g}", "seconds, more than 0")
    for number, endpoint in enumerate(document.acceptance.http_endpoints):
        if not endpoint.path.startswith("/"):
            where: Path = ("acceptance", "http_endpoints", number, "path")
            yield Misfit(where, f"found {endpoint.path!r}", "a path that begins with /")
