"""`${NAME}` in a document: values from flags and the environment; secrets stay references until they are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ospec.errors import DocumentError

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})")
_AT_RUN_TIME = ("APP_URL", "HEALTH_CHECK_URL")
"""Known only once something is deployed."""


class References:
    """Replaces references.

    Args:
        values: by name.
        secrets: names that stay references, whatever `values` has.
        locate: a key's place, for errors.
    """

    def __init__(self, values: Mapping[str, str], secrets: Collection[str], locate: Callable[[str], str]) -> None:
        self._values, self._secrets, self._locate = values, secrets, locate

    def text(self, text: str, key: str) -> str:
        """`text` with its references replaced, ``$$`` as one dollar sign; raises `DocumentError` for an unset one."""

        def replace(found: re.Match[str]) -> str:
            name = found["name"]
            if found["escaped"]:
                return "$"
            if name in self._secrets or (name in _AT_RUN_TIME and name not in self._values):
                return found[0]
            if name not in self._values:
                raise DocumentError(
                    f"${{{name}}} is not set",
                    code="unset-variable",
                    where=self._locate(key),
                    hints=(f"set it: --var {name}=VALUE, or export {name}=VALUE", "or name it in secrets.required"),
                )
            return self._values[name]

        return _REFERENCE.sub(replace, text)

    def everywhere(self, value: Any, key: str) -> Any:
        """`value` with the references of every text inside replaced."""
        if isinstance(value, str):
            return self.text(value, key)
        if isinstance(value, Mapping):
            return {name: self.everywhere(one, f"{key}.{name}".lstrip(".")) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.everywhere(one, key) for one in value]
        return value
