"""`ospec run monitor`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ospec.cli.options import choice, json_option, opened, project_options
from ospec.cli.output import print_json
from ospec.errors import OspecError

if TYPE_CHECKING:
    from ospec.project import Project
    from ospec.watching import Watched


class Duration(click.ParamType[float]):
    """Seconds, or text such as ``30s``, ``5m``, ``1h``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        from ospec.stages.shape import DURATION, DURATION_WORDS, UNITS

        text = str(value).strip()
        match = DURATION.fullmatch(text if text[-1:].isalpha() else f"{text}s")
        seconds = float(match[1]) * UNITS[match[2]] if match else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no time: expected {DURATION_WORDS}", param, ctx)
        return seconds


@click.command("monitor")
@project_options
@click.option("--for", "duration", type=Duration(), metavar="TIME", help="How long. [default: until Ctrl-C]")
@click.option(
    "--interval", type=Duration(), default="10s", show_default=True, metavar="TIME", help="From one look to the next."
)
@json_option
def command(
    file: Path | None,
    environment: str | None,
    variables: tuple[str, ...],
    duration: float | None,
    interval: float,
    as_json: bool,
) -> int:
    """Watch the release that serves, and tell people of alerts.

    It is held to monitoring.alerts and monitoring.metrics; each change is a line. Exits with 1 where an alert fired.
    """
    with opened(choice(file, environment, variables)) as project:
        from ospec.notices.channels import missing_notes

        for note in missing_notes(project.missing_channels()):
            click.echo(f"warning: {note}", err=True)
        watch = _Watch(project, interval, as_json)
        try:
            watch.until(None if duration is None else time.monotonic() + duration)
        except KeyboardInterrupt:  # that is how it ends where no time was given
            click.echo("", err=True)
        return watch.report()


class _Watch:
    """Looks, one after the other, and what is printed of them."""

    def __init__(self, project: Project, interval: float, as_json: bool) -> None:
        from ospec.watching import Memory, Watched, rules_of

        self._project, self._interval, self._as_json = project, interval, as_json
        self._memory = Memory(project)
        known = self._memory.firing()
        self._watched: list[Watched] = [Watched(rule, firing=rule.name in known) for rule in rules_of(project)]
        self._looks, self._began, self._release, self._trouble = 0, time.monotonic(), "", ""

    def until(self, end: float | None) -> None:
        """Look once an interval until then (monotonic seconds)."""
        from ospec.watching import serving

        serving(self._project.observe())  # where nothing serves there is nothing to wait for
        next_at = time.monotonic()
        while True:
            self._look()
            next_at = max(next_at + self._interval, time.monotonic())
            if end is not None and next_at > end:
                time.sleep(max(0.0, end - time.monotonic()))
                return
            time.sleep(max(0.0, next_at - time.monotonic()))

    def _look(self) -> None:
        from ospec.watching import WINDOW_SECONDS, measured, notice_of_change, serving

        try:
            live = self._project.observe()
            slot, release = serving(live)
            bins = measured(self._project, slot, max(WINDOW_SECONDS, self._interval))
        except OspecError as error:
            self._say(f"cannot look: {error.message}", error.message)
            return
        if release != self._release:
            self._say(f"{release} serves", "")
        self._release, self._trouble, self._looks = release, "", self._looks + 1
        for one in self._watched:
            for change in one.look(release, bins):
                click.echo(change.line(time.strftime("%H:%M:%S")), err=self._as_json)
                if change.what in ("alert", "resolved"):
                    notice = notice_of_change(self._project, change, release, live.address or "", time.time())
                    self._project.outbox().tell(lambda notice=notice: notice)  # type: ignore[misc]
        self._memory.keep(self._watched)

    def _say(self, line: str, trouble: str) -> None:
        if not trouble or trouble != self._trouble:
            click.echo(f"{time.strftime('%H:%M:%S')}  {line}", err=self._as_json)
        self._trouble = trouble

    def report(self) -> int:
        """Print the end of it; the exit code."""
        bad = [one for one in self._watched if one.fired]
        silent = [one for one in self._watched if one.state in (None, "not-enough-data")]
        if self._as_json:
            print_json(
                {
                    "schema": "ospec.monitor/1",
                    "service": self._project.target.service,
                    "environment": self._project.target.environment,
                    "release": self._release,
                    "seconds": round(time.monotonic() - self._began, 1),
                    "looks": self._looks,
                    "rules": [_rule(one) for one in self._watched],
                    "exit_code": 1 if bad else 0,
                }
            )
        else:
            told = f"{len(bad)} of {len(self._watched)} alerts fired" if bad else "no alert fired"
            unsaid = f"; not enough data for: {', '.join(one.rule.name for one in silent)}" if silent else ""
            click.echo(f"{self._looks} looks: {told}{unsaid}")
        return 1 if bad else 0


def _rule(one: Watched) -> dict[str, Any]:
    return {
        "name": one.rule.name,
        "condition": one.rule.condition.text,
        "severity": one.rule.severity,
        "state": one.state or "not-enough-data",
        "fired": one.fired,
        "firing": one.firing,
        "sentence": one.sentence,
    }
