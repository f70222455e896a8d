"""`ospec plan`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json, styled
from ospec.errors import DocumentError

if TYPE_CHECKING:
    from ospec.models.live import RenderedFile
    from ospec.models.plan import Plan, Step
    from ospec.project import Project


@click.command("plan")
@project_options
@click.option("--release", metavar="NAME", help="What to call the release. [default: from git, or the source digest]")
@click.option("--redeploy", is_flag=True, help="Plan the same content again, as a new release NAME-r2.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan for run deploy --plan.")
@json_option
def command(
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    release: str | None,
    redeploy: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show what a deploy would do, and touch nothing."""
    from ospec.planning import Wish, plan_deploy

    with opened(choice(file, environment, variables)) as project:
        plan = plan_deploy(project, Wish(release=release, redeploy=redeploy))
        show(project, plan, as_json, out)


def show(project: Project, plan: Plan, as_json: bool, out: Path | None = None) -> None:
    """Print a plan, with the difference that rendered files make to the document's folder."""
    from ospec.cli.render import differences
    from ospec.converter import to_json
    from ospec.models.plan import plan_hash
    from ospec.rendering import rendered

    files = rendered(project, plan)
    kept = _of_the_source(project, plan, files)
    changes = differences([one for one in files if one.path not in kept], project.root)
    if out or as_json:
        made = to_json(plan)
        written = {"schema": "ospec.plan/1", "hash": plan_hash(made), "plan": made}
        if out:
            _write(out, json.dumps(written, indent=2, ensure_ascii=False) + "\n")
        if as_json:
            print_json({**written, "rendered": {path: "".join(lines) for path, lines in changes.items()}})
            return
    for line in plan_lines(plan):
        click.echo(line)
    for path, lines in changes.items():
        click.echo(f"\nrendered {path}" + ("" if lines else ": as it is there"))
        click.echo("".join(lines), nl=False)
    for path in kept:
        click.echo(f"\nrendered {path}: not used, since the source has this file")
    if out:
        click.echo(f"\nwritten to {out}: ospec run deploy --plan {out}")


def _of_the_source(project: Project, plan: Plan, files: Iterable[RenderedFile]) -> list[str]:
    """Rendered paths that a deploy leaves as the source has them."""
    from ospec.steps.source import source_paths

    paths = {one.path for one in files}
    return sorted(paths & source_paths(project.root, plan.target.include, [project.home])) if paths else []


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"cannot write {file}: {error.strerror}", code="cannot-write", where="--out") from error


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan for people: steps, the way back, bounds, notes."""
    before = f" (before: {plan.previous.name})" if plan.previous else ""
    what = f"{plan.action} {plan.target.service} {plan.release.name}{before} in {plan.target.environment}"
    yield f"{what}, {plan.target.strategy} on {plan.target.platform}"
    if not plan.steps:
        yield "  nothing to do: this release serves already (--redeploy would deploy it again)"
        return
    yield from (_step_line(step) for step in plan.steps)
    yield "if it fails:" if plan.failure_steps else "if it fails: nothing returns by itself"
    yield from (_step_line(step) for step in plan.failure_steps)
    longest, back = _duration(plan.bounds.longest_seconds), _duration(plan.target.rollback_timeout_seconds)
    yield (
        f"bounds: at most {longest}, then {back} to return; {plan.bounds.extra_instances} more instances; "
        f"{plan.bounds.worst_exposure_percent_seconds:g} % × s on a release not yet judged good"
    )
    if plan.irreversible:
        yield styled("cannot be undone: " + ", ".join(step.id for step in plan.irreversible), fg="red")
    yield from (f"note: {note}" for note in plan.notes)


def _step_line(step: Step) -> str:
    marks = [
        *(["users"] if step.exposes_users else []),
        *(["cannot be undone"] if not step.reversible else []),
        *([f"only when {step.when}"] if step.when != "always" else []),
    ]
    return f"  {step.id:14} {step.title}" + (f"  [{', '.join(marks)}]" if marks else "")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
