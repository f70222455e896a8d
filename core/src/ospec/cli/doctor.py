"""`ospec doctor`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ospec.cli.options import choice, json_option, project_options
from ospec.cli.output import print_json, styled
from ospec.errors import OspecError

if TYPE_CHECKING:
    from ospec.project import Choice, Project

_LEAST_FREE_BYTES = 500 * 1024 * 1024


@click.command("doctor")
@project_options
@json_option
def command(file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> int:
    """Check this machine, the state folder and what runs.

    The document and its plugins, too. Exits with 1 for a finding.
    """
    findings = check(choice(file, environment, variables))
    if as_json:
        print_json({"schema": "ospec.doctor/1", "checks": findings})
    else:
        for one in findings:
            mark = styled("✓", fg="green") if one["ok"] else styled("✗", fg="red")
            click.echo(f"{mark} {one['check']}: {one['found']}")
            for hint in one["hints"]:
                click.echo(f"  → {hint}")
    return 0 if all(one["ok"] for one in findings) else 1


def check(given: Choice) -> list[dict[str, Any]]:
    """Every check with what was found; a check that others rest on ends the list where it fails."""
    from ospec.project import open_project
    from ospec.state_folder import home_of
    from ospec.telemetry.session import off

    findings: list[dict[str, Any]] = []

    def note(what: str, ask: Callable[[], tuple[bool, str]], *hints: str) -> bool:
        try:
            ok, found = ask()
            findings.append({"check": what, "ok": ok, "found": found, "hints": [] if ok else list(hints)})
        except OspecError as error:
            ok = False
            findings.append({"check": what, "ok": False, "found": str(error), "hints": list(error.hints)})
        return ok

    note("python", lambda: (sys.version_info >= (3, 10), platform.python_version()), "use Python 3.10 or newer")
    opened: list[Any] = []

    def open_it() -> tuple[bool, str]:
        project = open_project(given, off())
        opened.append(project)
        target = project.target
        return (
            True,
            f"{project.loaded.path}: {target.service} in {target.environment}, plugins {', '.join(project.plugins)}",
        )

    if not note("document and plugins", open_it):
        return findings
    project = opened[0]
    home = home_of(project.root)
    note("state folder", lambda: _folder(home), "make it writable for you, or set OSPEC_HOME to a folder that is")

    def live() -> tuple[bool, str]:
        found = project.observe()
        wrong = [*found.problems, *(obstacle.message for obstacle in found.obstacles)]
        return not wrong, "; ".join(wrong) or (found.address or "nothing is deployed")

    note("what runs", live, "ospec up", "ospec logs")
    note("notices", lambda: _notices(project), *(hint for _, hint in project.missing_channels()))
    if project.registry.metric_sources:
        note("sources of metrics", lambda: _sources(project))
    if home.is_dir():

        def open_run() -> tuple[bool, str]:
            header = project.store().open_header(project.target.service, project.target.environment)
            owner = project.store().owner(project.target.service, project.target.environment)
            if header is None:
                return True, "no open run"
            return owner is not None, f"run {header.run} is open, " + (
                "and goes on" if owner else "and nobody executes it"
            )

        note("journal", open_run, "ospec resume", "ospec abort")
    project.close()
    return findings


def _notices(project: Project) -> tuple[bool, str]:
    from ospec.notices.channels import unset

    registry, secrets = project.registry, project.target.secrets
    told = [(registry.source("notifier", name), one) for name, one in registry.notifiers.items()]
    known = {*os.environ, *secrets.required, *secrets.optional}
    wrong = [f'no plugin brings the channel "{name}"' for name, _ in project.missing_channels()]
    wrong += unset(project.target.plugins, told, known)
    return not wrong, "; ".join(wrong) or ", ".join(registry.notifiers) or "no notifier is loaded: nobody is told"


def _sources(project: Project) -> tuple[bool, str]:
    problems, obstacles = project.sources_of_metrics()
    wrong = [*problems, *(f"{one.where}: {one.message}" for one in obstacles)]
    return not wrong, "; ".join(wrong) or f"{', '.join(sorted(project.registry.metric_sources))} answers"


def _folder(home: Path) -> tuple[bool, str]:
    there = home
    while not there.exists():
        there = there.parent
    usage = os.statvfs(there)
    free = usage.f_bavail * usage.f_frsize
    if not os.access(there, os.W_OK):
        return False, f"{home} cannot be written"
    return free > _LEAST_FREE_BYTES, f"{home}, {free // (1024 * 1024)} MB free"
