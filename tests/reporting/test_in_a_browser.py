"""The page in a real browser: wide, on a phone, dark, on paper. `nox -s browser` finds or installs one.

`CHROMIUM` names the browser's program; with `SCREENSHOTS` the pictures stay in that folder, for people to look at.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from ospec.reporting.page import page
from websockets.sync.client import ClientConnection, connect

CHROMIUM = os.environ.get("CHROMIUM", "")
SECONDS = 60.0
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs a browser: nox -s browser")
FLAGS = (
    "--headless",
    "--no-sandbox",  # it shows our own files only, also to root in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
SIZES = {"wide": (1280, 900), "phone": (390, 844)}
A4 = (595, 842)
"""Points."""


class Tab:
    """One tab, driven by the DevTools protocol. `complaints` and `requests` are what it told since it was opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.loaded = False
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> Any:
        """Call a method; events that come before its answer are kept."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **session}))
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return told["result"]

    def _next(self) -> Any:
        told = json.loads(self._socket.recv(timeout=SECONDS))
        method, params = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(params))
        elif method == "Page.loadEventFired":
            self.loaded = True
        return told

    def show(self, file: Path, size: tuple[int, int], scheme: str = "light", media: str = "") -> None:
        """Load a page in a window of this size."""
        width, height = size
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)
        self.loaded = False
        self.complaints.clear()
        self.requests.clear()
        self.ask("Page.navigate", url=file.as_uri())
        while not self.loaded:
            self._next()

    def evaluate(self, script: str) -> Any:
        """The value of an expression."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """A key goes down and up."""
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "char" else {}
            if kind != "char" or text:
                self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def picture(self) -> bytes:
        """The whole page as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running browser."""
    profile = tmp_path_factory.mktemp("chromium")
    with (profile / "output").open("wb") as output:
        process = subprocess.Popen([CHROMIUM, *FLAGS, f"--user-data-dir={profile}"], stdout=output, stderr=output)
    try:
        told = profile / "DevToolsActivePort"
        deadline = time.monotonic() + SECONDS
        while not (told.exists() and len(told.read_text().splitlines()) == 2):
            assert process.poll() is None, (profile / "output").read_text()
            assert time.monotonic() < deadline, "the browser did not start"
            time.sleep(0.05)
        port, path = told.read_text().splitlines()
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.fixture
def tab(browser: str) -> Iterator[Tab]:
    with connect(browser, max_size=None) as socket:
        yield Tab(socket)


@pytest.fixture(params=["promoted", "sent-back", "not-ended", "hostile", "without-looks"])
def told(request: pytest.FixtureRequest, canaries: Any, stories: Any, probed: Any, tmp_path: Path) -> Path:
    """Pages of several kinds of runs."""
    name = str(request.param)
    if name == "hostile":
        story = canaries(12, candidate="<b>v2</b>&\u202e" + "W" * 200)
    elif name == "without-looks":
        story = stories(stable=None, strategy="blue-green", failure_steps=())
        story.start()
        story.switch("03-switch", 100.0)
        story.step("04-verify", 0.2, "ask the front door", evidence=probed(failed=3, why="x" * 300))
        story.finish("promoted", 0)
    else:
        story = canaries(40, errors=12 if name == "sent-back" else 0)
    file = tmp_path / f"{name}.html"
    file.write_text(page(story.records[:20] if name == "not-ended" else story.records))
    return file


def keep(picture: bytes, name: str) -> None:
    """Leave a picture where a person asked for it."""
    assert picture.startswith(b"\x89PNG")
    if "SCREENSHOTS" in os.environ:
        Path(os.environ["SCREENSHOTS"], f"{name}.png").write_bytes(picture)


BEYOND = """
[...document.querySelectorAll('body *')]
  .filter(one => !one.closest('.scroll, svg svg, .name') && one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 200))
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_fits_complains_of_nothing_and_loads_nothing(tab: Tab, told: Path, size: str, scheme: str) -> None:
    tab.show(told, SIZES[size], scheme)
    keep(tab.picture(), f"{told.stem}-{size}-{scheme}")
    assert tab.complaints == []
    assert tab.requests == [told.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert tab.evaluate(BEYOND) == []
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


def test_every_drawing_has_a_name_for_those_who_cannot_see_it(tab: Tab, told: Path) -> None:
    tab.show(told, SIZES["wide"])
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    drawings = [one for one in nodes if one.get("role", {}).get("value") in ("image", "img") and not one["ignored"]]
    assert drawings
    assert [one for one in drawings if not one.get("name", {}).get("value")] == []
    headings = [one["name"]["value"] for one in nodes if one.get("role", {}).get("value") == "heading"]
    assert {"Timeline", "Verdicts", "Evidence", "Plan and environment"} <= set(headings)


def test_steps_open_by_keyboard_alone(tab: Tab, told: Path) -> None:
    tab.show(told, SIZES["wide"])
    focused = "document.activeElement.closest('details.step:not([open])') !== null"
    for _ in range(30):
        tab.press("Tab", 9)
        if tab.evaluate(focused):
            break
    assert tab.evaluate(focused)
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "who uses the keyboard sees where they are"
    tab.press("Enter", 13)
    assert tab.evaluate("document.activeElement.closest('details').open")
    assert tab.evaluate("document.activeElement.closest('details').querySelector('.more').innerText.includes('UTC')")


def test_on_paper_it_is_a4_white_and_cuts_no_bar(tab: Tab, told: Path) -> None:
    paper = (717, 1000)  # A4 without its margins
    tab.show(told, paper, "dark", media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate(BEYOND) == []
    rows = "[...document.querySelectorAll('figure, .step, .span, tr')].map(one => getComputedStyle(one).breakInside)"
    assert set(tab.evaluate(rows)) == {"avoid"}
    printed = tab.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
    pdf = base64.b64decode(printed["data"])
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {A4}
    if "SCREENSHOTS" in os.environ:
        Path(os.environ["SCREENSHOTS"], f"{told.stem}.pdf").write_bytes(pdf)
    assert len(boxes) <= 12


def test_a_chart_s_lines_keep_their_width_and_its_words_their_size_on_a_phone(tab: Tab, told: Path) -> None:
    for size in SIZES:
        tab.show(told, SIZES[size])
        effects = "[...document.querySelectorAll('.line')].map(one => getComputedStyle(one).vectorEffect)"
        assert set(tab.evaluate(effects)) <= {"non-scaling-stroke"}
        sizes = "[...document.querySelectorAll('svg text')].map(one => getComputedStyle(one).fontSize)"
        assert set(tab.evaluate(sizes)) == {"12px"}
