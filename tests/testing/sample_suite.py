"""The suite over the sample platform, with one bug or none: run by test_conformance.py."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
from ospec.testing.conformance import PlatformConformance

sample = import_module("sample_platform")  # found beside this file


class TestSample(PlatformConformance):
    plugin = sample.MisspeltSample() if sample.BUG == "a hook is misspelt" else sample.Sample()

    @pytest.fixture(autouse=True)
    def closed(self) -> Iterator[None]:
        """Close what a bug left open."""
        yield
        for world in self.plugin.worlds.values():
            world.stop()
