"""`${NAME}` in a document: values from flags and the environment; secrets stay references until they are used.

In `variables` and `monitoring.health_check_url` what the environment gives stays a reference, too: it may be a
password, and what is written in a target stands in plans and journals. Whoever uses it looks it up then
(`ospec.host.values`). In `plugins` this holds where the reference or its key is named like a
secret.

What a shell reads (scripts, the commands of processes) is left to it: it has the same values in its environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ospec.aliases import NOTIFIERS
from ospec.host.values import looks_secret
from ospec.stages.shape import Misfit
from ospec.stages.toml_positions import Path

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<inner>[^}]*)(?P<end>\}?))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AT_RUN_TIME = ("APP_URL", "HEALTH_CHECK_URL")
"""Known only once something is deployed."""
_URL = ("monitoring", "health_check_url")
_COMMANDS = ("start", "command", "run")


def reference_misfits(value: Any, path: Path = ()) -> Iterator[Misfit]:
    """References that are not closed or no name."""
    for place, text in texts(value, path):
        for found in _REFERENCE.finditer(text):
            if not found["escaped"] and not (found["end"] and _NAME.fullmatch(found["inner"])):
                yield Misfit(place, f"{found[0]!r} is no reference", "${NAME}, or $$ for one dollar sign")


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text in which references count, with its path."""
    if _of_a_shell(path):
        return
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from texts(one, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from texts(one, (*path, number))


class References:
    """Replaces references; `unset` gets the names that have no value, each with the path where it stands.

    Args:
        flags: values by name that were given openly, and count before those of `environ`.
        secrets: names that stay references, whatever the others have.
    """

    def __init__(self, environ: Mapping[str, str], flags: Mapping[str, str], secrets: Collection[str]) -> None:
        self._values, self._flags = {**environ, **flags}, flags
        self._stay = {*secrets, *_AT_RUN_TIME}
        self.unset: dict[str, Path] = {}

    def everywhere(self, value: Any, path: Path = ()) -> Any:
        """`value` with every reference inside replaced, and ``$$`` as one dollar sign; less so where used later."""
        if _of_a_shell(path):
            return value
        if isinstance(value, str):
            return _REFERENCE.sub(lambda found: self._one(found, path), value) if "$" in value else value
        if isinstance(value, Mapping):
            return {key: self.everywhere(one, (*path, key)) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.everywhere(one, (*path, number)) for number, one in enumerate(value)]
        return value

    def _one(self, found: re.Match[str], path: Path) -> str:
        name = found["inner"]
        if (
            path[:1] == ("variables",) or path == _URL
        ):  # looked up when used, which takes ``$$`` for one dollar sign, too
            told = name in self._flags and name not in self._stay
            return self._flags[name].replace("$", "$$") if told else found[0]
        if found["escaped"]:
            return "$"
        if name in self._stay or (name not in self._flags and _secret_of_a_plugin(name, path)):
            return found[0]
        if name not in self._values and not _of_a_notifier(path):
            self.unset.setdefault(name, path)
        return self._values.get(name, found[0])


def _of_a_notifier(path: Path) -> bool:
    """Whether it is looked up when people are told: a channel that cannot tell must not stop what it would tell of."""
    return path[:1] == ("plugins",) and path[1] in NOTIFIERS


def _secret_of_a_plugin(name: str, path: Path) -> bool:
    keys = [part for part in path[2:] if isinstance(part, str)]
    return path[:1] == ("plugins",) and any(looks_secret(one) for one in (name, *keys))


def _of_a_shell(path: Path) -> bool:
    inner = path[2:] if path[:1] == ("environments",) else path
    return inner[:1] == ("scripts",) or (inner[:1] == ("processes",) and inner[-1] in _COMMANDS)
