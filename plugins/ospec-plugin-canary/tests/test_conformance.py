from __future__ import annotations

from pathlib import Path

from ospec.models.document import Analysis, CanaryStep, Deployment, TrafficSwitching
from ospec.testing.conformance import StrategyConformance
from ospec_plugin_canary import hooks


class TestCanary(StrategyConformance):
    plugin = hooks
    golden = Path(__file__).with_name("steps.json")
    deployment = Deployment(
        strategy="canary",
        traffic_switching=TrafficSwitching(("health_check",), rollback_threshold_seconds=5.0),
        sticky=True,
        steps=(
            CanaryStep(0, hold_seconds=30.0, analysis=False),
            CanaryStep(5, hold_seconds=60.0),
            CanaryStep(25, pause=True),
        ),
    )


class TestCanaryByStepSize(StrategyConformance):
    plugin = hooks
    golden = Path(__file__).with_name("step_size.json")
    deployment = Deployment(
        strategy="canary",
        traffic_switching=TrafficSwitching((), rollback_threshold_seconds=5.0),
        analysis=Analysis(interval=30.0, threshold=5, max_weight=50, step_weight=25),
    )
