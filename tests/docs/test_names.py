"""Every name that people meet has its heading or its row in the reference."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from ospec import builtin
from ospec.engine.report import refusal
from ospec.errors import ExitCode, RefusedError
from ospec.models.registration import StepKind
from ospec.telemetry import names
from ospec_plugin_local.settings import LocalSettings
from ospec_plugin_prometheus.builtin_queries import BUILTINS
from ospec_plugin_prometheus.settings import PrometheusSettings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def codes_in(source: str) -> Iterator[str]:
    """Error codes: what is given as `code=...` in a call, or is the default of such a parameter."""
    for node in ast.walk(ast.parse(source)):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        elif isinstance(node, ast.FunctionDef):
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            values = [default for argument, default in pairs if argument.arg == "code"]
        for value in values:
            for part in ast.walk(value) if value else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_every_error_code_has_its_heading_and_no_heading_is_left_over(headings: Any) -> None:
    sources = [*(ROOT / "core" / "src").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    raised = {code for path in sources for code in codes_in(path.read_text(encoding="utf-8"))}
    told = [heading for heading in headings("errors.md") if re.fullmatch(r"[a-z]+(-[a-z]+)*", heading)]
    assert {"not told": raised - set(told), "not raised": set(told) - raised} == {
        "not told": set(),
        "not raised": set(),
    }
    assert len(told) == len(set(told))


@pytest.mark.parametrize("code", list(ExitCode), ids=str)
def test_every_exit_code_has_its_row(code: ExitCode) -> None:
    assert f"| {code.value} | `{code.name}` |" in (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")


def test_every_step_kind_has_its_heading(headings: Any) -> None:
    kinds = [one.name for one in builtin.register_steps() if isinstance(one, StepKind)]
    assert sorted(headings("step-kinds.md")[1:]) == sorted([*kinds, "guardrail"])  # that one asks what plugins register


def test_every_metric_has_its_heading(headings: Any) -> None:
    metrics = [value for value in vars(names).values() if isinstance(value, str) and value.startswith("ospec_")]
    told = [heading for heading in headings("telemetry.md") if heading.startswith("ospec_")]
    assert sorted(told) == sorted(metrics)


def test_every_span_and_attribute_is_told() -> None:
    page = (REFERENCE / "telemetry.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z_.]+\.[a-z_]*)", page))
    values = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert {value for value in values if "." in value} - told == set()


def test_every_key_of_a_report_is_told() -> None:
    made = refusal(RefusedError("no", code="open-run"))
    page = (REFERENCE / "report.md").read_text(encoding="utf-8")
    told = {name for row in re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == set(made) | set(made["evidence"])


def test_every_environment_variable_is_told() -> None:
    sources = [*(ROOT / "core" / "src").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    named = {name for path in sources for name in re.findall(r"\bOSPEC_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    internal = {
        name for name in named if name.startswith("OSPEC_LOCAL_")
    }  # from the local platform to its own programs
    assert named - internal - set(re.findall(r"`(\w+)`", page)) == set()


def test_every_setting_of_the_local_platform_has_its_row() -> None:
    page = (REFERENCE / "local.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", page, re.MULTILINE)
    fields = [
        (one.name, f'"{one.default}"' if isinstance(one.default, str) else f"{one.default:g}")
        for one in attrs.fields(LocalSettings)
    ]
    assert told == fields


def test_every_setting_and_built_in_query_of_prometheus_has_its_row() -> None:
    page = (REFERENCE / "prometheus.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert {one.name for one in attrs.fields(PrometheusSettings)} | set(BUILTINS) <= set(rows)


@pytest.mark.parametrize(
    ("tool", "name"),
    [("command_reference", "cli.md"), ("document_reference", "document.md"), ("strategy_matrix", "strategies.md")],
    ids=str,
)
def test_a_generated_page_is_current(tool: str, name: str) -> None:
    made = runpy.run_path(str(ROOT / "tools" / f"{tool}.py"))["reference"]()
    assert (REFERENCE / name).read_text(encoding="utf-8") == made, f"run python tools/{tool}.py"
