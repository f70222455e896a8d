"""Runs `ospec` and kills it with SIGKILL just before or after a journal record: ``--after 12 -- run deploy …``.

A journal record is durable or it is not, so these are all the moments that a crash can be told apart by.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ospec.cli.main import main as ospec
from ospec.stores.sqlite import SqliteStore

_WRITES = ("open_run", "append", "close_run")


def kill_at(number: int, before: bool) -> None:
    """From now on, end this process with SIGKILL before or after the `number`-th record (from 1) is written."""
    count = 0

    def deadly(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == number and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*arguments, **named)
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapper

    for name in _WRITES:
        setattr(SqliteStore, name, deadly(getattr(SqliteStore, name)))


def main(arguments: list[str] | None = None) -> None:
    """The command: ends as `ospec` does, or by SIGKILL."""
    parser = argparse.ArgumentParser(prog="python -m ospec.testing.crash", description=__doc__.split("\n")[0])
    moment = parser.add_mutually_exclusive_group(required=True)
    moment.add_argument("--before", type=int, metavar="N")
    moment.add_argument("--after", type=int, metavar="N")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and what ospec is given")
    options = parser.parse_args(arguments)
    kill_at(options.before or options.after, before=options.before is not None)
    ospec([word for number, word in enumerate(options.command) if number or word != "--"])


if __name__ == "__main__":
    main(sys.argv[1:])
