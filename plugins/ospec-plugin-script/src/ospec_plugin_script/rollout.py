"""The rollout of a document whose scripts deploy: one `delegate` step."""

from __future__ import annotations

from ospec.errors import DocumentError
from ospec.models.plan import Rollout, Step
from ospec.models.registration import StrategyInput

_DEFAULT_SECONDS = 600.0


def plan_script(given: StrategyInput) -> Rollout:
    """Run `scripts.deploy`, then `scripts.health_check` where there is one; `scripts.rollback` is the way back.

    Raises:
        DocumentError: there is no `scripts.deploy`.
    """
    scripts = given.target.scripts
    if "deploy" not in scripts:
        raise DocumentError(
            'stack.deploy = "script" needs scripts.deploy', where="scripts", hints=('add deploy = "…" to [scripts]',)
        )
    names = [name for name in ("deploy", "health_check") if name in scripts]
    limit = sum(scripts[name].timeout_seconds for name in names)
    notes = [] if "rollback" in scripts else ["there is no scripts.rollback: a failed deploy stays as it is"]
    step = Step("delegate", f"run scripts.{' and scripts.'.join(names)}", {"scripts": names}, timeout_seconds=limit)
    return Rollout((step,), in_place=True, longest_exposure=((100.0, limit),), notes=tuple(notes))
