"""`ospec report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json
from ospec.cli.runs_by_id import all_option, records_of
from ospec.errors import OspecError


@click.command("report")
@click.argument("run", required=False)
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="The document.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The file; - is standard output. [default: ospec-RUN.html in this folder]",
)
@all_option
@json_option
def command(run: str | None, file: Path | None, output: Path | None, every: bool, as_json: bool) -> None:
    """Write one run as a page of HTML.

    RUN is the beginning of its id; without it the newest of the document's service is written. The page shows the
    timeline, errors and latency, verdicts and evidence; it needs no network and no script, and everything on it is from
    the journal.
    """
    from ospec.engine.journal import fold
    from ospec.project import Choice
    from ospec.reporting.page import page

    to_stdout = str(output) == "-"
    if to_stdout and as_json:
        raise click.UsageError("-o - and --json both write to standard output: choose one")
    header, records = records_of(Choice(file=file), run, every)
    text = page(records).encode()
    if to_stdout:
        sys.stdout.buffer.write(text)
        return
    path = output or Path(f"ospec-{header.run}.html")
    _write(path, text)
    if as_json:
        outcome = fold(records).finished
        told = {"run": header.run, "outcome": outcome["outcome"] if outcome else None}
        print_json({"schema": "ospec.page/1", **told, "file": str(path), "bytes": len(text)})
    else:
        click.echo(str(path))


def _write(path: Path, text: bytes) -> None:
    """Write the page whole, or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OspecError(
            f"cannot write {path}: {error.strerror or error}",
            code="cannot-write",
            where="--output",
            hints=("name another file: -o FILE",),
        ) from error
