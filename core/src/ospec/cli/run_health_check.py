"""`ospec run health-check`."""

from __future__ import annotations

from pathlib import Path

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json, styled
from ospec.errors import FatalError


@click.command("health-check")
@project_options
@json_option
def command(file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> int:
    """Ask the release that serves whether it is healthy.

    Every check of every instance is asked, and scripts.health_check run.
    """
    from ospec.cli.run_script import run_in_folder
    from ospec.models.context import Deadline, HealthContext

    with opened(choice(file, environment, variables)) as project:
        live = project.observe()
        stable = live.stable
        script = project.target.scripts.get("health_check")
        if stable is None and not project.platform.capabilities.scripted:
            raise FatalError("nothing serves", code="nothing-serves", hints=("deploy: ospec run deploy",))
        results = []
        if stable and stable.release:
            ctx = HealthContext(
                target=project.target,
                home=project.home,
                secrets=project.secrets,
                deadline=Deadline.after(project.target.startup_seconds),
                release=project.release(stable.release.id, stable.release.name),
                files=project.files(stable.release.id),
                slot=stable.id,
            )
            answers = project.host.call("health_check", ctx, project.plugins)
            results = [result for _, answer in answers for result in answer]
        code = run_in_folder(project, script) if script else 0
        healthy = code == 0 and all(one.healthy for one in results) and bool(results or script)
        if as_json:
            checks = [
                {"check": one.name, "instance": one.instance, "healthy": one.healthy, "detail": one.detail}
                for one in results
            ]
            print_json({"schema": "ospec.health/1", "healthy": healthy, "checks": checks, "script_exit_code": code})
        else:
            for one in results:
                mark = styled("✓", fg="green") if one.healthy else styled("✗", fg="red")
                click.echo(f"{mark} {one.instance or (stable and stable.label)}: {one.name} {one.detail}".rstrip())
            click.echo("healthy" if healthy else "not healthy: see ospec logs")
    return 0 if healthy else 1
