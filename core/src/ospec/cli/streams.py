"""Standard streams that are closed, full or left: what was done does not change by that."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

_NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}


def open_closed() -> None:
    """Put something where a stream was closed, else the next file opened, a journal perhaps, takes its number.

    Standard output cannot be written then, as before, which the end of the command tells; nobody reads the others.
    """
    for name, number in _NUMBERS.items():
        try:
            os.fstat(number)
        except OSError:
            made = os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)  # the lowest free number: this
            os.set_inheritable(made, True)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def tell(line: str) -> None:
    """A line on standard error, where somebody reads it."""
    with suppress(OSError, ValueError):
        click.echo(line, err=True)


def is_of_output(error: BaseException) -> bool:
    """Whether an error is that something could not be printed: it came out of the function that prints."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not click.echo.__code__:
        trace = trace.tb_next
    return trace is not None and isinstance(error, OSError)


def let_go() -> None:
    """Let nothing that cannot be written spoil the exit code once Python itself closes the streams."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
