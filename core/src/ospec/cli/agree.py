"""Asking a person before anything is touched, and holding a plan to what was agreed on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from ospec.errors import DocumentError, RefusedError
from ospec.models.plan import Plan, plan_hash


def agreement(as_json: bool) -> Callable[[Plan], None]:
    """What asks before a plan is executed; raises `click.UsageError` where nobody can be asked."""

    def ask(plan: Plan) -> None:
        if not plan.steps:
            return
        if as_json or not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here: add --yes (see first what would happen: ospec plan)")
        from ospec.cli.plan import plan_lines

        for line in plan_lines(plan):
            click.echo(line, err=True)
        click.confirm("Do it?", abort=True, err=True)

    return ask


@frozen
class AgreedPlan:
    """A plan as it was written by ``ospec plan --out FILE``."""

    file: Path
    hash: str
    release_name: str
    redeploy: bool

    def check(self, plan: Plan) -> None:
        """Refuse a plan that is not the agreed one, with the difference that people can act on."""
        from ospec.converter import to_json

        if plan_hash(to_json(plan)) != self.hash:
            raise RefusedError(
                f"{self.file} is stale: the source, the document or what is deployed changed since it was made",
                code="plan-stale",
                where=str(self.file),
                hints=(
                    "make and read a new one: ospec plan --out FILE",
                    "write it outside of the document's folder: in there it may be a part of the source itself",
                ),
            )


def same_plan(file: Path) -> AgreedPlan:
    """Read a plan file; raises `DocumentError` where it is none, or was edited."""
    try:
        read: Any = json.loads(file.read_text(encoding="utf-8"))
        plan, wanted = read["plan"], read["hash"]
        name, redeploy = plan["release"]["name"], plan["release"]["redeploy"] > 0
    except OSError as error:
        raise DocumentError(f"cannot read {file}: {error.strerror}", code="no-plan-file", where="--plan") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DocumentError(
            f"{file} is no plan", code="no-plan-file", where="--plan", hints=("make one: ospec plan --out FILE",)
        ) from error
    if plan_hash(plan) != wanted:
        raise DocumentError(f"{file} was edited: its hash does not fit", code="no-plan-file", where="--plan")
    return AgreedPlan(file, wanted, name, redeploy)
