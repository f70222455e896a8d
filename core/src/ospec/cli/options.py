"""Options that commands share, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ospec.cli.streams import tell

if TYPE_CHECKING:
    from ospec.project import Choice, Project
    from ospec.telemetry.session import Telemetry

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
supersede_option = click.option(
    "--supersede", is_flag=True, help="End an open run first, returning to the release before it."
)
probe_option = click.option(
    "--probe",
    "probe_rate",
    type=click.FloatRange(0, 1000),
    default=50.0,
    show_default=True,
    metavar="RPS",
    help="Requests a second that ask the front door while traffic moves; 0 for none.",
)


def project_options(command: Command) -> Command:
    """``-f``, ``-e`` and ``--var``: which document, environment and variables."""
    for option in (
        click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set a ${NAME} of the document."),
        click.option("-e", "--env", "environment", metavar="ENV", help="One of the document's environments."),
        click.option(
            "-f",
            "--file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The document. [default: ospec.toml, ospec.yaml or ospec.yml in this folder]",
        ),
    ):
        command = option(command)
    return command


def telemetry_options(command: Command) -> Command:
    """``--metrics-file`` and ``--pushgateway``: where the run's numbers go."""
    for option in (
        click.option("--pushgateway", metavar="URL", help="Push metrics to this Prometheus Pushgateway at the end."),
        click.option(
            "--metrics-file", type=click.Path(path_type=Path, dir_okay=False), help="Write metrics as Prometheus text."
        ),
    ):
        command = option(command)
    return command


def choice(
    file: Path | None, environment: str | None, variables: tuple[str, ...], *, starts_nothing: bool = False
) -> Choice:
    """The options of `project_options` as one value; raises `click.UsageError` for a variable without ``=``.

    Args:
        starts_nothing: the command only looks, or takes away, so that an unset reference is none of its business.
    """
    from ospec.project import Choice

    pairs = {}
    for one in variables:
        name, equals, value = one.partition("=")
        if not (equals and name):
            raise click.UsageError(f"--var {one}: expected NAME=VALUE")
        pairs[name] = value
    return Choice(file=file, environment=environment, variables=pairs, starts_nothing=starts_nothing)


@contextmanager
def opened(given: Choice, telemetry: Telemetry | None = None) -> Iterator[Project]:
    """A project, closed afterwards; warnings go to standard error."""
    from ospec.project import open_project
    from ospec.telemetry.session import off

    used = telemetry or off()
    try:
        project = open_project(given, used)
        for warning in project.warnings:
            tell(f"warning: {warning}")
        try:
            yield project
        finally:
            project.close()
    finally:
        for warning in used.close():
            tell(f"warning: {warning}")


def measuring(metrics_file: Path | None, pushgateway: str | None) -> Telemetry:
    """The telemetry of a command that runs something: spans are kept for the journal."""
    from ospec.telemetry.session import start

    return start(True, os.environ, metrics_file, pushgateway)
