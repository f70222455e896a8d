"""SIGTERM and a terminal that goes away do what Ctrl-C does, in every command and from its start."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """Turn the signals that end a program into `KeyboardInterrupt`; one that was ignored stays ignored (nohup)."""
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _interrupt)


def listen_no_more() -> None:
    """Give the signals back."""
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
