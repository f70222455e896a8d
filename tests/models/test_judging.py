from __future__ import annotations

import json

from ospec.converter import from_json, to_json
from ospec.models.judging import Finding, JudgedMetric, JudgeInput, Verdict
from ospec.models.live import Measurement


def test_a_look_passes_through_json() -> None:
    given = JudgeInput(
        candidate="v2",
        stable="v1",
        bins=(
            Measurement("requests", "v2", "envoy", 100.0, 7.0),
            Measurement("request_duration_ms", "v1", "envoy", 100.5, 3.0, 1.0, ((10.0, 2), (20.0, 3))),
        ),
        metrics=(
            JudgedMetric(name="error_rate", kind="errors", bound=0.01),
            JudgedMetric(name="free", kind="gauge", worse="lower", effect=0.1, needed=False),
        ),
        phase="guard",
        state={"a": [1.0, None, {"b": "c"}]},
    )
    assert from_json(json.loads(json.dumps(to_json(given))), JudgeInput) == given


def test_a_verdict_passes_through_json() -> None:
    finding = Finding(metric="error_rate", outcome="regress", sentence="it fails", numbers={"stable.evidence": 120.5})
    verdict = Verdict(
        outcome="regress", sentence="it is worse", findings=(finding,), numbers={"evidence": 101.0}, state={"x": [1.5]}
    )
    assert from_json(json.loads(json.dumps(to_json(verdict))), Verdict) == verdict
