from __future__ import annotations

from ospec.testing.conformance import StrategyConformance
from ospec_plugin_rolling import hooks


class TestRolling(StrategyConformance):
    plugin = hooks
