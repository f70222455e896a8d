"""Which keys of a document protect, and what enforces them: none is ever ignored in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ospec.models.document import Document
from ospec.models.target import Protection

Table = Mapping[str, Any]

_OF_THE_ENGINE = ("rollback_timeout_minutes", "health_check_retries")
"""Held by the engine itself; of these, less is stricter."""
_APPROVAL = "human_approval_required"
_GUARDRAILS_PACKAGE = "ospec-plugin-guardrails"
_APPROVALS_PACKAGE = "ospec-plugin-approvals"
_SECRETS_PACKAGES = {
    "": "ospec-plugin-secrets-env",
    "local": "ospec-plugin-secrets-env",
    "env": "ospec-plugin-secrets-env",
    "aws-secrets-manager": "ospec-plugin-ecs",
}
_LEVELS: tuple[Any, ...] = ("off", False, "warn", "error", True, "block")
"""Of a check, from the mildest to the strictest."""
_ASK_NOTHING: tuple[Any, ...] = (None, False, "", "off", "warn", 0, [], {})


def guardrails(base: Table, part: Table) -> dict[str, Any]:
    """Every guardrail with the value that counts.

    The environment's part beats the base; within one of them the stricter of `guardrails.X` and
    `guardrails.deployment.X` wins.
    """
    found: dict[str, Any] = {}
    for level in (base, part):
        section = level.get("guardrails") or {}
        spellings = [{key: one for key, one in section.items() if key != "deployment"}, section.get("deployment") or {}]
        for key in dict.fromkeys(key for spelling in spellings for key in spelling):
            found[key] = stricter(key, [spelling[key] for spelling in spellings if spelling.get(key) is not None])
    return found


def stricter(key: str, values: Sequence[Any]) -> Any:
    """The strictest of several values of one guardrail."""
    if len(values) < 2:
        return values[0] if values else None
    if key in _OF_THE_ENGINE:
        return min(values)
    if any(isinstance(value, list) for value in values):  # names of environments, or true for all of them
        listed = [name for value in values if isinstance(value, list) for name in value]
        return True if True in values else list(dict.fromkeys(listed))
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return max(values)
    return max(values, key=lambda value: _LEVELS.index(value) if value in _LEVELS else len(_LEVELS))


def protections(
    found: Table, document: Document, environment: str, locate: Callable[[Sequence[str]], str]
) -> tuple[Protection, ...]:
    """The keys that ask for protection in this environment, beside those that the engine holds itself.

    Args:
        found: as `guardrails` gives it.
        locate: the first of several keys that is there, as ``file:line:column key``.
    """
    asked = [
        Protection(
            f"guardrails.{key}",
            value,
            _APPROVALS_PACKAGE if key == _APPROVAL else _GUARDRAILS_PACKAGE,
            locate((f"guardrails.{key}", f"guardrails.deployment.{key}")),
        )
        for key, value in found.items()
        if key not in _OF_THE_ENGINE and _asks(key, value, environment, document)
    ]
    for number, step in enumerate(document.deployment.steps):
        if step.approval:
            key = f"deployment.steps[{number}].approval"
            asked.append(Protection(key, True, _APPROVALS_PACKAGE, locate((f"deployment.steps.{number}.approval",))))
    if document.secrets.required:
        scheme = document.secrets.provider.partition("://")[0]
        package = _SECRETS_PACKAGES.get(scheme, f"ospec-plugin-{scheme}")
        where = locate(("secrets.required",))
        asked.append(Protection("secrets.required", list(document.secrets.required), package, where))
    return tuple(asked)


def _asks(key: str, value: Any, environment: str, document: Document) -> bool:
    if key == _APPROVAL and isinstance(value, list):  # a name that no environment has is a slip: it counts everywhere
        return any(name == environment or name not in document.environments for name in value)
    return value not in _ASK_NOTHING
