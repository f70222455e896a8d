"""Step kind `delegate`: a rollout that somebody else drives: the user's own scripts (`stack.deploy = "script"`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ospec.errors import FatalError
from ospec.models.plan import Plan, Step
from ospec.models.registration import StepRun
from ospec.steps.script import run_script


def delegate(run: StepRun) -> Mapping[str, Any]:
    """Run the scripts that `params.scripts` names, in order, for the release of the slot `params.slot`."""
    role = run.step.params.get("slot", "candidate")
    unit = run.unit(role)
    done = {}
    for name in run.step.params["scripts"]:
        if name not in unit.target.scripts:
            raise FatalError(
                f"the document has no script {name!r}",
                code="no-script",
                where="scripts",
                hints=(f"add scripts.{name}",),
            )
        done[name] = run_script(run, unit.target.scripts[name], run.environment(role), unit.files)
    return done


def delegate_exposes(step: Step, plan: Plan | None) -> bool:
    """The user's deploy and rollback scripts change what users get; the others do not."""
    return not {"deploy", "rollback"}.isdisjoint(step.params.get("scripts", ()))
