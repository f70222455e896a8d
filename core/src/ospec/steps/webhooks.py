"""`deployment.analysis.webhooks`: URLs that are asked before, while and after a candidate is judged.

No answer but 2xx is good. The request is a POST of JSON: ``name``, ``service``, ``environment``, ``release``, ``run``,
``phase`` and ``metadata``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ospec.errors import FatalError, RetryableError
from ospec.models.document import Webhook
from ospec.models.registration import StepRun
from ospec.posting import SECONDS, post

TYPES = ("pre-rollout", "rollout", "post-rollout")
_INTERVAL_SECONDS = 10.0


def ask(run: StepRun, hook: Webhook) -> int:
    """Ask one; its status.

    Raises:
        FatalError: it did not answer with 2xx (``webhook-failed``). The URL, which may hold a key, is not told.
    """
    unit = run.unit("candidate")
    body = {
        "name": hook.name,
        "service": unit.target.service,
        "environment": unit.target.environment,
        "release": unit.release.name,
        "run": run.run,
        "phase": hook.type,
        "metadata": dict(hook.metadata),
    }
    url, seconds = run.secrets.resolve(hook.url), hook.timeout or SECONDS
    try:
        return post(url, json.dumps(body).encode(), {"content-type": "application/json"}, seconds=seconds).status
    except (RetryableError, FatalError) as error:
        raise FatalError(
            f"webhook {hook.name!r}: {error.message}",
            code="webhook-failed",
            where="deployment.analysis.webhooks",
            hints=("it has to answer with a status of 2xx",),
        ) from None


def run_webhooks(run: StepRun) -> Mapping[str, Any]:
    """Step kind `webhook`: ask every webhook of `params.type` once, in order."""
    return {hook.name: ask(run, hook) for hook in of_type(run, run.step.params["type"])}


def of_type(run: StepRun, kind: str) -> Sequence[Webhook]:
    """The document's webhooks of one type."""
    return [hook for hook in run.unit("candidate").target.deployment.analysis.webhooks if hook.type == kind]


class Webhooks:
    """Those that are asked each interval while a candidate is judged, which ends at `analysis.threshold` failures."""

    def __init__(self, run: StepRun, kind: str, params: Mapping[str, Any]) -> None:
        analysis = run.unit("candidate").target.deployment.analysis
        self._run = run
        self._hooks = of_type(run, kind) if params.get("phase") == "canary" else ()
        self._interval, self._allowed = analysis.interval or _INTERVAL_SECONDS, (analysis.threshold or 1) - 1
        self._failed, self._next = 0, time.monotonic()

    def ask(self) -> None:
        """Ask all, where an interval has passed; raises `FatalError` (``webhook-failed``) for one failure too many."""
        if not self._hooks or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._interval
        for hook in self._hooks:
            try:
                ask(self._run, hook)
            except FatalError as error:
                self._failed += 1
                if self._failed > self._allowed:
                    raise
                self._run.log(f"{error.message} ({self._failed} of {self._allowed + 1})")
