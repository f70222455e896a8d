"""`ospec plugins`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json


@click.group("plugins")
def command() -> None:
    """List the installed plugins."""


@command.command("list")
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="The document.")
@json_option
def list_command(file: Path | None, as_json: bool) -> None:
    """List the installed plugins and what each brings; one that is broken is said to be.

    Where there is a document whose plugins.enabled leaves one out, that one is named and not imported.
    """
    from ospec.errors import OspecError
    from ospec.host.discover import installed, load_plugins, normal
    from ospec.host.registry import collect

    enabled = _enabled(file)
    allowed = None if enabled is None else {normal(name) for name in enabled}
    rows: list[dict[str, Any]] = []
    for name, points in installed().items():
        distribution = points[0].dist
        row: dict[str, Any] = {
            "name": name,
            "distribution": distribution.name if distribution else "",
            "version": distribution.version if distribution else "",
            "enabled": allowed is None or name in allowed,
            "brings": [],
            "error": None,
        }
        rows.append(row)
        if row["enabled"]:
            try:
                row["brings"] = [f"{kind} {what}" for kind, what in collect(load_plugins([name], None, {})).sources]
            except OspecError as error:
                row["error"] = str(error)
    if as_json:
        print_json({"schema": "ospec.plugins/1", "plugins": rows})
        return
    for row in rows:
        found = row["error"] or ", ".join(row["brings"]) if row["enabled"] else "not in plugins.enabled: not imported"
        click.echo(f"{row['name']:14} {row['distribution']} {row['version']}: {found}")
    if not rows:
        click.echo("no plugin is installed: pip install ospec-plugin-local ospec-plugin-blue-green")


def _enabled(file: Path | None) -> Sequence[str] | None:
    """The allow-list of the document that is meant; None where it has none, or there is no document."""
    from ospec.errors import DocumentError
    from ospec.stages.load import find_document, load

    try:
        found = find_document(file, Path.cwd())
    except DocumentError:
        return None
    return load(found).document.plugins.enabled
