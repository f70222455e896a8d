from __future__ import annotations

from pathlib import Path

from ospec.models.document import Deployment, MaintenanceSettings, TrafficSwitching
from ospec.testing.conformance import StrategyConformance
from ospec_plugin_recreate import hooks


class TestRecreate(StrategyConformance):
    plugin = hooks
    golden = Path(__file__).with_name("rollout.json")
    deployment = Deployment(
        strategy="recreate",
        traffic_switching=TrafficSwitching((), rollback_threshold_seconds=5.0),
        maintenance=MaintenanceSettings(60, "down.html"),
    )
