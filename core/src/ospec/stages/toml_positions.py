"""Where each key of a TOML text stands; tomli reads the values, and tells no places.

The scanner takes for granted that tomli accepted the text, so it need not judge it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys, and numbers of list items."""
Place = tuple[int, int]
"""Line and column, from 1."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{0,2}(?!"))', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2}(?!'))", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)


def toml_positions(text: str) -> Mapping[Path, Place]:
    """The place of every key and array item of a valid TOML text."""
    scanner = _Scanner(text)
    scanner.document()
    lines = [0, *(found.end() for found in re.finditer("\n", text))]
    return {path: _place(lines, at) for path, at in scanner.found.items()}


def _place(line_starts: list[int], at: int) -> Place:
    from bisect import bisect_right

    line = bisect_right(line_starts, at)
    return line, at - line_starts[line - 1] + 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}
        """Arrays of tables with the number of tables so far."""

    def document(self) -> None:
        prefix: Path = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                prefix = self._header(2)
            elif self.text.startswith("[", self.at):
                prefix = self._header(1)
            else:
                self._pair(prefix)

    def _header(self, brackets: int) -> Path:
        self.at += brackets
        path: Path = ()
        for name, at in self._dotted():
            path = (*path, name)
            self.found.setdefault(path, at)
            last = at
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        if brackets == 2:
            base = path[:-1] if path and isinstance(path[-1], int) else path
            count = self._tables.get(base, 0)
            self._tables[base] = count + 1
            path = (*base, count)
            self.found[path] = last
        self.at += brackets
        return path

    def _dotted(self) -> list[tuple[str, int]]:
        """The parts of a dotted key with where each begins."""
        parts = []
        while True:
            self._skip(_SPACE)
            began = self.at
            if self.text[self.at] in "\"'":
                parts.append((_key_of(self._string()), began))
            else:
                self._skip(_BARE_KEY)
                parts.append((self.text[began : self.at], began))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _pair(self, prefix: Path) -> None:
        path = prefix
        for name, at in self._dotted():
            path = (*path, name)
            self.found.setdefault(path, at)
        self.at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        number = 0
        while self.text[self._skip(_BLANK)] != "]":
            item: Path = (*path, number)
            self.found[item] = self.at
            self._value(item)
            number += 1
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self.text[self._skip(_BLANK)] != "}":
            self._pair(path)
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            found = pattern.match(self.text, self.at)
            if found:
                self.at = found.end()
                return found[0]
        raise ValueError(f"no string at {self.at}")  # tomli accepted the text, so there is one

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return self.at


def _key_of(quoted: str) -> str:
    if quoted.startswith("'") or "\\" not in quoted:
        return quoted[1:-1]
    import tomli

    return str(tomli.loads(f"key = {quoted}")["key"])
