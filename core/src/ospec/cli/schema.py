"""`ospec schema`."""

from __future__ import annotations

import json

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of documents.

    A first line `#:schema FILE` in a document makes editors complete by it.
    """
    from ospec.stages.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
