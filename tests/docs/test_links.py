from __future__ import annotations

from typing import Any


def test_every_link_resolves(page: Any, pages: list[Any]) -> None:
    anchors = {one.path: one.anchors for one in pages}
    broken = []
    for line, target in page.links:
        if target.startswith(("https://", "http://")):
            continue  # other people's pages are not ours to judge in a test
        name, _, anchor = target.partition("#")
        found = (page.path.parent / name).resolve() if name else page.path
        if not found.exists() or (anchor and anchor not in anchors.get(found, frozenset())):
            broken.append(f"{page.path.name}:{line}: {target}")
    assert broken == []


def test_the_index_leads_to_every_page(pages: list[Any]) -> None:
    index = next(page for page in pages if page.path.name == "index.md")
    linked = {(index.path.parent / target.partition("#")[0]).resolve() for _, target in index.links}
    docs = {page.path for page in pages if index.path.parent in page.path.parents} - {index.path}
    assert docs - linked == set()
