"""`ospec render`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ospec import touched
from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json
from ospec.errors import OspecError

if TYPE_CHECKING:
    from ospec.models.live import RenderedFile


@click.command("render")
@project_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="The folder. [default: the document's folder]"
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a file would change.")
@json_option
def command(
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    out: Path | None,
    check: bool,
    as_json: bool,
) -> int:
    """Write or compare the files that plugins render."""
    from ospec.planning import Wish, plan_deploy
    from ospec.rendering import rendered

    with opened(choice(file, environment, variables)) as project:
        files = rendered(project, plan_deploy(project, Wish(for_here=False)))
        folder = out or project.root
        changed = {path: lines for path, lines in differences(files, folder).items() if lines}
        if not check:
            write(files, folder)
        if as_json:
            print_json({"schema": "ospec.render/1", "folder": str(folder), "changed": sorted(changed)})
        else:
            for path in sorted(one.path for one in files):
                click.echo(f"{'changed' if path in changed else 'as it was'}  {path}")
            if not files:
                click.echo("no plugin of this document renders files")
    return 1 if check and changed else 0


def differences(files: Iterable[RenderedFile], folder: Path) -> Mapping[str, list[str]]:
    """By path, the unified difference between what is in `folder` and what was rendered; empty where they are equal."""
    import difflib

    found = {}
    for file in files:
        there = folder / file.path
        try:
            old = there.read_text(encoding="utf-8") if there.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise OspecError(f"cannot compare {there}: {error}", code="cannot-read", where=file.path) from error
        lines = difflib.unified_diff(
            old.splitlines(keepends=True), file.content.splitlines(keepends=True), f"a/{file.path}", f"b/{file.path}"
        )
        found[file.path] = list(lines)
    return found


def write(files: Iterable[RenderedFile], folder: Path) -> None:
    """Write rendered files below `folder`; a link on the way that leaves it is refused."""
    from ospec.steps.snapshot import cannot_write

    root = folder.resolve()
    touched.touch("some files are written: ospec render --check")
    for file in files:
        path = folder / file.path
        if not path.resolve().is_relative_to(root):
            raise OspecError(f"{path} leads out of {folder}", code="path-outside", where=file.plugin)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content, encoding="utf-8")
            if file.executable:
                path.chmod(0o755)
        except OSError as error:
            raise cannot_write(path, error) from error
