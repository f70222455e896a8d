"""How long whole commands take against `import click`: `python benchmarks/bench_startup.py`.

The rounds alternate, so that a slow moment of the machine meets all alike; the ratio is that of the medians. Also told
are SDKs that `ospec plan` imported: none is allowed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 41
BOUNDS = {"help": 1.6, "plan": 6.0}
"""Times `python -c "import click"`."""
SDKS = ("opentelemetry.sdk", "prometheus_client", "supervisor", "boto3", "kubernetes", "httpx")
DOCUMENT = Path(__file__).parents[1] / "examples" / "hello" / "ospec.toml"


def commands() -> dict[str, list[str]]:
    """What is measured, by name; `ospec` is the console script beside this interpreter."""
    ospec = str(Path(sys.executable).parent / "ospec")
    return {
        "pass": [sys.executable, "-c", "pass"],
        "click": [sys.executable, "-c", "import click"],
        "help": [ospec, "--help"],
        "plan": [ospec, "plan", "-f", str(DOCUMENT), "--release", "v1"],
    }


def run(command: list[str], environ: dict[str, str]) -> float:
    """Seconds of one whole process; raises `CalledProcessError` where it fails."""
    began = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return time.perf_counter() - began


def imported_sdks(command: list[str], environ: dict[str, str]) -> list[str]:
    """Which SDKs the command imports, as the interpreter itself tells."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
        text=True,
    ).stderr
    modules = {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}
    return sorted(name for name in SDKS if any(module == name or module.startswith(f"{name}.") for module in modules))


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "OSPEC_HOME": home, "PYTHONPYCACHEPREFIX": str(Path(home) / "pycache")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users have compiled modules
        wanted = commands()
        for command in wanted.values():
            run(command, environ)  # compiles and caches
        rounds = [{name: run(command, environ) for name, command in wanted.items()} for _ in range(ROUNDS)]
        sdks = imported_sdks(wanted["plan"], environ)
    medians = {name: statistics.median(one[name] for one in rounds) for name in wanted}
    ratios = {name: medians[name] / medians["click"] for name in BOUNDS}
    report = {
        "milliseconds": {name: round(value * 1000, 1) for name, value in medians.items()},
        "times_import_click": {name: round(value, 2) for name, value in ratios.items()},
        "sdks_imported_by_plan": sdks,
        "bounds": BOUNDS,
        "within_bounds": not sdks and all(ratios[name] <= bound for name, bound in BOUNDS.items()),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["within_bounds"] else 1


if __name__ == "__main__":
    sys.exit(main())
