from __future__ import annotations

from ospec.testing.conformance import StrategyConformance
from ospec_plugin_blue_green import hooks


class TestBlueGreen(StrategyConformance):
    plugin = hooks
