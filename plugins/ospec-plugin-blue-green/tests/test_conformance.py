from __future__ import annotations

from pathlib import Path

from ospec.testing.conformance import StrategyConformance
from ospec_plugin_blue_green import hooks


class TestBlueGreen(StrategyConformance):
    plugin = hooks
    golden = Path(__file__).with_name("rollout.json")
