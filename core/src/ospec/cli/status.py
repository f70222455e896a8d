"""`ospec status`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json, styled

if TYPE_CHECKING:
    from ospec.models.live import LiveState, Slot


@click.command("status")
@project_options
@json_option
def command(file: Path | None, environment: str | None, variables: tuple[str, ...], as_json: bool) -> int:
    """Show slots, releases, weights, health, processes and ports.

    Exits with 1 where something is wrong.
    """
    from ospec.converter import to_json

    with opened(choice(file, environment, variables, starts_nothing=True)) as project:
        live = project.observe()
        target = project.target
        there = project.home.is_dir()
        header = project.store().open_header(target.service, target.environment) if there else None
        timers = project.store().timers(target.service, target.environment) if there else {}
        if as_json:
            print_json(
                {
                    "schema": "ospec.status/1",
                    "service": target.service,
                    "environment": target.environment,
                    "platform": target.platform,
                    **to_json(live),
                    "open_run": header.run if header else None,
                    "retire_at": dict(timers),
                }
            )
        else:
            click.echo(
                f"{target.service} in {target.environment} on {target.platform}: {live.address or 'no address yet'}"
            )
            for line in status_lines(live, timers):
                click.echo(line)
            if header:
                click.echo(f"open run {header.run}: ospec show {header.run}, ospec resume, ospec abort")
    return 1 if live.problems else 0


def status_lines(live: LiveState, timers: Mapping[str, float]) -> Iterator[str]:
    """What there is, for people."""
    if not live.slots:
        yield "  nothing is deployed: ospec run deploy"
    for slot in live.slots:
        yield from _slot_lines(slot, timers.get(slot.id))
    for problem in live.problems:
        yield styled(f"  problem: {problem}", fg="red") + "  (ospec up)"
    for obstacle in live.obstacles:
        yield styled(f"  in the way of a deploy: {obstacle.message}", fg="yellow")


def _slot_lines(slot: Slot, retire_at: float | None) -> Iterator[str]:
    releases = ", ".join(release.name for release in slot.releases) or "empty"
    colour = "green" if slot.ready >= slot.wanted else "red"
    warm = f", warm for {max(0, retire_at - time.time()):.0f} s more" if retire_at else ""
    yield (
        f"  {slot.label:6} {releases:24} {slot.weight_percent:g} %  {slot.role}"
        f"  {styled(f'{slot.ready}/{slot.wanted} ready', fg=colour)}{warm}  {slot.address or ''}".rstrip()
    )
    rows: list[tuple[Any, ...]] = [(i.id, i.state, i.pid, i.port, i.detail) for i in slot.instances]
    for name, state, pid, port, detail in rows:
        where = "  ".join(
            [*([f"pid {pid}"] if pid else []), *([f"port {port}"] if port else []), *([detail] if detail else [])]
        )
        yield f"         {name:22} {state:10} {where}".rstrip()
