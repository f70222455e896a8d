"""What the instances print: the last lines, then what comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ospec.models.context import LogsContext
from ospec.models.live import LogLine

from ospec_plugin_local.envoy import last_lines
from ospec_plugin_local.place import Place, place_of
from ospec_plugin_local.state import SlotState, load_state

_POLL_SECONDS = 0.2


def read(ctx: LogsContext) -> Iterator[LogLine]:
    """The last `lines` of each instance, then with `follow` what comes until cancelled; also of slots taken away."""
    place = place_of(ctx.home, ctx.target)
    logs = dict(_logs(ctx, place))
    tails = {}
    for path, about in logs.items():
        tails[path] = _Tail(path)
        for text in last_lines(path, ctx.lines):
            yield _line(about, text)
    while ctx.follow and not ctx.cancelled.is_set() and not ctx.deadline.passed:
        for path, about in _logs(ctx, place):
            logs.setdefault(path, about)
            tail = tails.setdefault(path, _Tail(path, from_start=True))
            for text in tail.new_lines():
                yield _line(about, text)
        ctx.cancelled.wait(_POLL_SECONDS)


class _Tail:
    """Reads what is added to a log; one that was started anew is read from its beginning."""

    def __init__(self, path: Path, from_start: bool = False) -> None:
        self._path, self._rest = path, b""
        self._offset = 0 if from_start or not path.exists() else path.stat().st_size

    def new_lines(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                added = self._added(file)
        except FileNotFoundError:
            return []
        *lines, self._rest = (self._rest + added).split(b"\n")
        return [line.decode("utf-8", "replace").rstrip("\r") for line in lines]

    def _added(self, file: IO[bytes]) -> bytes:
        if file.seek(0, 2) < self._offset:
            self._offset, self._rest = 0, b""
        file.seek(self._offset)
        added = file.read()
        self._offset += len(added)
        return added


def _logs(ctx: LogsContext, place: Place) -> list[tuple[Path, tuple[SlotState, str]]]:
    state = load_state(place)
    if state is None:
        return []
    return [
        (place.logs / f"{held.program(one)}.log", (held, one.id))
        for label in sorted({**state.past, **state.slots})
        for held in state.held_in(label) or [state.past[label]]
        for one in held.instances
        if ctx.slot in (None, label) and ctx.instance in (None, one.id)
    ]


def _line(about: tuple[SlotState, str], text: str) -> LogLine:
    held, instance = about
    return LogLine(text, slot=held.label, instance=instance, release=held.release)
