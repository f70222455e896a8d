"""What commands print: errors, plans, summaries. Colour only on a terminal, and never with NO_COLOR."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from ospec.cli.streams import tell
from ospec.errors import OspecError

_OUTCOME_COLOURS = {"promoted": "green", "unchanged": "green", "restored": "yellow", "aborted": "yellow"}


def styled(text: str, **style: Any) -> str:
    """`text` in colour where NO_COLOR does not forbid it (click drops colours outside of terminals)."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=None if not sys.stdout.isatty() else 2))


def show_error(error: OspecError, *, as_json: bool = False) -> None:
    """An error with its place and what to do next; as a report on standard output, too, where JSON is asked for."""
    if as_json:
        show_refusal(error)
    tell(styled("error: ", fg="red", bold=True) + str(error))
    for hint in error.hints:
        tell(f"  → {hint}")


def show_refusal(error: OspecError) -> None:
    """The report of a run that never began, where standard output takes it; the error's exit code stays in any case."""
    from ospec.engine.report import refusal

    with suppress(OSError):
        print_json(refusal(error))


def show_failure(error: Mapping[str, Any]) -> None:
    """The error of a run, as its journal has it."""
    where = f"{error['where']}: " if error.get("where") else ""
    tell(styled("error: ", fg="red", bold=True) + where + error["message"])
    for hint in error.get("hints", ()):
        tell(f"  → {hint}")


def show_summary(report: Mapping[str, Any]) -> None:
    """A run's end in a few lines: outcome, address, evidence, and where to look next."""
    outcome = report["outcome"] or "open"
    head = styled(outcome, fg=_OUTCOME_COLOURS.get(outcome, "red"), bold=True)
    before = report["previous_release"]
    was = f" (before: {before})" if before and before != report["release"] else ""
    where = f"{report['service']} in {report['environment']}"
    click.echo(f"{head}  {where}: {report['release']}{was}, {report['seconds']:.1f} s")
    if report["address"]:
        click.echo(f"  serves      {report['address']}")
    for line in _evidence_lines(report["evidence"]):
        click.echo(f"  {line}")
    click.echo(f"  journal     ospec show {report['run']} --trace")


def _evidence_lines(evidence: Mapping[str, Any]) -> list[str]:
    lines = []
    if evidence["requests"]:
        lines.append(f"evidence    {_numbers(evidence)}")
        for name, numbers in evidence["by_release"].items():
            lines.append(f"            {name}: {_numbers(numbers)}")
    if evidence["downtime_seconds"]:
        seconds, answers = evidence["downtime_seconds"], evidence["maintenance"]
        lines.append(f"down        {seconds:.1f} s, in which {answers} requests were answered for maintenance")
    for failure in evidence["failures"]:
        at = _clock(failure["at"])
        lines.append(styled(f"failed      {at} in {failure['step']}: {failure['release']}: {failure['why']}", fg="red"))
    if evidence["seconds_to_verified"] is not None:
        exposed = ", ".join(f"{one['percent']:g} % for {one['seconds']:.1f} s" for one in evidence["exposure"])
        lines.append(
            f"verified    {evidence['seconds_to_verified']:.2f} s after the switch began"
            + (f"; exposed before it was judged good: {exposed}" if exposed else "")
        )
    return lines


def _numbers(numbers: Mapping[str, Any]) -> str:
    return (
        f"{numbers['requests']} requests, {numbers['failed']} failed, "
        f"p50 {_ms(numbers['p50_ms'])}, p95 {_ms(numbers['p95_ms'])}, p99 {_ms(numbers['p99_ms'])}"
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g} ms"


def _clock(at: float) -> str:
    import time

    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 1000) % 1000:03d}"
