"""Secrets by name: resolved at the moment of use by the provider that the document names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ospec.errors import OspecError
from ospec.models.context import NoSecrets, SecretResolver
from ospec.models.registration import SecretProvider
from ospec.models.target import Target

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ProvidedSecrets:
    """Resolves the secrets of one target through one provider. Keeps no value."""

    def __init__(self, target: Target, provider: SecretProvider) -> None:
        self._target, self._provider = target, provider
        self._known = {*target.secrets.required, *target.secrets.optional}

    def resolve(self, text: str) -> str:
        """`text` with every reference to a secret replaced by its value."""
        return _REFERENCE.sub(
            lambda found: self._provider.resolve(self._target, found[1]) if found[1] in self._known else found[0], text
        )

    def names(self, text: str) -> tuple[str, ...]:
        """The secrets that `text` refers to."""
        return tuple(name for name in _REFERENCE.findall(text) if name in self._known)

    def versions(self) -> Mapping[str, str]:
        """Each secret's version, as its provider tells it."""
        return {name: self._provider.version(self._target, name) for name in sorted(self._known)}


def secrets_of(target: Target, providers: Mapping[str, SecretProvider]) -> tuple[SecretResolver, Mapping[str, str]]:
    """The resolver of a target and the versions of its secrets.

    Raises:
        OspecError: ``no-secret-provider`` where the document names secrets and nothing loaded provides them.
    """
    if not (target.secrets.required or target.secrets.optional):
        return NoSecrets(), {}
    scheme = target.secrets.provider.partition("://")[0]
    found = [one for one in providers.values() if scheme in one.schemes]
    if not found:
        raise OspecError(
            f"nothing installed provides the secrets of {target.secrets.provider or '(no provider)'}",
            code="no-secret-provider",
            where="secrets.provider",
            hints=("install a plugin that brings this provider, and put its name into plugins.enabled",),
        )
    resolver = ProvidedSecrets(target, found[0])
    return resolver, resolver.versions()
