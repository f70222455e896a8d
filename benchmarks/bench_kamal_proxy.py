"""The same switches on kamal-proxy's way and on ours: `python benchmarks/bench_kamal_proxy.py [KAMAL_PROXY]`.

Both replace one instance of the light server by another under the same open-loop keep-alive load: start the new one,
wait until it answers, give it the traffic, let the old one finish, end it. What is compared is what moves the traffic:
kamal-proxy's deploy command on a target that answers already (it checks its health, swaps, and waits for the old one's
requests), and our switch step by its journal records (weights and the proxy's acknowledgement; we wait for the old
one's requests when its slot is taken away).

KAMAL_PROXY is the program, without it the one on PATH; where there is none the comparison is skipped, and says so. Our
step is held against what the peer took when it was measured first on such a machine, 10 ms; both are told.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ospec.testing.load import Load
from ospec.testing.load_samples import LoadResult
from workbench import SERVER, Workbench, finish, free_port, spread, wait_for_answer

SWITCHES, RATE, CONNECTIONS = 20, 2000.0, 64
PEER_MS = 10.0
"""The peer's command, p50, as it was measured on such a machine; more where it takes more in the same run."""


def figures(result: LoadResult, switches: list[float], shifts: list[float]) -> dict[str, Any]:
    """What is told of each side; seconds in, milliseconds out."""
    return {
        "requests": result.requests,
        "failed": result.failed,
        "errors": dict(result.errors),
        "latency_ms": {"p50": result.p50_ms, "p99": result.p99_ms},
        "switch_ms": spread([value * 1000 for value in switches]),
        "start_of_switch_to_first_on_new_ms": spread([value * 1000 for value in shifts]),
    }


def ours() -> dict[str, Any]:
    """Whole deploys by `ospec run deploy`."""
    with Workbench(window=0.0) as bench:
        bench.deploy("v0")
        with Load(bench.url, rate=RATE, connections=CONNECTIONS) as load:
            runs = [bench.deploy(f"v{number}") for number in range(1, SWITCHES + 1)]
        result = load.stop()
    switches, shifts = [], []
    for run in runs:
        began, ended = (one.at for one in run.records if one.body.get("kind") == "switch")
        switches.append(ended - began)
        shifts.append(result.by_release[run.answer["release"]].first_done - began)
    return figures(result, switches, shifts)


def theirs(program: str, folder: Path) -> dict[str, Any]:
    """The same by the peer's own command line."""
    environ = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    port = free_port()
    ports = ["--http-port", str(port), "--https-port", str(port + 500)]
    with (folder / "log").open("wb") as log:
        proxy = subprocess.Popen([program, "run", *ports], env=environ, stdout=log, stderr=log)
        apps: list[subprocess.Popen[bytes]] = []
        try:
            wait_for_socket(folder / "kamal-proxy.sock")
            switches, started = [], []

            def deploy(number: int) -> None:
                apps.append(start_server(environ, f"v{number}", at := port + 1 + number))
                wait_for_answer(at)
                started.append(time.time())
                command = [program, "deploy", "bench", "--target", f"127.0.0.1:{at}", "--health-check-path", "/health"]
                subprocess.run(command, env=environ, check=True, capture_output=True)
                switches.append(time.time() - started[-1])
                for old in apps[:-1]:
                    end(old)

            deploy(0)
            with Load(f"http://127.0.0.1:{port}/", rate=RATE, connections=CONNECTIONS) as load:
                for number in range(1, SWITCHES + 1):
                    deploy(number)
                    time.sleep(0.5)  # traffic between switches, as between whole deploys
            result = load.stop()
        finally:
            for app in apps:
                end(app)
            end(proxy)
    spans = result.by_release
    shifts = [spans[f"v{number}"].first_done - started[number] for number in range(1, SWITCHES + 1)]
    return figures(result, switches[1:], shifts)


def start_server(environ: dict[str, str], release: str, port: int) -> subprocess.Popen[bytes]:
    """The light server, which tells its release itself."""
    told = {"PORT": str(port), "OSPEC_RELEASE": release, "RELEASE_HEADER": "x-ospec-release"}
    return subprocess.Popen([sys.executable, "-S", str(SERVER)], env={**environ, **told})


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours, and wait for it; nothing happens the second time."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def wait_for_socket(path: Path) -> None:
    """Return when the proxy takes commands."""
    end_at = time.monotonic() + 10.0
    while not path.exists():
        if time.monotonic() > end_at:
            raise TimeoutError(f"kamal-proxy did not make {path}")
        time.sleep(0.01)


def main() -> int:
    """Print the figures as JSON; 1 where a bound is broken."""
    program = sys.argv[1] if len(sys.argv) > 1 else shutil.which("kamal-proxy")
    report: dict[str, Any] = {"ospec": ours()}
    if program:
        with tempfile.TemporaryDirectory() as folder:
            report["kamal-proxy"] = theirs(program, Path(folder))
    else:
        report["kamal-proxy"] = {"skipped": "not on PATH, and not given as an argument"}
    failed = sum(side.get("failed", 0) for side in report.values())
    step = report["ospec"]["switch_ms"]["p50"]
    bound = max(PEER_MS, report["kamal-proxy"].get("switch_ms", {"p50": 0.0})["p50"])
    bounds = {"failed": 0, "our_switch_p50_ms": bound}
    return finish({**report, "bounds": bounds, "within_bounds": not failed and step <= bound})


if __name__ == "__main__":
    sys.exit(main())
