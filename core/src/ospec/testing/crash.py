"""An ospec command that kills itself at one journal record: ``python -m ospec.testing.crash --after 7 -- run deploy``.

SIGKILL leaves no chance to tidy up, as a power cut or the kernel's memory killer would. With both sides of every
record tried, and `ospec resume` after each, no moment of a run is left out between two durable states.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ospec.cli.main import main as ospec

WRITES = ("open_run", "append", "close_run")
"""The store's methods that make one durable record each."""


def kill_at(store: type, record: int, *, after: bool) -> None:
    """Have `store` (a class with the methods of `Store`) kill this process at the record that it writes.

    Args:
        record: counted from 1, over all writes of this process.
        after: kill once the record is durable; otherwise before anything of it is written.
    """
    written = 0

    def killing(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal written
            written += 1
            this_one = written == record
            if this_one and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            made = write(*args, **kwargs)
            if this_one:
                os.kill(os.getpid(), signal.SIGKILL)
            return made

        return wrapped

    for name in WRITES:
        setattr(store, name, killing(getattr(store, name)))


def main(arguments: list[str] | None = None) -> None:
    """The command; it exits as ospec does where the run has fewer records."""
    parser = argparse.ArgumentParser(prog="python -m ospec.testing.crash", description=(__doc__ or "").split("\n")[0])
    side = parser.add_mutually_exclusive_group(required=True)
    side.add_argument("--before", type=_record, metavar="N", help="die before the Nth record is written")
    side.add_argument("--after", type=_record, metavar="N", help="die once the Nth record is durable")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what ospec is to do, after --")
    options = parser.parse_args(arguments)

    from ospec.stores.sqlite import SqliteStore

    kill_at(SqliteStore, options.after or options.before, after=bool(options.after))
    ospec(options.command)


def _record(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("records are counted from 1")
    return number


if __name__ == "__main__":
    main(sys.argv[1:])
