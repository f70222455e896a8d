from __future__ import annotations

from pathlib import Path

from ospec.models.document import Deployment, TrafficSwitching
from ospec.testing.conformance import StrategyConformance
from ospec_plugin_rolling import hooks


class TestRolling(StrategyConformance):
    plugin = hooks
    golden = Path(__file__).with_name("batches.json")
    deployment = Deployment(
        strategy="rolling",
        traffic_switching=TrafficSwitching((), rollback_threshold_seconds=5.0),
        max_unavailable=1,
        max_surge=1,
        grace_seconds=5.0,
    )
