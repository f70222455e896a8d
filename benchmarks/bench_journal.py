"""What durability costs, and whether history stays fast: `python benchmarks/bench_journal.py [FOLDER]`.

One step writes two durable records. They are compared with two bare inserts, each its own transaction with the same
settings (WAL, synchronous=FULL), in a database of its own in the same folder; the two alternate. `ospec history` is
timed as a whole process over 10 and over 10,000 runs that lie in real journals.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ospec.engine.journal import Journal
from ospec.models.run import RunHeader
from ospec.naming import canonical_json
from ospec.stores.sqlite import SqliteStore

DOCUMENT = Path(__file__).parents[1] / "examples" / "hello" / "ospec.toml"
SERVICE = "hello"
"""What the document calls its service: `ospec history` lists its runs alone."""
STEPS = 400
RUNS = {"10": 10, "10000": 10_000}
HISTORY_ROUNDS = 21
BOUNDS = {"step": 1.5, "history": 2.0}
"""Times the bare inserts; times the history of ten runs."""
STARTED = {"step": "05-health", "kind": "health", "title": "wait until slot blue is healthy"}
FINISHED = {**STARTED, "status": "ok", "result": {"checks": 2, "asked": 9, "seconds": 0.198}}


def header(number: int) -> RunHeader:
    """A run that differs from others by its number."""
    return RunHeader(f"run-{number:06}", SERVICE, "production", "deploy", f"v{number}", f"id{number}", float(number))


def steps_against_inserts(folder: Path) -> dict[str, float]:
    """Median milliseconds of one step's two records, and of two bare inserts of the same text."""
    store = SqliteStore(folder / "steps")
    lease = store.acquire(SERVICE, "production")
    assert lease is not None
    journal = Journal.start(store, lease, header(0), {"run": "run-000000"}, lambda record: None)
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    texts = [canonical_json(STARTED), canonical_json(FINISHED)]

    def one_step() -> None:
        journal.append("step-started", **STARTED)
        journal.append("step-finished", **FINISHED)

    def two_inserts() -> None:
        for text in texts:
            bare.execute("INSERT INTO rows (body) VALUES (?)", (text,))

    times: dict[str, list[float]] = {"step": [], "two inserts": []}
    for _ in range(STEPS):
        for name, write in (("step", one_step), ("two inserts", two_inserts)):
            began = time.perf_counter()
            write()
            times[name].append((time.perf_counter() - began) * 1000)
    journal.close("promoted", 0)
    lease.release()
    store.close()
    bare.close()
    return {name: statistics.median(values) for name, values in times.items()}


def fill(home: Path, count: int) -> None:
    """A journal of `count` finished runs with one step each."""
    store = SqliteStore(home)
    # Only the filling need not survive a power cut.
    store._connection.execute("PRAGMA synchronous=OFF")  # noqa: SLF001
    lease = store.acquire(SERVICE, "production")
    assert lease is not None
    for number in range(count):
        journal = Journal.start(store, lease, header(number), {"run": f"run-{number:06}"}, lambda record: None)
        journal.append("step-started", **STARTED)
        journal.append("step-finished", **FINISHED)
        journal.close("promoted", 0)
    lease.release()
    store.close()


def history(folder: Path) -> dict[str, float]:
    """Median milliseconds of a whole `ospec history`, by how many runs there are."""
    command = [str(Path(sys.executable).parent / "ospec"), "history", "-f", str(DOCUMENT)]
    times: dict[str, list[float]] = {name: [] for name in RUNS}
    for name, count in RUNS.items():
        fill(folder / name, count)
    for _ in range(HISTORY_ROUNDS):
        for name, taken in times.items():
            environ = {**os.environ, "OSPEC_HOME": str(folder / name), "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
            environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users have compiled modules
            began = time.perf_counter()
            told = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
            taken.append((time.perf_counter() - began) * 1000)
            assert told.count(b"\n") == min(20, RUNS[name]), told
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        written, listed = steps_against_inserts(Path(name)), history(Path(name))
    ratios = {"step": written["step"] / written["two inserts"], "history": listed["10000"] / listed["10"]}
    report = {
        "milliseconds": {key: round(value, 3) for key, value in written.items()},
        "history_milliseconds_by_runs": {key: round(value, 1) for key, value in listed.items()},
        "ratios": {key: round(value, 2) for key, value in ratios.items()},
        "bounds": BOUNDS,
        "within_bounds": all(ratios[key] <= bound for key, bound in BOUNDS.items()),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["within_bounds"] else 1


if __name__ == "__main__":
    sys.exit(main())
