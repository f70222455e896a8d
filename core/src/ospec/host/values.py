"""Values by name, looked up at the moment of use: secrets from their provider, all else from the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ospec.errors import DocumentError, OspecError
from ospec.models.registration import SecretProvider
from ospec.models.target import Target

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})")
_LOOKS_SECRET = re.compile(r"(?i)pass|pwd|secret|token|key|credential|auth|private|dsn")
_SHORTEST_MASKED = 4
"""Shorter ones would be found in every second word."""
_SHORTEST_LINE = 8
"""Of a value with more than one: what is printed is looked at line by line."""
_AT_RUN_TIME = ("APP_URL", "HEALTH_CHECK_URL")
"""Known to whoever starts the program, who has put them in before."""


def looks_secret(name: str) -> bool:
    """Whether a variable of this name holds what nobody should see."""
    return bool(_LOOKS_SECRET.search(name))


class Values:
    """Resolves the references of one target's variables. What looks secret is remembered, in memory, to be masked.

    Args:
        provider: of the secrets; None where the target has none.
    """

    def __init__(self, target: Target, provider: SecretProvider | None, environ: Mapping[str, str]) -> None:
        self._target, self._provider, self._environ = target, provider, environ
        self._secrets = {*target.secrets.required, *target.secrets.optional}
        self._told: set[str] = set()
        self._of_secrets: set[str] = set()
        self.watch(target)

    def watch(self, target: Target) -> None:
        """Have the values of the target's variables masked that are named like secrets (an earlier release's, too)."""
        named = (text for name, text in target.variables.items() if _LOOKS_SECRET.search(name))
        self._of_secrets.update(text for text in named if any(one["name"] for one in _REFERENCE.finditer(text)))

    def resolve(self, text: str) -> str:
        """`text` with every reference replaced by its value, and ``$$`` by one dollar sign.

        Raises:
            OspecError: one that cannot be had; it is named.
        """
        value = _REFERENCE.sub(lambda found: "$" if found["escaped"] else self._value(found["name"]), text)
        if text in self._of_secrets:
            self._remembered(value)
            if not _REFERENCE.sub("", text):  # each is the secret, or a part of it, whatever its own name is
                for found in _REFERENCE.finditer(text):
                    self._remembered(self._value(found["name"]) if found["name"] else "")
        return value

    def names(self, text: str) -> tuple[str, ...]:
        """The secrets that `text` refers to."""
        return tuple(found["name"] for found in _REFERENCE.finditer(text) if found["name"] in self._secrets)

    def redact(self, text: str) -> str:
        """`text` with ``***`` for secrets that were resolved, and for what the environment gave by a secret's name."""
        for value in sorted(self._told, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def unset(self) -> Mapping[str, str]:
        """What the environment lacks: name to the key that refers to it."""
        texts = {f"variables.{key}": text for key, text in self._target.variables.items()}
        texts["monitoring.health_check_url"] = self._target.health_check_url
        return {
            found["name"]: key
            for key, text in texts.items()
            for found in _REFERENCE.finditer(text)
            if found["name"] and found["name"] not in {*self._secrets, *_AT_RUN_TIME, *self._environ}
        }

    def versions(self) -> Mapping[str, str]:
        """Each secret's version, as its provider tells it."""
        provider = self._provider
        return {name: provider.version(self._target, name) for name in sorted(self._secrets)} if provider else {}

    def _value(self, name: str) -> str:
        if name in self._secrets and self._provider:
            return self._remembered(self._provider.resolve(self._target, name))
        if name not in self._environ:
            raise OspecError(
                f"${{{name}}} is not set", code="unset-variable", where="variables", hints=(f"export {name}=VALUE",)
            )
        value = self._environ[name]
        return self._remembered(value) if looks_secret(name) else value

    def _remembered(self, value: str) -> str:
        if len(value) >= _SHORTEST_MASKED:
            self._told.add(value)
        lines = value.splitlines()
        self._told.update(line.strip() for line in lines if len(lines) > 1 and len(line.strip()) >= _SHORTEST_LINE)
        return value


def values_of(target: Target, providers: Mapping[str, SecretProvider], environ: Mapping[str, str]) -> Values:
    """What resolves the variables of a target.

    Raises:
        OspecError: ``no-secret-provider`` where the document names secrets and nothing loaded provides them.
    """
    if not (target.secrets.required or target.secrets.optional):
        return Values(target, None, environ)
    scheme = target.secrets.provider.partition("://")[0]
    found = [one for one in providers.values() if scheme in one.schemes]
    if not found:
        raise OspecError(
            f"nothing installed provides the secrets of {target.secrets.provider or '(no provider)'}",
            code="no-secret-provider",
            where="secrets.provider",
            hints=("install a plugin that brings this provider, and put its name into plugins.enabled",),
        )
    return Values(target, found[0], environ)


def refuse_unset(values: Values, locate: Callable[[str], str]) -> None:
    """Refuse a run whose programs could not start; raises `DocumentError` with every name that is not set.

    Args:
        locate: gives the place of a key.
    """
    unset = values.unset()
    if unset:
        first = next(iter(unset))
        raise DocumentError(
            "not set: " + ", ".join(f"${{{name}}}" for name in unset),
            code="unset-variable",
            where=locate(unset[first]),
            hints=(f"set it: --var {first}=VALUE, or export {first}=VALUE", f"or name {first} in secrets.required"),
        )
