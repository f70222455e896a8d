"""`ospec validate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json, styled
from ospec.errors import DocumentError


@click.command("validate")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The document.")
@json_option
def command(files: tuple[Path, ...], file: Path | None, as_json: bool) -> int:
    """Check a document; all faults at once.

    Several may be named; each may be a part of a whole one. Exits with 2 for a fault.
    """
    from ospec.stages.load import find_document

    wanted = [*files, *([file] if file else [])] or [find_document(None, Path.cwd())]
    reports = [_check(one) for one in wanted]
    if as_json:
        print_json({"schema": "ospec.validate/1", "files": reports})
    else:
        for one in reports:
            for warning in one["warnings"]:
                click.echo(styled("warning: ", fg="yellow") + warning, err=True)
            for fault in one["faults"]:
                click.echo(styled("error: ", fg="red") + fault["text"], err=True)
            click.echo(f"{one['file']}: {'valid' if one['valid'] else str(len(one['faults'])) + ' faults'}")
    return 0 if all(one["valid"] for one in reports) else 2


def _check(file: Path) -> dict[str, Any]:
    from ospec.stages.load import DocumentFaults, load

    name = os.path.relpath(file)
    try:
        loaded = load(file)
    except DocumentFaults as faults:
        return {"file": name, "valid": False, "warnings": [], "faults": [_fault(one) for one in faults.faults]}
    except DocumentError as error:
        return {
            "file": name,
            "valid": False,
            "warnings": [],
            "faults": [{"text": str(error), "hint": "; ".join(error.hints)}],
        }
    return {"file": name, "valid": True, "warnings": list(loaded.warnings), "faults": []}


def _fault(one: Any) -> dict[str, Any]:
    import attrs

    return {**attrs.asdict(one), "text": str(one)}
