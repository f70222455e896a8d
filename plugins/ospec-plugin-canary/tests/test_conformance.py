from __future__ import annotations

from ospec.testing.conformance import StrategyConformance
from ospec_plugin_canary import hooks


class TestCanary(StrategyConformance):
    plugin = hooks
