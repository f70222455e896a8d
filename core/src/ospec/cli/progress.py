"""Who follows a run on standard error: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import Any

import click

from ospec.cli.output import styled
from ospec.models.run import Record

_MARKS = {"ok": ("✓", "green"), "warned": ("!", "yellow"), "skipped": ("-", None)}


class PlainWatcher:
    """One line for each step that ended, and each line that a script printed."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()

    def record(self, record: Record) -> None:
        """Print what a journal record tells a person."""
        body = record.body
        if record.kind == "run-started":
            plan = body["plan"]
            target, release = plan["target"], plan["release"]
            self._line(f"run: {plan['action']} {target['service']} {release['name']} in {target['environment']}")
        elif record.kind == "step-started":
            self._began[body["step"]] = record.at
            self._started(body)
        elif record.kind == "step-note" and "line" in body["note"]:
            self._line(f"    {body['note']['line']}")
        elif record.kind == "step-finished":
            self._finished(body, record.at - self._began.get(body["step"], record.at))
        elif record.kind == "path-changed":
            self._line(styled(f"returning: {body['error']['message']}", fg="yellow"))

    def output(self, step: str, line: str) -> None:
        """Print a line of the user's program."""
        self._line(f"    | {line}")

    def close(self) -> None:
        """Nothing to take away."""

    def _started(self, body: Any) -> None:
        pass

    def _finished(self, body: Any, seconds: float) -> None:
        if body["status"] == "skipped":
            return
        mark, colour = _MARKS.get(body["status"], ("✗", "red"))
        line = f"{styled(mark, fg=colour)} {body['title']}  {styled(f'{seconds:.2f} s', dim=True)}"
        self._line(line if not body["error"] else f"{line}\n    {body['error']['message']}")

    def _line(self, line: str) -> None:
        with self._lock:
            click.echo(line, err=True)


class LiveWatcher(PlainWatcher):
    """The same lines, with the step that runs shown below them and its seconds counting."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._status = self._console.status("", spinner="dots")

    def close(self) -> None:
        """Take the live line away."""
        self._status.stop()

    def _started(self, body: Any) -> None:
        self._status.update(body["title"])
        self._status.start()

    def _finished(self, body: Any, seconds: float) -> None:
        self._status.stop()
        super()._finished(body, seconds)

    def _line(self, line: str) -> None:
        from rich.text import Text

        with self._lock:
            self._console.print(Text.from_ansi(line), soft_wrap=True)


def watcher() -> PlainWatcher:
    """The watcher that fits standard error."""
    return LiveWatcher() if sys.stderr.isatty() else PlainWatcher()
