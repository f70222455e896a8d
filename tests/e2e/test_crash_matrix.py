"""SIGKILL before and after every journal record of a deploy, then `ospec resume`: nobody notices, nothing is doubled.

The normal run takes a sample of the records; with OSPEC_TESTS=all it takes every one (nox session `crash`).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from ospec.models.run import Record
from ospec.stores.sqlite import open_sqlite
from ospec.testing.load import Load

SCRIPT = """\
import fcntl, os, sys, time
with open(os.environ["EFFECTS"], "a+") as effects:
    effects.seek(0)
    tried = f"begin-{sys.argv[1]} {os.environ['OSPEC_RELEASE']}" in effects.read()
    def tell(what):
        effects.write(f"{what} {os.environ['OSPEC_RELEASE']}\\n")
        effects.flush()
    with open(os.environ["EFFECTS"] + ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("overlap")
        tell("begin-" + sys.argv[1])
        time.sleep(0.2)
        tell("end-" + sys.argv[1])
"""
GOOD = range(1, 27)
"""The records of a deploy that is promoted."""
BAD = range(18, 36)
"""The records of one that is sent back in the guard window, from its switch to its end."""
SAMPLE_GOOD = [
    (1, "before"),
    (1, "after"),
    (5, "after"),  # a script is about to begin
    (6, "before"),  # it has ended, and nobody wrote that down
    (10, "before"),  # the platform has deployed
    (19, "before"),  # it has switched
    (25, "before"),  # it has retired
    (26, "after"),
]
SAMPLE_BAD = [(24, "before"), (30, "before"), (35, "before")]


def cuts(records: range, sample: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Where to cut: everywhere, or the sample."""
    if os.environ.get("OSPEC_TESTS") == "all":
        return [(record, side) for record in records for side in ("before", "after")]
    return sample


class Matrix:
    """One service over all cuts of this file; releases are numbered."""

    def __init__(self, shop: Any, effects: Path) -> None:
        self.shop, self.effects, self.releases = shop, effects, 0
        shop.variables["EFFECTS"] = str(effects)
        (shop.folder / "script.py").write_text(SCRIPT)
        command = f"exec {sys.executable} script.py"
        shop.settings["scripts"] = f'test = "{command} test"\nsmoke_test = "{command} smoke"'
        shop.settings["validation"] = ', "smoke_tests"'

    def new(self) -> str:
        """The next release's name; its content differs from every other's."""
        self.releases += 1
        (self.shop.folder / "number.txt").write_text(f"{self.releases}\n")
        return f"r{self.releases}"

    def done(self, release: str) -> Counter[str]:
        """How often each thing was done for a release."""
        lines = (line.split() for line in self.effects.read_text().splitlines())
        return Counter(what for what, who in lines if who == release)

    def cut(self, record: int, side: str, release: str) -> None:
        """Deploy until the cut, which has to happen."""
        driver = ("ospec.testing.crash", f"--{side}", str(record), "--")
        process = self.shop.begin("run", "deploy", "--release", release, "--yes", module=driver)
        told = process.communicate(timeout=120)
        assert process.returncode == -SIGKILL, f"the run has no record {record}: {told}"

    def records(self) -> list[Record]:
        """The last run's records."""
        with closing(open_sqlite(self.shop.home, {})) as journal:
            return journal.records(journal.runs(limit=1)[0].run)

    def first_record(self, step: str) -> int:
        """The number of the record that began a step of the last run."""
        return next(one.seq for one in self.records() if one.body.get("step") == step)


@pytest.fixture
def matrix(shops: Callable[..., Any], tmp_path: Path) -> Matrix:
    """A service with a release that serves."""
    made = Matrix(shops(), tmp_path / "effects")
    release = made.new()
    made.shop.deploy(release)
    return made


def test_the_matrix_holds_every_record(matrix: Matrix) -> None:
    release = matrix.new()
    matrix.shop.deploy(release)
    good = matrix.records()
    matrix.shop.settings["window"] = 30
    bad = matrix.new()
    with Load(matrix.shop.url + "/error", rate=50):
        report = matrix.shop.deploy(bad, "error-page", code=1)
    returned = matrix.records()
    assert (GOOD[0], GOOD[-1]) == (1, len(good))
    switches = [step["id"] for step in report["steps"] if step["kind"] == "switch"]
    assert (BAD[0], BAD[-1]) == (matrix.first_record(switches[0]), len(returned))


@pytest.mark.parametrize(("record", "side"), cuts(GOOD, SAMPLE_GOOD))
def test_a_deploy_that_is_cut(matrix: Matrix, record: int, side: str) -> None:
    shop, old = matrix.shop, f"r{matrix.releases}"
    new = matrix.new()
    shop.write()
    with Load(shop.url + "/", rate=100, connections=8, fresh_share=0.1) as load:
        matrix.cut(record, side, new)
        report = shop.ospec("resume", "--yes")
    result = load.stop()
    began = (record, side) != (1, "before")
    went_on = began and (record, side) != (GOOD[-1], "after")
    assert report["outcome"] == ("promoted" if went_on else None)
    assert result.failed == 0, result.samples.failures()[:5]
    shop.serves(new if began else old)
    done = matrix.done(new)
    assert done["overlap"] == 0, "a script ran beside the one that was cut"
    assert done["start"] == (2 if began else 0), "an instance was started again"
    assert done["end-test"] + done["begin-test"] <= 4
    nothing_is_left(matrix, new if began else old)


@pytest.mark.parametrize(("record", "side"), cuts(BAD, SAMPLE_BAD))
def test_a_return_that_is_cut(matrix: Matrix, record: int, side: str) -> None:
    shop, old = matrix.shop, f"r{matrix.releases}"
    bad = matrix.new()
    shop.write("error-page", window=30)
    with ExitStack() as loads:
        load = loads.enter_context(Load(shop.url + "/", rate=100, connections=8, fresh_share=0.1))
        loads.enter_context(Load(shop.url + "/error", rate=50))
        matrix.cut(record, side, bad)
        ended = (record, side) == (BAD[-1], "after")
        report = shop.ospec("resume", "--yes", code=0 if ended else 1)
    result = load.stop()
    assert report["outcome"] == (None if ended else "restored")
    assert result.failed == 0, result.samples.failures()[:5]
    shop.serves(old)
    assert matrix.done(old)["start"] == 2, "the release to return to was warm, and was started again"
    assert matrix.done(bad)["overlap"] == 0
    nothing_is_left(matrix, old)


@pytest.mark.parametrize("way_on", ["resume", "abort", "down"])
def test_a_script_that_outlives_its_deployer(matrix: Matrix, until: Any, way_on: str) -> None:
    shop, old = matrix.shop, f"r{matrix.releases}"
    new = matrix.new()
    shop.write()
    (shop.folder / "script.py").write_text(
        SCRIPT.replace("sleep(0.2)", "sleep(600 if sys.argv[1] == 'test' and not tried else 0.2)")
    )
    deploy = shop.begin("run", "deploy", "--release", new, "--yes")
    until(lambda: matrix.done(new)["begin-test"])
    deploy.kill()
    deploy.communicate()
    assert shop.processes(new), "the script should have gone on, or this test shows nothing"
    report = shop.ospec(way_on, *([] if way_on == "abort" else ["--yes"]))
    done = matrix.done(new)
    assert (done["overlap"], done["end-smoke"] > 0) == (0, way_on == "resume")
    if way_on == "down":
        until(lambda: not shop.processes())
    else:
        assert report["outcome"] == ("promoted" if way_on == "resume" else "aborted")
        shop.serves(new if way_on == "resume" else old)
        nothing_is_left(matrix, new if way_on == "resume" else old)


def nothing_is_left(matrix: Matrix, release: str) -> None:
    """One release runs, with its two instances, and the journal is whole and closed."""
    shop = matrix.shop
    assert len(shop.processes(release)) == 2
    for other in range(1, matrix.releases + 1):
        assert f"r{other}" == release or shop.processes(f"r{other}") == []
    records = matrix.records()
    assert [one.seq for one in records] == list(range(1, len(records) + 1))
    kinds = [one.kind for one in records]
    assert (kinds[0], kinds[-1]) == ("run-started", "run-finished")
    assert (kinds.count("run-started"), kinds.count("run-finished")) == (1, 1)
