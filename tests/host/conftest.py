"""Makes plugins as pip installs them: a module, and the metadata that names it in the entry-point group."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEADER = "from __future__ import annotations\nfrom ospec.hookspecs import hookimpl\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`install(name, code)`: make the plugin `name` discoverable, with `code` as its module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def do(name: str, code: str, distribution: str = "", version: str = "1.2") -> None:
        distribution = distribution or f"acme-{name}"
        module = distribution.replace("-", "_") + "_hooks"
        (tmp_path / f"{module}.py").write_text(HEADER + code)
        metadata = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[ospec]\n{name} = {module}\n")

    yield do
    for name in set(sys.modules) - modules:
        if name.endswith("_hooks"):
            del sys.modules[name]
