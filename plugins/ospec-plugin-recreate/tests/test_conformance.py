from __future__ import annotations

from ospec.testing.conformance import StrategyConformance
from ospec_plugin_recreate import hooks


class TestRecreate(StrategyConformance):
    plugin = hooks
