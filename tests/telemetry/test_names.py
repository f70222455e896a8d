"""Names are a promise to dashboards and alerts: each one is spelled out here a second time, on purpose."""

from __future__ import annotations

from ospec.telemetry import names


def test_names_of_spans_attributes_and_metrics() -> None:
    spelled = {name: value for name, value in vars(names).items() if name.isupper()}
    assert spelled == {
        "RUN_SPAN": "ospec.run",
        "STEP_SPAN": "ospec.step.",
        "HOOK_SPAN": "ospec.hook.",
        "PLUGIN": "ospec.plugin",
        "SERVICE": "ospec.service",
        "ENVIRONMENT": "ospec.environment",
        "RUN_ID": "ospec.run_id",
        "STEP_ID": "ospec.step_id",
        "OUTCOME": "ospec.outcome",
        "ERROR_CODE": "ospec.error_code",
        "ERROR_TYPE": "error.type",
        "HOOK_CALLS": "ospec_hook_calls_total",
        "HOOK_DURATION": "ospec_hook_duration_seconds",
        "HOOK_LABELS": ("hook", "plugin"),
        "OUTCOME_LABEL": "outcome",
        "DURATION_BUCKETS": (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0),
        "PUSH_JOB": "ospec",
    }


def test_a_steps_span_ends_with_its_kind() -> None:
    assert names.step_span("switch") == "ospec.step.switch"
