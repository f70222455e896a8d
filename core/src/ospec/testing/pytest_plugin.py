"""Fixtures for the tests of plugin authors; every pytest run where ospec is installed loads it: it imports little."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "ospec.testing.conformance", "ospec.testing.strategy_conformance", "ospec.testing.driver"
)


@pytest.fixture
def ospec_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own: OSPEC_HOME points to it."""
    home = tmp_path / "ospec-home"
    monkeypatch.setenv("OSPEC_HOME", str(home))
    return home
