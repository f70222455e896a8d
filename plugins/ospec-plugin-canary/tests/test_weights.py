"""From the document to weights."""

from __future__ import annotations

from typing import Any

import pytest
from ospec.errors import DocumentError
from ospec.models.document import Analysis, CanaryStep, Deployment
from ospec_plugin_canary.weights import stages_of


def weights(deployment: Deployment) -> list[float]:
    return [stage.weight for stage in stages_of(deployment)]


@pytest.mark.parametrize(
    ("analysis", "expected"),
    [
        ({"step_weight": 10, "max_weight": 50}, [10, 20, 30, 40, 50]),
        ({}, [10, 20, 30, 40, 50]),
        ({"step_weight": 20, "max_weight": 50}, [20, 40, 50]),
        ({"step_weight": 60}, [60]),
        ({"step_weight": 0.5, "max_weight": 1}, [0.5, 1]),
        ({"step_weight": 50, "max_weight": 100}, [50]),  # the last one is every canary's own
        ({"step_weight": 30, "max_weight": 10}, [10]),
    ],
)
def test_steps_of_one_size(analysis: Any, expected: list[float]) -> None:
    assert weights(Deployment(analysis=Analysis(**analysis))) == expected


def test_steps_one_by_one_keep_what_they_do_not_say() -> None:
    stages = stages_of(
        Deployment(
            analysis=Analysis(interval=7.0),
            match_headers={"x-team": "ours"},
            steps=(
                CanaryStep(0, analysis=False, match_headers={"canary": "yes"}),
                CanaryStep(5, hold_seconds=60.0),
                CanaryStep(pause=True),
                CanaryStep(100),
            ),
        )
    )
    assert [stage.weight for stage in stages] == [0, 5, 5]
    assert [stage.seconds for stage in stages] == [7, 60, 7]
    assert [dict(stage.headers) for stage in stages] == [{"canary": "yes"}] * 3
    assert [stage.pause for stage in stages] == [False, False, True]
    assert [stage.analysis for stage in stages] == [False, True, True]


def test_a_header_leads_to_the_canary_unless_it_is_taken_away() -> None:
    assert [dict(stage.headers) for stage in stages_of(Deployment(steps=(CanaryStep(5),)))] == [{"canary": "true"}]
    assert [dict(stage.headers) for stage in stages_of(Deployment(match_headers={}, steps=(CanaryStep(5),)))] == [{}]


@pytest.mark.parametrize(
    ("steps", "where", "what"),
    [
        ((CanaryStep(hold_seconds=5.0),), "deployment.steps[0]", "no weight"),
        ((CanaryStep(20), CanaryStep(10)), "deployment.steps[1]", "less than"),
        ((CanaryStep(0),), "deployment.steps", "share of the traffic"),
        ((CanaryStep(100),), "deployment.steps", "share of the traffic"),
    ],
)
def test_steps_that_make_no_sense(steps: Any, where: str, what: str) -> None:
    with pytest.raises(DocumentError, match=what) as caught:
        stages_of(Deployment(steps=steps))
    assert caught.value.where == where
