"""Errors that say what to do next, and the exit codes of every command.

Raise `OspecError` (or a subclass) for anything a person can act on; everything else is a bug of the code that raised it
and is reported with that code's name.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable


class ExitCode(enum.IntEnum):
    """What the process answers to the shell. Documented in docs/reference/exit-codes.md."""

    OK = 0
    """Promoted, or nothing had to change."""
    FAILED = 1
    """Failed, and nothing is worse than before: the previous release is verified serving."""
    INVALID = 2
    """Bad document, settings or usage; nothing was touched."""
    NOT_RESTORED = 3
    """Failed and not restored: a person is needed."""
    WAITING = 4
    """Waiting for an approval, or held."""
    REFUSED = 5
    """Refused before anything was touched: open run, stale plan, missing protection."""
    ABORTED = 130
    """Aborted and restored (SIGINT and SIGTERM alike)."""


class OspecError(Exception):
    """An error with a stable code, the place, and hints.

    Args:
        message: one sentence: what went wrong and what was expected.
        code: stable kebab-case name, documented in docs/reference/errors.md.
        where: the place, such as ``ospec.toml:3:1 stack.deploy`` or a plugin's name; empty where there is none.
        hints: what to do next, each a sentence or a command to type.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, code: str, where: str = "", hints: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = where
        self.hints = tuple(hints)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class DocumentError(OspecError):
    """The document, a setting or the usage is wrong; nothing was touched (exit code 2)."""

    exit_code = ExitCode.INVALID

    def __init__(
        self, message: str, *, code: str = "invalid-document", where: str = "", hints: Iterable[str] = ()
    ) -> None:
        super().__init__(message, code=code, where=where, hints=hints)


class RefusedError(OspecError):
    """The run may not start or go on; nothing was touched (exit code 5)."""

    exit_code = ExitCode.REFUSED


class RetryableError(OspecError):
    """A hook's or step's passing fault: the engine tries again until the step's time limit.

    Args:
        retry_after: seconds to wait before the next try.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "try-again",
        where: str = "",
        hints: Iterable[str] = (),
        retry_after: float = 1.0,
    ) -> None:
        super().__init__(message, code=code, where=where, hints=hints)
        self.retry_after = retry_after


class FatalError(OspecError):
    """A hook's or step's final fault: the engine takes the plan's failure path."""

    def __init__(self, message: str, *, code: str = "failed", where: str = "", hints: Iterable[str] = ()) -> None:
        super().__init__(message, code=code, where=where, hints=hints)


class CancelledError(OspecError):
    """The work was asked to stop (abort, signal or time limit) and did."""

    exit_code = ExitCode.ABORTED

    def __init__(self, message: str = "stopped on request", *, code: str = "cancelled") -> None:
        super().__init__(message, code=code)


class PluginBugError(OspecError):
    """A plugin raised something that is no `OspecError`: a fault of that plugin, named with plugin and hook."""

    def __init__(self, plugin: str, hook: str, cause: BaseException) -> None:
        super().__init__(
            f"plugin {plugin!r} failed in hook {hook!r} with {type(cause).__name__}: {cause}",
            code="plugin-bug",
            where=plugin,
            hints=(f"report it to the authors of {plugin!r}; the traceback is in the run's journal",),
        )
        self.plugin = plugin
        self.hook = hook
