"""Which keys of a document protect, and what enforces them: none is ever ignored in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ospec.models.document import Document
from ospec.models.target import Protection

_CORE = ("rollback_timeout_minutes", "health_check_retries", "deployment")
"""Held by the engine itself."""
_APPROVALS = "human_approval_required"
_GUARDRAILS_PACKAGE = "ospec-plugin-guardrails"
_APPROVALS_PACKAGE = "ospec-plugin-approvals"
_SECRET_PACKAGES = {
    "local": "ospec-plugin-secrets-env",
    "env": "ospec-plugin-secrets-env",
    "vault": "ospec-plugin-vault",
    "aws-secrets-manager": "ospec-plugin-ecs",
}
_LEVELS = ("off", False, "warn", "error", True, "block")
"""Of a scan, from the mildest to the strictest; text and truth values may both be used."""


def guardrail(base: Mapping[str, Any], part: Mapping[str, Any], key: str, stricter: Callable[..., Any]) -> Any:
    """The value of one guardrail: the environment's part beats the base; within one level the stricter spelling wins.

    Args:
        stricter: chooses the stricter of several values.
    """
    for level in (part, base):
        section = level.get("guardrails") or {}
        found = [one[key] for one in (section, section.get("deployment") or {}) if key in one]
        if found:
            return stricter(found)
    return None


def strictest(base: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Every guardrail with the value that counts, without the two spellings."""
    keys: dict[str, None] = {}
    for level in (base, part):
        section = level.get("guardrails") or {}
        keys.update(dict.fromkeys((*section, *(section.get("deployment") or {}))))
    keys.pop("deployment", None)
    return {key: guardrail(base, part, key, _choice(key)) for key in keys}


def protections(
    base: Mapping[str, Any],
    part: Mapping[str, Any],
    document: Document,
    environment: str,
    locate: Callable[[str], str],
) -> tuple[Protection, ...]:
    """The keys that ask for protection in this environment, beside those that the engine holds itself."""
    found = []
    for key, value in strictest(base, part).items():
        if key in _CORE or not _asks(key, value, environment):
            continue
        package = _APPROVALS_PACKAGE if key == _APPROVALS else _GUARDRAILS_PACKAGE
        found.append(Protection(f"guardrails.{key}", value, package, _where(locate, environment, key)))
    if document.secrets.required:
        scheme = document.secrets.provider.partition("://")[0]
        package = _SECRET_PACKAGES.get(scheme, f"ospec-plugin-{scheme}" if scheme else _SECRET_PACKAGES["env"])
        value = list(document.secrets.required)
        found.append(Protection("secrets.required", value, package, locate("secrets.required")))
    return tuple(found)


def _where(locate: Callable[[str], str], environment: str, key: str) -> str:
    tries = (
        f"environments.{environment}.guardrails.deployment.{key}",
        f"environments.{environment}.guardrails.{key}",
        f"guardrails.deployment.{key}",
        f"guardrails.{key}",
    )
    places = [locate(one) for one in tries]
    specific = [
        place
        for place, one in zip(places, tries, strict=True)
        if place.split(":")[1:] != locate(_up(one)).split(":")[1:]
    ]
    return (specific or places)[0]


def _up(key: str) -> str:
    return key.rpartition(".")[0]


def _asks(key: str, value: Any, environment: str) -> bool:
    if key == _APPROVALS and isinstance(value, (list, tuple)):
        return environment in value
    return value not in (None, False, "", "off", "warn", 0, 0.0, [], {}, ())


def _choice(key: str) -> Callable[[list[Any]], Any]:
    if key in ("rollback_timeout_minutes", "health_check_retries"):
        return min
    return lambda values: max(values, key=_strictness)


def _strictness(value: Any) -> float:
    if isinstance(value, (list, tuple)):
        return 0.5 if value else 0.0
    if isinstance(value, (bool, str)):
        return float(_LEVELS.index(value)) if value in _LEVELS else 1.0
    return float(value) if isinstance(value, (int, float)) else 1.0
