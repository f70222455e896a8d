"""The page of a run: whole, closed, and with the journal's own numbers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.converter import from_json
from ospec.engine.journal import fold
from ospec.engine.looks import looks_of
from ospec.engine.report import report
from ospec.errors import RefusedError
from ospec.models.judging import JudgeInput
from ospec.models.measuring import sums
from ospec.models.run import Record
from ospec.reporting.page import page

HOSTILE = """</script></style><img src=x onerror=alert(1)>"'{{ 7*7 }}{% raw %}\u202e\x00\ud800 & more"""
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a page is made of. Fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            return
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.text).split())

    def cells(self) -> list[list[str]]:
        return [[" ".join(cell.split()) for cell in row] for row in self.rows]


def read(records: list[Record]) -> Page:
    """The page, read; with what holds for every page."""
    text = page(records)
    text.encode()
    read = Page(text)
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in read.tags:
        assert tag not in ("script", "img", "iframe", "object", "link", "use", "image", "form"), tag
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset")]
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in ids
    drawings = [attributes for tag, attributes in read.tags if tag == "svg" and attributes.get("role") == "img"]
    assert all(one.get("aria-labelledby") or one.get("aria-label") for one in drawings)
    assert sum(tag == "h1" for tag, _ in read.tags) == 1
    return read


def test_nothing_can_be_loaded_and_only_its_own_style_holds(canaries: Any) -> None:
    text = page(canaries().records)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'content="{policy}"' in text
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert [link for link in re.findall(r'href="([^"]*)"', text) if not link.startswith("#")] == [
        "http://127.0.0.1:8080"
    ]


def test_the_same_records_give_the_same_page(canaries: Any) -> None:
    assert page(canaries().records) == page(canaries().records)


def test_a_promoted_canary(canaries: Any) -> None:
    said = read(canaries().records).said
    assert "✓ Promoted v2 serves; before, v1 did." in said
    for word in ("copy the source", "local, canary", "the old release stays warm for an hour", "CPython 3.11.7"):
        assert word in said
    assert "2026-09-21 14:13:20" in said


def test_numbers_are_those_of_the_journal(canaries: Any) -> None:
    story = canaries(30, errors=1)
    state = fold(story.records)
    cells = read(story.records).cells()
    bins = [one for look in looks_of(state) for one in from_json({**look["given"], "settings": None}, JudgeInput).bins]
    for name in ("v1", "v2"):
        known = sums(bins, name)
        assert known.requests is not None
        assert known.error_rate is not None
        row = next(row for row in cells if row[0] == name and len(row) == 7)
        assert row[1:4] == [f"{known.requests:,.0f}", f"{known.errors:,.0f}", f"{known.error_rate * 100:.3g} %"]
        assert row[4:] == [f"{known.quantile(share):.3g} ms" for share in (0.5, 0.95, 0.99)]
    made = report(state)["evidence"]
    row = next(row for row in cells if row[0] == "v1" and len(row) == 6)
    assert row[1:3] == [str(made["by_release"]["v1"]["requests"]), str(made["by_release"]["v1"]["failed"])]
    exposed = made["exposure"][0]
    assert ["10 %", f"{exposed['seconds']:.3g} s", f"{exposed['seconds'] * 10:.0f}"] in cells


def test_every_interval_is_in_a_table_with_its_band(canaries: Any) -> None:
    cells = read(canaries(12, errors=3).records).cells()
    rows = [row for row in cells if len(row) == 5 and row[4].endswith("requests failed")]
    assert {row[1] for row in rows} == {"v1", "v2"}
    counted = [int(row[4].split(" of ")[0]) for row in rows if row[1] == "v2"]
    told = {
        (one["at"], one["value"])
        for look in looks_of(fold(canaries(12, errors=3).records))
        for one in look["given"]["bins"]
        if (one["metric"], one["release"]) == ("errors", "v2")
    }
    assert sum(counted) == sum(value for _, value in told), "bins that were told twice count once"
    assert all(" to " in row[3] for row in rows)


def test_a_regression_tells_the_sentence_the_numbers_and_the_way_back(canaries: Any) -> None:
    story = canaries(40, errors=12)
    state = fold(story.records)
    assert state.error
    said = read(story.records).said
    assert "↩ Sent back v2 was sent back. v1 serves." in said
    assert state.error["message"] in said
    assert "see every number: ospec show X --explain" in said
    assert "The way back" in said
    look = looks_of(state)[-1]
    assert f"{look['verdict']['numbers']['evidence']:,.6g}" in said
    assert "regress from 100" in said
    assert "status 500" in said


def test_the_core_s_own_judge_is_drawn_against_its_bound(canaries: Any) -> None:
    said = read(canaries(20, errors=10, judge="bounds").records).said
    assert "bound 0.05" in said
    assert "as bounds saw it" in said


def test_a_run_that_has_not_ended(canaries: Any) -> None:
    records = canaries().records[:9]
    said = read(records).said
    assert "… Not ended" in said
    assert "it was about to: judge 10 %" in said
    assert "ospec resume 20260921-141320-abcdef" in said


@pytest.mark.parametrize("count", range(1, 25))
def test_a_journal_that_is_cut_anywhere_is_still_a_page(canaries: Any, count: int) -> None:
    read(canaries(8).records[:count])


def test_a_journal_without_a_beginning_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        page([])
    assert caught.value.code == "run-not-started"


def test_a_blue_green_run_that_nobody_judged(stories: Any, probed: Any) -> None:
    story = stories(stable=None, strategy="blue-green", failure_steps=())
    story.start()
    story.switch("03-switch", 100.0)
    story.step("04-verify", 0.2, evidence=probed(failed=25, why="connection refused"))
    story.finish("promoted", 0)
    said = read(story.records).said
    assert "v2 serves." in said
    assert "nothing judged it" in said
    assert "Nothing was judged in this run." in said
    assert "(the first 20 of 25)" in said
    assert "connection refused" in said


def test_an_unchanged_run_without_steps_and_an_older_journal(stories: Any) -> None:
    story = stories()
    story.start(executed_by=None, address=None)
    story.finish("unchanged", 0)
    said = read(story.records).said
    assert "v2 served already" in said
    assert "No step began." in said
    assert "The journal does not say" in said
    assert "The front door was not asked in this run." in said


def test_a_run_that_could_not_be_restored_says_that_a_person_is_needed(stories: Any) -> None:
    story = stories(strategy="script", candidate_slot="current", stable_slot="current")
    story.start()
    error = {"code": "script-failed", "message": "exit 3", "where": "scripts.deploy", "hints": ["look at the log"]}
    story.step("02-script", 1.0, status="failed", result=None, error=error)
    story.tell("path-changed", aborted=False, error=error)
    story.finish("failed", 3, error=error)
    said = read(story.records).said
    assert "a person is needed" in said
    assert "scripts.deploy: exit 3" in said
    assert "No traffic was moved: the release replaced the one before in its own slot." in said


def test_orders_and_an_abort_are_told(stories: Any) -> None:
    story = stories()
    story.start()
    story.switch("03-switch", 10.0)
    story.begin("04-analyze", "judge")
    for number, (order, full) in enumerate((("pause", False), ("promote", True)), 1):
        story.now += 1
        story.tell("order", id=number, order=order, step="04-analyze", full=full)
    error = {"code": "cancelled", "message": "aborted on request", "where": "", "hints": []}
    story.end("04-analyze", "judge", "cancelled", error=error, result=None)
    story.tell("path-changed", aborted=True, error=error)
    story.tell("weather", of="a kind that is not known yet")
    story.finish("aborted", 130, error=error)
    orders = [row for row in read(story.records).cells() if len(row) == 4 and row[3] == "04-analyze"]
    assert [row[2] for row in orders] == ["pause", "promote --full", "abort"]


def test_a_switch_that_failed_leaves_shares_unknown(stories: Any) -> None:
    story = stories()
    story.start()
    error = {"code": "switch-not-applied", "message": "asked for 10 %", "where": "", "hints": []}
    story.step("03-switch", 1.0, status="failed", result=None, error=error)
    story.switch("90-switch", 0.0)
    cells = read(story.records).cells()
    assert [row[2:] for row in cells if len(row) == 4 and row[0].endswith(" s")] == [
        ["0 %", "100 %"],
        ["not known", "not known"],
        ["0 %", "100 %"],
    ]


def test_a_slot_that_held_both_releases_is_whose_it_was_then(stories: Any) -> None:
    story = stories(strategy="recreate", candidate_slot="blue", stable_slot="blue")
    story.start()
    for step, share, holds in (("03-switch", 0, "v1"), ("05-switch", 100, "v2"), ("90-switch", 100, "v1")):
        result = {"weights": {"blue": share}, "releases": {"blue": holds}, "applied_at": story.now}
        story.step(step, 0.5, result=result)
    cells = read(story.records).cells()
    assert [row[2:] for row in cells if len(row) == 4 and row[0].endswith(" s")][1:] == [
        ["0 %", "0 %"],
        ["100 %", "0 %"],
        ["0 %", "100 %"],
    ]


def test_a_run_of_milliseconds_has_an_axis(stories: Any) -> None:
    story = stories()
    story.start()
    story.step("01-snapshot", 0.058)
    assert "50 ms" in read(story.records).said


def test_text_of_users_is_only_text(stories: Any, probed: Any, spans: Any) -> None:
    story = stories(candidate=HOSTILE, stable=HOSTILE + "1", notes=(HOSTILE,))
    story.address = f"javascript:{HOSTILE}"
    story.start()
    story.begin("02-deploy", HOSTILE)
    story.tell("step-note", step="02-deploy", note={"line": HOSTILE})
    error = {"code": HOSTILE, "message": HOSTILE, "where": HOSTILE, "hints": [HOSTILE]}
    story.end("02-deploy", HOSTILE, "failed", error=error, result={HOSTILE: HOSTILE}, evidence=probed(1, HOSTILE))
    story.switch("03-switch", 10.0, HOSTILE)
    story.tell("order", id=1, order=HOSTILE, step=HOSTILE, full=False)
    look = {
        "judge": HOSTILE,
        "at": story.now,
        "given": {"phase": HOSTILE, "bins": []},
        "verdict": {
            "outcome": HOSTILE,
            "sentence": HOSTILE,
            "numbers": {HOSTILE: 1.0},
            "findings": [
                {"metric": HOSTILE, "outcome": HOSTILE, "sentence": HOSTILE, "numbers": {"value": 1.0, "bound": 2.0}}
            ],
        },
    }
    story.tell("step-note", step="02-deploy", note={"look": look})
    story.finish(HOSTILE, 1, error=error, spans=[spans("a", None, 0, 1, name=HOSTILE, status="error")])
    text = page(story.records)
    read_page = read(story.records)
    assert "<img" not in text
    assert "49" not in text.replace(HOSTILE, "").split("<main>")[1].split("<h2")[0]
    for bad in ("\u202e", "\x00", "\ud800"):
        assert bad not in text
    assert [attributes.get("href") for tag, attributes in read_page.tags if tag == "a"] == ["#evidence"]


def test_ten_thousand_looks_make_a_page_of_bounded_size(stories: Any, seconds: Any) -> None:
    story = stories()
    story.start()
    story.switch("03-switch", 10.0)
    story.begin("04-analyze", "judge 10 %")
    outcomes = ("not-enough-data", "no-regression", "pass")
    for number in range(10_000):
        bins = [*seconds("v1", float(int(story.now)), 180, 1), *seconds("v2", float(int(story.now)), 20, 0)]
        given = {"phase": "canary", "bins": [
            {"metric": one.metric, "release": one.release, "source": one.source, "at": one.at, "value": one.value,
             "seconds": 1.0, "buckets": [list(pair) for pair in one.buckets]} for one in bins
        ]}  # fmt: skip
        verdict = {"outcome": outcomes[number % 3], "sentence": f"look {number}", "findings": []}
        numbers = {"evidence": 90.0 if number == 5000 else 0.5, "needed_evidence": 100.0}
        look = {"judge": "sequential", "at": story.now, "given": given, "verdict": {**verdict, "numbers": numbers}}
        story.tell("step-note", step="04-analyze", note={"look": look})
        story.now += 1
    read_page = read(story.records)
    assert len(page(story.records).encode()) < 1_000_000
    assert "10,000 looks" in read_page.said
    assert "9,960 further changes, in the middle, are left out" in read_page.said
    assert "each point is the highest of up to 42 looks" in read_page.said
    assert ": 90" in read_page.said, "the one that came near the bound is drawn"
    assert ["v2", "200,000", "0", "0 %"] in [row[:4] for row in read_page.cells()]


def test_many_steps_lines_and_spans_are_cut_and_it_says_so(stories: Any, spans: Any) -> None:
    story = stories()
    story.start()
    for number in range(600):
        story.begin(f"{number}-script", f"script {number}")
        for line in range(100 if number == 0 else 1):
            story.tell("step-note", step=f"{number}-script", note={"line": f"line {line} " + "x" * 5000})
        story.now += 0.01
        story.end(f"{number}-script", result={"long": "y" * 100_000})
    many = [spans(f"s{n}", "run", n, 0.5, name=f"ospec.hook.call{n}") for n in range(1000)]
    story.finish("promoted", 0, spans=[spans("run", None, 0, 1000, "ospec.run"), *many])
    text = page(story.records)
    said = read(story.records).said
    assert len(text) < 3_000_000
    assert "100 further steps are left out" in said
    assert "60 lines in the middle are left out." in said
    assert "601 calls, the innermost, are left out" in said


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def palettes() -> dict[str, dict[str, str]]:
    import ospec.reporting.page as module

    style = (Path(str(module.__file__)).parent / "templates" / "style.css").read_text()
    found = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    return {"light": found[0], "dark": {**found[0], **found[1]}}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_suffices(mode: str) -> None:
    """AA: 4.5 for text, 3 for what is drawn."""
    colours = palettes()[mode]
    for ground in ("page", "soft"):
        for text in ("ink", "quiet", "link"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for line in ("stable", "candidate", "evidence", "bad"):
        assert contrast(colours[line], colours["page"]) >= 3, line
    for ground in ("good", "warn", "bad", "open", "idle"):
        assert contrast(colours["on-colour"], colours[ground]) >= 4.5, ground


def test_both_releases_may_have_one_name(canaries: Callable[..., Any]) -> None:
    story = canaries(6)
    first = story.records[0]
    body = {**first.body, "plan": {**first.body["plan"], "previous": first.body["plan"]["release"]}}
    read([evolve(first, body=body), *story.records[1:]])
