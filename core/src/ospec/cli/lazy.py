"""A group whose commands are imported when they are called, so that help and start-up stay fast."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A click group over modules, each with a click command named `command`.

    Args:
        package: where the modules are; ``prefix`` and the command's name (``-`` as ``_``) make a module's name.
        commands: the commands with their one line of help, in the order of the help page.
    """

    def __init__(
        self, *arguments: Any, package: str, commands: Mapping[str, str], prefix: str = "", **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._package, self._lines, self._prefix = package, commands, prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order given."""
        return list(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None where there is no such command."""
        if cmd_name not in self._lines:
            return None
        found: click.Command = import_module(f"{self._package}.{self._prefix}{cmd_name.replace('-', '_')}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from their one line each; nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with "did you mean" for a misspelt command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            import difflib

            close = difflib.get_close_matches(args[0], list(self._lines), n=1)
            if not close:
                raise
        raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx)
