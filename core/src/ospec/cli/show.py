"""`ospec show`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ospec.cli.options import json_option
from ospec.cli.output import print_json, show_failure, show_summary, styled
from ospec.cli.runs_by_id import all_option, records_of

_MARKS = {"ok": "✓", "warned": "!", "skipped": "-", "running": "…", "cancelled": "✗", "failed": "✗"}


@click.command("show")
@click.argument("run", required=False)
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="The document.")
@click.option("--trace", is_flag=True, help="Draw every step and hook call as a waterfall.")
@click.option("--explain", is_flag=True, help="Tell every verdict with the numbers that it rests on.")
@click.option("--records", is_flag=True, help="Print the journal as it is, one JSON record a line.")
@all_option
@json_option
def command(
    run: str | None, file: Path | None, trace: bool, explain: bool, records: bool, every: bool, as_json: bool
) -> None:
    """Show one run: its steps, evidence and trace.

    RUN is the beginning of its id; without it the newest of the document's service is shown.
    """
    from ospec.engine.journal import fold
    from ospec.engine.looks import explained, looks_of
    from ospec.engine.report import report
    from ospec.project import Choice

    _, found = records_of(Choice(file=file), run, every)
    if records:
        for record in found:
            print_json({"seq": record.seq, "at": record.at, "kind": record.kind, **record.body})
        return
    state = fold(found)
    made = report(state)
    if as_json:
        more = {**({"spans": state.spans} if trace else {}), **({"looks": looks_of(state)} if explain else {})}
        print_json({**made, **more})
        return
    for step in made["steps"]:
        line = f"{_MARKS[step['status']]} {step['id']:14} {step['title']}"
        click.echo(f"{line}  {styled(f'''{step['seconds']:.2f} s''', dim=True)}")
    if made["error"]:
        show_failure(made["error"])
    show_summary(made)
    if explain:
        lines = list(explained(state))
        click.echo("\n".join(lines) if lines else "nothing was judged in this run")
    if trace:
        from ospec.telemetry.waterfall import draw

        drawn = draw(state.spans, shutil.get_terminal_size((110, 24)).columns)
        click.echo(drawn or "this run kept no spans (OTEL_SDK_DISABLED was set)")
