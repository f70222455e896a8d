"""The pages of the documentation, read as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("plugins/*/README.md")])


@frozen
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    options: str
    """What follows the language on the fence's line."""
    text: str

    @property
    def place(self) -> str:
        """For messages, and the test's id."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@frozen
class Page:
    """One page with what tests ask of it."""

    path: Path
    headings: tuple[str, ...]
    anchors: frozenset[str]
    links: tuple[tuple[int, str], ...]
    """(line, target)."""
    blocks: tuple[Block, ...]


def read_page(path: Path) -> Page:
    """Parse one Markdown file."""
    from markdown_it import MarkdownIt

    headings: list[str] = []
    links: list[tuple[int, str]] = []
    blocks: list[Block] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        line = (token.map or [0])[0] + 1
        if token.type == "inline":
            if before is not None and before.type == "heading_open":
                headings.append(token.content.replace("`", ""))
            links += [(line, str(child.attrs["href"])) for child in token.children or () if child.type == "link_open"]
        elif token.type == "fence":
            language, _, options = token.info.strip().partition(" ")
            blocks.append(Block(path, line, language, options, token.content))
    return Page(path, tuple(headings), frozenset(_anchors(headings)), tuple(links), tuple(blocks))


def _anchors(headings: list[str]) -> Iterator[str]:
    """The anchors as GitHub makes them; a repeated heading gets a number."""
    seen: dict[str, int] = {}
    for heading in headings:
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        yield f"{anchor}-{count}" if count else anchor


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `page` runs for each page; `toml_block`, `python_block`… for each block of that language."""
    for name in metafunc.fixturenames:
        if name == "page":
            metafunc.parametrize(
                name, [pytest.param(read_page(path), id=str(path.relative_to(ROOT))) for path in PAGES]
            )
        elif name.endswith("_block"):
            language = name.removesuffix("_block")
            found = [block for path in PAGES for block in read_page(path).blocks if block.language == language]
            metafunc.parametrize(name, [pytest.param(block, id=block.place) for block in found])


@pytest.fixture
def headings() -> Any:
    """Gives the headings of a page of docs/reference by its name."""
    return lambda name: list(read_page(ROOT / "docs" / "reference" / name).headings)


@pytest.fixture
def pages() -> list[Page]:
    """All pages."""
    return [read_page(path) for path in PAGES]
