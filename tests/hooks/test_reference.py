from __future__ import annotations

import runpy
from pathlib import Path

from ospec.host.implementations import hook_names

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")


def test_the_page_is_current() -> None:
    wanted = runpy.run_path(str(ROOT / "tools" / "hook_reference.py"))["reference"]()
    assert wanted == PAGE, "run python tools/hook_reference.py"


def test_every_hook_has_its_heading() -> None:
    headings = [line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")]
    assert set(hook_names()) <= set(headings)
    assert len(headings) == len(set(headings))


def test_every_field_of_a_context_is_told() -> None:
    for field in ("operation_id", "deadline", "cancelled", "secrets", "split", "follow"):
        assert f"| `{field}` |" in PAGE
