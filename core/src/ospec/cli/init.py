"""`ospec init`."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json, styled
from ospec.errors import OspecError


@click.command("init")
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), default=Path("ospec.toml"))
@click.option("--start", help="The command that starts the application and goes on running.")
@click.option("--health", help="A path that answers with 2xx when it is ready to serve, such as /health.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Where users ask.")
@click.option("--instances", type=click.IntRange(1, 100), default=2, show_default=True, help="How many run at a time.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask; what was not given is guessed from the folder.")
@json_option
def command(
    file: Path, start: str | None, health: str | None, port: int, instances: int, yes: bool, as_json: bool
) -> None:
    """Write a document that works.

    It asks for the start command and a health path, no more.
    """
    from ospec.cli.init_documents import document
    from ospec.naming import SERVICE_NAME, slug
    from ospec.stages.load import load_text

    if file.exists():
        raise OspecError(
            f"{file} exists already",
            code="document-exists",
            hints=("check it: ospec validate", f"or write another one: ospec init -f other-{file.name}"),
        )
    folder = file.absolute().parent
    asks = not (yes or as_json) and sys.stdin.isatty()
    guess, test = _guess(folder)
    if start is None:
        start = click.prompt("Start command", default=guess or None) if asks else guess
    if not start:
        raise click.UsageError("say how the application starts: --start 'COMMAND'")
    if health is None:
        health = click.prompt("Health path", default="/") if asks else "/"
    health = health if health.startswith("/") else f"/{health}"
    if not re.fullmatch(r"/[^\s\"]*", health):
        raise click.UsageError(f"--health {health}: expected a path without blanks and quotes, such as /health")
    service = slug(folder.name).replace(".", "-").replace("_", "-").strip("-")
    service = service if SERVICE_NAME.fullmatch(service) else "my-service"
    text = document(
        file,
        service=service,
        name=folder.name,
        start=start,
        test=test,
        health=health,
        instances=instances,
        port=port,
    )
    load_text(text, file)  # whatever was given: what is written works, or is told to be wrong
    try:
        with file.open("x", encoding="utf-8") as output:
            output.write(text)
    except OSError as error:
        raise OspecError(f"cannot write {file}: {error.strerror}", code="cannot-write") from error
    if as_json:
        wrote = {"file": str(file), "service": service, "start": start, "address": f"http://127.0.0.1:{port}"}
        print_json({"schema": "ospec.init/1", **wrote})
        return
    click.echo(f"{styled('wrote', fg='green')} {file}: {shlex.quote(start)} behind http://127.0.0.1:{port}")
    click.echo("next: ospec plan, then ospec run deploy")


def _guess(folder: Path) -> tuple[str, str]:
    """(start, test) as the files of the folder suggest; empty where they do not."""
    scripts = _npm_scripts(folder / "package.json")
    if "start" in scripts:
        test = scripts.get("test", "")
        return "npm start", "npm test" if test and "no test specified" not in test else ""  # npm's own, which fails
    if (folder / "manage.py").is_file():
        return 'python3 manage.py runserver --noreload "127.0.0.1:$PORT"', "python3 manage.py test"
    for name in ("server.py", "app.py", "main.py"):
        if (folder / name).is_file():
            return f"python3 {name}", ""
    return "", ""


def _npm_scripts(package: Path) -> dict[str, str]:
    """The scripts of a package.json; none where it is not there, or not as it should be."""
    try:
        scripts = json.loads(package.read_text(encoding="utf-8"))["scripts"]
        return {name: one for name, one in scripts.items() if isinstance(one, str)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
