"""Step kind `validate`: checks of a candidate at its own address, before any user reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ospec.errors import FatalError
from ospec.front_door import Asker
from ospec.models.registration import StepRun
from ospec.models.target import HttpEndpoint
from ospec.steps.baseline import performance_baseline
from ospec.steps.health import wait_until_healthy
from ospec.steps.script import run_script


def validate(run: StepRun) -> Mapping[str, Any]:
    """Run the checks that `params.checks` names, in order; each is a note of the journal."""
    result: dict[str, Any] = {}
    for name in run.step.params["checks"]:
        run.check()
        result[name] = CHECKS[name](run)
        run.note(check=name, result=result[name])
    return result


def _smoke_tests(run: StepRun) -> Mapping[str, Any]:
    unit = run.unit("candidate")
    done: dict[str, Any] = {}
    script = unit.target.scripts.get("smoke_test")
    if script:
        done["script"] = run_script(run, script, run.environment("candidate"), unit.files)
    address = run.slot("candidate").address
    for endpoint in unit.target.http_endpoints:
        if not address:
            raise FatalError(
                f"{unit.target.platform} gives slots no address of their own, so {endpoint.path} cannot be asked first",
                code="no-slot-address",
                where="acceptance.http_endpoints",
            )
        done[f"{endpoint.method} {endpoint.path}"] = _ask(address, endpoint)
    return done


def _ask(address: str, endpoint: HttpEndpoint) -> int:
    asker = Asker(address, endpoint.path)
    answer = asker.ask(endpoint.method, fresh=True)
    asker.close()
    found = answer.error or f"status {answer.status}"
    if answer.status != endpoint.status:
        raise FatalError(
            f"{endpoint.method} {endpoint.path} of the candidate: expected status {endpoint.status}, found {found}",
            code="smoke-test-failed",
            where="acceptance.http_endpoints",
        )
    if endpoint.contains and endpoint.contains.encode() not in answer.body:
        raise FatalError(
            f"{endpoint.method} {endpoint.path} of the candidate: the answer does not contain {endpoint.contains!r}",
            code="smoke-test-failed",
            where="acceptance.http_endpoints",
        )
    return answer.status


CHECKS = {
    "health_check": wait_until_healthy,
    "smoke_tests": _smoke_tests,
    "performance_baseline": performance_baseline,
}
"""What `deployment.traffic_switching.validation_checks` may name, besides what plugins bring."""
