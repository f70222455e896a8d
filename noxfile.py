"""Every task of a developer: `nox -l` lists them, `nox` runs those that guard a change."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").is_file())
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))
CODE = ("core/src", *(f"plugins/{name}/src" for name in PLUGINS), "noxfile.py", "tools", "benchmarks", "examples/hello")

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types", "layers", "packages", "readme", "browser", "prometheus", "tests"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True

TEST_TOOLS = ("pytest", "pytest-xdist", "hypothesis", "psutil", "websockets", "jsonschema", "markdown-it-py")


def install_workspace(session: nox.Session, *more: str) -> None:
    """Install the core and every plugin from the checkout, editable, with ``more`` packages."""
    editable = ["./core[otlp,testing]", *(f"./plugins/{name}" for name in PLUGINS)]
    arguments = [part for path in editable for part in ("-e", path)]
    session.install("-q", *CONSTRAINTS, *arguments, *more)


@nox.session
def tests(session: nox.Session) -> None:
    """Unit, conformance, contract and end-to-end tests. Arguments go to pytest."""
    install_workspace(session, *TEST_TOOLS)
    session.run("pytest", *(session.posargs or ("-q", "-n", "2", "--dist", "loadfile")))


@nox.session
def prometheus(session: nox.Session) -> None:
    """Tests with a real Prometheus: on PATH, in OSPEC_PROMETHEUS, or installed from Debian's packages."""
    install_workspace(session, *TEST_TOOLS)
    found = os.environ.get("OSPEC_PROMETHEUS") or shutil.which("prometheus") or installed(session, "prometheus")
    tests = ("tests/prometheus", "plugins/ospec-plugin-prometheus/tests")
    session.run("pytest", "-q", *tests, *session.posargs, env={"OSPEC_PROMETHEUS": found})


def installed(session: nox.Session, package: str) -> str:
    """Install a package of Debian or Ubuntu that brings a program of its name; where the program is."""
    mine = () if os.geteuid() == 0 else ("sudo", "-n")
    if not shutil.which("apt-get") or (mine and not shutil.which("sudo")):
        session.error(f"there is no {package}: put it on PATH, or its path into OSPEC_{package.upper()}")
    session.run(*mine, "apt-get", "-q", "update", external=True)
    session.run(*mine, "apt-get", "-q", "install", "-y", "--no-install-recommends", package, external=True)
    return shutil.which(package) or session.error(f"{package} was installed and is not on PATH")


@nox.session
def crash(session: nox.Session) -> None:
    """The whole crash matrix: SIGKILL before and after every journal record."""
    install_workspace(session, *TEST_TOOLS)
    session.run("pytest", "-q", "tests/e2e/test_crash_matrix.py", *session.posargs, env={"OSPEC_TESTS": "all"})


@nox.session
def browser(session: nox.Session) -> None:
    """The report of a run in a real browser; `SCREENSHOTS=FOLDER` keeps the pictures. Arguments go to pytest."""
    program = browser_program(session)
    install_workspace(session, *TEST_TOOLS)
    arguments = session.posargs or ("-q", "tests/reporting/test_in_a_browser.py")
    session.run("pytest", *arguments, env={"CHROMIUM": program})


def browser_program(session: nox.Session) -> str:
    """A Chromium on PATH; as root on Debian it is installed, elsewhere its session is skipped."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        session.run("apt-get", "update", "-qq", external=True)
        session.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", external=True)
        found = shutil.which("chromium")
    if found is None:
        session.skip("no Chromium or Chrome on PATH")
    return str(found)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and formatting."""
    session.install("-q", *CONSTRAINTS, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over the core, the plugins and the tests."""
    install_workspace(session, *TEST_TOOLS, "mypy", "types-psutil", "types-jsonschema", "nox")
    session.run("mypy", *(path for path in CODE if (ROOT / path).exists()))
    session.run("mypy", "--explicit-package-bases", "tests")  # its folders have modules of the same names
    for name in PLUGINS:
        if (ROOT / "plugins" / name / "tests").is_dir():
            session.run("mypy", f"plugins/{name}/tests")


@nox.session
def layers(session: nox.Session) -> None:
    """Imports go downward only (contracts in pyproject.toml)."""
    install_workspace(session, "import-linter")
    session.run("lint-imports", "--no-cache")


@nox.session
def docs(session: nox.Session) -> None:
    """The part of the tests that holds the documentation to the code; arguments go to pytest."""
    install_workspace(session, *TEST_TOOLS)
    session.run("pytest", "-q", "tests/docs", *session.posargs)


@nox.session
def generate(session: nox.Session) -> None:
    """Write what is generated: reference pages and ospec.toml.example. The tests say when it is due."""
    install_workspace(session)
    for tool in ("command_reference", "document_example", "document_reference", "hook_reference", "strategy_matrix"):
        session.run("python", f"tools/{tool}.py")


@nox.session(reuse_venv=False)
def packages(session: nox.Session) -> None:
    """Build every wheel; install the core's alone, then each plugin's on top, in fresh environments."""
    wheels = Path(session.create_tmp()) / "wheels"
    sources = ["./core", *(f"./plugins/{name}" for name in PLUGINS)]
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), *sources)
    session.install("-q", *CONSTRAINTS, str(one(wheels, "ospec-[0-9]*.whl")))
    core_alone(session)
    for name in PLUGINS:
        session.install("-q", *CONSTRAINTS, str(one(wheels, name.replace("-", "_") + "-[0-9]*.whl")))
        found = json.loads(captured(session, "ospec", "plugins", "list", "--json"))
        entry = next((one for one in found["plugins"] if one["distribution"] == name), None)
        if entry is None or entry["error"] or not entry["brings"]:
            session.error(f"{name} is installed and was not discovered whole: {found['plugins']}")
        session.run("python", "-m", "pip", "uninstall", "-q", "-y", name)


def core_alone(session: nox.Session) -> None:
    """Without plugins, `ospec plan` of a local document says which package to install, and refuses."""
    answer = captured(session, "ospec", "plan", "-f", "examples/hello/ospec.toml", "--json", codes=[5])
    error = json.loads(answer)["error"]
    if "ospec-plugin-local" not in " ".join(error["hints"]):
        session.error(f"the core alone does not say that ospec-plugin-local is missing: {error}")


def captured(session: nox.Session, *command: str, codes: list[int] | None = None) -> str:
    """Run ``command`` and return its stdout; its stderr stays visible."""
    output = session.run(*command, silent=True, stderr=sys.stderr, success_codes=codes or [0])
    return str(output)


def one(folder: Path, pattern: str) -> Path:
    """The newest file of ``folder`` that matches: an earlier build may have left others."""
    return max(folder.glob(pattern), key=os.path.getmtime).resolve()


@nox.session(venv_backend="none")
def readme(session: nox.Session) -> None:
    """The README's first command, pasted into a fresh clone; what it deployed is taken away again."""
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("$ "))
    with tempfile.TemporaryDirectory() as folder:
        session.run("git", "clone", "-q", str(ROOT), folder, external=True)
        with session.chdir(folder):
            try:
                session.run("sh", "-c", line.removeprefix("$ "), external=True)
            finally:
                session.run(".venv/bin/ospec", "down", "-f", "examples/hello/ospec.toml", "--yes", external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Which lines the tests run, subprocesses included."""
    install_workspace(session, *TEST_TOOLS, "coverage")
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The figures of benchmarks/README.md; arguments choose files (`nox -s benchmarks -- bench_startup`)."""
    install_workspace(session, *TEST_TOOLS)
    names = session.posargs or sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))
    for name in names:
        session.run("python", f"benchmarks/{name}.py")
