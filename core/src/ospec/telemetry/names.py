"""Names of spans, attributes and metrics: the only place that spells them. A rename breaks dashboards."""

from __future__ import annotations

RUN_SPAN = "ospec.run"
STEP_SPAN = "ospec.step."
"""Followed by the step's kind."""
HOOK_SPAN = "ospec.hook."
"""Followed by the hook's name."""

PLUGIN = "ospec.plugin"
SERVICE = "ospec.service"
ENVIRONMENT = "ospec.environment"
RUN_ID = "ospec.run_id"
STEP_ID = "ospec.step_id"
OUTCOME = "ospec.outcome"
"""``ok``, ``error`` or ``cancelled``."""
ERROR_CODE = "ospec.error_code"
ERROR_TYPE = "error.type"

HOOK_CALLS = "ospec_hook_calls_total"
"""Counter by `HOOK_LABELS` and ``outcome``."""
HOOK_DURATION = "ospec_hook_duration_seconds"
"""Histogram by `HOOK_LABELS`."""
HOOK_LABELS = ("hook", "plugin")
OUTCOME_LABEL = "outcome"
DURATION_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
"""Upper bounds in seconds."""
PUSH_JOB = "ospec"
"""The Pushgateway's job; service and environment group below it."""


def step_span(kind: str) -> str:
    """The span of a step of this kind."""
    return STEP_SPAN + kind
