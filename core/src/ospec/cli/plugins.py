"""`ospec plugins`."""

from __future__ import annotations

from typing import Any

import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json


@click.group("plugins")
def command() -> None:
    """List the installed plugins."""


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the installed plugins and what each brings; one that is broken is said to be."""
    from ospec.errors import OspecError
    from ospec.host.discover import installed, load_plugins
    from ospec.host.registry import collect

    rows: list[dict[str, Any]] = []
    for name, points in installed().items():
        distribution = points[0].dist
        row = {
            "name": name,
            "distribution": distribution.name if distribution else "",
            "version": distribution.version if distribution else "",
        }
        try:
            loaded = load_plugins([name], None, {})
            rows.append({**row, "brings": [f"{kind} {what}" for kind, what in collect(loaded).sources], "error": None})
        except OspecError as error:
            rows.append({**row, "brings": [], "error": str(error)})
    if as_json:
        print_json({"schema": "ospec.plugins/1", "plugins": rows})
        return
    for row in rows:
        click.echo(
            f"{row['name']:14} {row['distribution']} {row['version']}: {row['error'] or ', '.join(row['brings'])}"
        )
    if not rows:
        click.echo("no plugin is installed: pip install ospec-plugin-local ospec-plugin-blue-green")
