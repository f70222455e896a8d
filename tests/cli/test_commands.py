"""The commands over the script platform: what they print, what they exit with, what they say to do next."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from attrs import frozen
from ospec import builtin
from ospec.cli.logs import _refuse_unknown
from ospec.cli.main import COMMANDS, cli, main
from ospec.hookspecs import hookimpl
from ospec.models.live import Instance, LiveState, RenderedFile, Slot
from ospec.models.registration import StoreKind
from ospec.models.target import Process
from ospec.stages.load import load
from ospec.stages.resolve import resolve
from ospec.stores.sqlite import open_sqlite

DOCUMENT = """\
id = "scripted"
[stack]
deploy = "script"
[scripts]
build = "echo built > built.txt"
test = "test -f built.txt && echo all well"
deploy = "echo $OSPEC_RELEASE > ../../../current"
rollback = "echo $OSPEC_RELEASE > ../../../current"
health_check = "grep -qv bad ../../../current"
hello = ["echo", "hello $OSPEC_SERVICE"]
"""


@frozen
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ospec.toml").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OSPEC_HOME", raising=False)
    return tmp_path


@pytest.fixture
def ospec(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def call(*arguments: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        found = capfd.readouterr()
        return Done(int(ended.value.code or 0), found.out, found.err)

    return call


def current(folder: Path) -> str:
    return (folder / ".ospec" / "current").read_text().strip()


def test_a_deploy_with_its_report(folder: Path, ospec: Callable[..., Done]) -> None:
    done = ospec("run", "deploy", "--release", "v1", "--yes", "--json")
    assert done.code == 0, done.err
    report = done.json
    assert report["schema"] == "ospec.run/1"
    assert (report["outcome"], report["exit_code"], report["release"]) == ("promoted", 0, "v1")
    assert (report["service"], report["environment"], report["previous_release"]) == ("scripted", "default", None)
    assert report["error"] is None
    assert [step["id"] for step in report["steps"]][:4] == ["01-snapshot", "02-script", "03-script", "04-seal"]
    assert {"requests", "failed", "p50_ms", "p95_ms", "p99_ms", "by_release"} <= set(report["evidence"])
    assert "all well" in done.err
    assert current(folder) == "v1"
    assert not (folder / "built.txt").exists(), "scripts run in the snapshot"


def test_a_failed_deploy_runs_the_rollback_script_of_the_release_before(
    folder: Path, ospec: Callable[..., Done]
) -> None:
    ospec("run", "deploy", "--release", "v1", "--yes")
    assert ospec("run", "deploy", "--release", "v1", "--yes", "--json").json["outcome"] == "unchanged"
    (folder / "more").write_text("x")
    done = ospec("run", "deploy", "--release", "bad", "--yes", "--json")
    assert (done.code, done.json["outcome"], done.json["previous_release"]) == (1, "restored", "v1")
    assert done.json["error"]["code"] == "script-failed"
    assert [step["id"] for step in done.json["steps"]][-1] == "f01-delegate"
    assert current(folder) == "v1"


def test_a_rollback_script_that_does_not_restore_needs_a_person(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("ospec.toml").write_text(DOCUMENT.replace('rollback = "echo $OSPEC_RELEASE', 'rollback = "echo bad'))
    ospec("run", "deploy", "--release", "v1", "--yes")
    (folder / "more").write_text("x")
    done = ospec("run", "deploy", "--release", "bad", "--yes", "--json")
    assert (done.code, done.json["outcome"]) == (3, "failed")


def test_without_yes_nobody_is_guessed_to_agree(folder: Path, ospec: Callable[..., Done]) -> None:
    done = ospec("run", "deploy", "--release", "v1")
    assert done.code == 2
    assert "--yes" in done.err
    assert ospec("history").out == ""


def test_dry_run_and_plan_touch_nothing(folder: Path, ospec: Callable[..., Done]) -> None:
    for arguments in (("plan",), ("run", "deploy", "--dry-run")):
        done = ospec(*arguments)
        assert done.code == 0
        assert "05-delegate" in done.out
        assert not (folder / ".ospec").exists()


def test_a_plan_file_holds_until_something_changes(folder: Path, ospec: Callable[..., Done]) -> None:
    assert ospec("plan", "--out", "../plan.json", "--release", "v1").code == 0
    (folder / "new-file").write_text("x")
    stale = ospec("run", "deploy", "--plan", "../plan.json", "--yes", "--json")
    assert (stale.code, stale.json["outcome"], stale.json["error"]["code"]) == (5, "refused", "plan-stale")
    (folder / "new-file").unlink()
    assert ospec("run", "deploy", "--plan", "../plan.json", "--yes").code == 0
    edited = Path("../plan.json")
    edited.write_text(edited.read_text().replace("v1", "v9"))
    assert ospec("run", "deploy", "--plan", "../plan.json", "--yes").code == 2


def test_history_show_and_trace(folder: Path, ospec: Callable[..., Done]) -> None:
    assert ospec("history").code == 5
    run = ospec("run", "deploy", "--release", "v1", "--yes", "--json").json["run"]
    assert run in ospec("history").out
    assert ospec("history", "--json").json["runs"][0]["run"] == run
    assert ospec("show", run[:10], "--json").json["run"] == run
    shown = ospec("show", "--trace").out
    assert "run scripts.deploy" in shown
    assert "█" in shown or "▏" in shown
    kinds = [json.loads(line)["kind"] for line in ospec("show", "--records").out.splitlines()]
    assert (kinds[0], kinds[-1]) == ("run-started", "run-finished")
    missing = ospec("show", "nope")
    assert (missing.code, "ospec history" in missing.err) == (5, True)


def test_a_report_is_a_file_or_on_standard_output(folder: Path, ospec: Callable[..., Done]) -> None:
    run = ospec("run", "deploy", "--release", "v1", "--yes", "--json").json["run"]
    told = ospec("report", run[:20], "-o", "run.html", "--json").json
    text = (folder / "run.html").read_text()
    assert (told["schema"], told["run"], told["outcome"], told["file"]) == ("ospec.page/1", run, "promoted", "run.html")
    assert told["bytes"] == len(text.encode())
    assert "v1 serves." in text
    assert ospec("report", "-o", "-").out == text, "the newest run, and the same page each time"
    assert ospec("report").out.strip() == f"ospec-{run}.html"
    assert [one.name for one in folder.iterdir() if one.name.endswith(".part")] == []


def test_a_report_of_a_failed_run_tells_what_to_do_next(folder: Path, ospec: Callable[..., Done]) -> None:
    ospec("run", "deploy", "--release", "bad", "--yes")
    text = ospec("report", "-o", "-").out
    assert "script-failed" in text
    assert "Nothing served before it." in text


def test_a_report_that_cannot_be_written_or_made_is_a_plain_error(folder: Path, ospec: Callable[..., Done]) -> None:
    done = ospec("report", "--json")
    assert (done.code, done.json["error"]["code"]) == (5, "no-runs")
    ospec("run", "deploy", "--release", "v1", "--yes")
    done = ospec("report", "-o", "nowhere/run.html", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "cannot-write")
    assert "Traceback" not in done.err
    done = ospec("report", "-o", "-", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    done = ospec("report", "no-such-run", "--json")
    assert done.json["error"]["code"] == "unknown-run"


def test_the_journal_says_what_executed_a_run_and_names_nobody(
    folder: Path, ospec: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "HOSTNAME", "SECRET_TOKEN"):
        monkeypatch.setenv(name, "canary-of-a-person")
    ospec("run", "deploy", "--release", "v1", "--yes")
    told = json.loads(ospec("show", "--records").out.splitlines()[0])["executed_by"]
    assert set(told) == {"ospec", "plugins", "python", "system", "machine", "host_kind"}
    assert "ospec-plugin-script" in told["plugins"]
    page = ospec("report", "-o", "-").out
    assert "ospec-plugin-script" in page
    assert "canary-of-a-person" not in page


def test_metrics_are_written_as_prometheus_text(folder: Path, ospec: Callable[..., Done]) -> None:
    assert ospec("run", "deploy", "--release", "v1", "--yes", "--metrics-file", "../ospec.prom").code == 0
    text = Path("../ospec.prom").read_text()
    assert re.search(r'ospec_hook_calls_total\{hook="observe",outcome="ok",plugin="script"\} [1-9]', text)


def test_scripts_by_name(folder: Path, ospec: Callable[..., Done]) -> None:
    done = ospec("run", "hello")
    assert (done.code, done.err) == (0, "hello $OSPEC_SERVICE\n"), "a list has no shell"
    assert ospec("run", "build").code == 0
    assert (folder / "built.txt").exists(), "by its name a script runs in the document's folder"
    wrong = ospec("run", "biuld")
    assert (wrong.code, "'build'" in wrong.err) == (2, True)


def test_rollback_and_back_again(folder: Path, ospec: Callable[..., Done]) -> None:
    ospec("run", "deploy", "--release", "v1", "--yes")
    none = ospec("run", "rollback", "--yes", "--json")
    assert (none.code, none.json["error"]["code"]) == (5, "nothing-to-roll-back")
    (folder / "x").write_text("2")
    ospec("run", "deploy", "--release", "v2", "--yes")
    assert ospec("run", "rollback", "--yes").code == 0
    assert current(folder) == "v1"
    assert ospec("run", "rollback", "--to", "v2", "--yes").code == 0
    assert current(folder) == "v2"


def test_validate_tells_all_faults_with_places(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("bad.toml").write_text('[deployment]\nstratgy = "x"\nkeep_seconds = "soon"\n[monitoring]\nhealth_checks = 3\n')
    done = ospec("validate", "bad.toml")
    assert done.code == 2
    places = re.findall(r"bad\.toml:(\d+):(\d+)", done.err)
    assert [line for line, _ in places] == ["2", "3", "5"]
    assert "did you mean 'strategy'?" in done.err
    found = ospec("validate", "bad.toml", "--json").json
    assert [fault["line"] for fault in found["files"][0]["faults"]] == [2, 3, 5]


def test_protection_without_an_enforcer_is_refused(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("ospec.toml").write_text(DOCUMENT + "[guardrails]\nmin_test_coverage = 0.8\n")
    done = ospec("run", "deploy", "--yes", "--json")
    assert (done.code, done.json["outcome"]) == (5, "refused")
    assert "ospec-plugin-guardrails" in " ".join(done.json["error"]["hints"])
    assert "ospec.toml:12:1" in done.json["error"]["where"]


def test_a_missing_plugin_names_its_package(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("ospec.toml").write_text('[stack]\ndeploy = "Docker + Kubernetes"\n')
    done = ospec("plan")
    assert done.code == 5
    assert "pip install ospec-plugin-kubernetes" in done.err


def test_environments_live_side_by_side(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("ospec.toml").write_text(DOCUMENT + '[environments.staging.scripts]\nhello = "echo from $OSPEC_ENVIRONMENT"\n')
    assert ospec("run", "hello", "-e", "staging").err == "from staging\n"
    wrong = ospec("run", "hello", "-e", "stagign")
    assert (wrong.code, "staging" in wrong.err) == (2, True)


def test_init_writes_a_document_that_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ospec: Callable[..., Done]
) -> None:
    folder = tmp_path / "My Shop_2"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "app.py").touch()
    done = ospec("init", "--yes", "--health", "healthz", "--port", "9000")
    assert done.code == 0
    assert ospec("validate").code == 0
    text = Path("ospec.toml").read_text()
    assert 'id = "my-shop-2"' in text
    assert 'start = "python3 app.py"' in text
    assert '"/healthz"' in text
    again = ospec("init", "--yes")
    assert again.code == 1
    assert Path("ospec.toml").read_text() == text


@pytest.mark.parametrize("name", ["o.yaml", "o.yml", "o.toml"])
@pytest.mark.parametrize("folder_name", ["plain", 'My $HOME "x" ${Y}', "...", "0" * 80])
def test_init_writes_what_works_whatever_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ospec: Callable[..., Done], name: str, folder_name: str
) -> None:
    folder = tmp_path / folder_name if folder_name != "..." else tmp_path / "___"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "package.json").write_text('{"scripts": {"start": "node .", "test": "jest"}}')
    assert ospec("init", "--yes", "-f", name, "--health", "/a$b?x={}").code == 0
    loaded = load(folder / name)
    target = resolve(loaded, None, environ={})
    assert (target.name, target.health_checks[0].endpoint) == (folder.name, "/a$b?x={}")
    assert target.processes["web"] == Process("web", "npm start", 1)
    assert target.scripts["test"].command == "npm test"
    assert target.deployment.environments["green"].instances == 2


@pytest.mark.parametrize("package", ['{"scripts": null}', '{"scripts": {"start": 1}}', "[]", "{", '{"scripts": []}'])
def test_init_guesses_nothing_from_a_package_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ospec: Callable[..., Done], package: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("package.json").write_text(package)
    done = ospec("init", "--yes")
    assert (done.code, "--start" in done.err) == (2, True)
    for health in ('a b"c', "/a b", '"'):
        assert ospec("init", "--yes", "--start", "x", "--health", health).code == 2
    assert ospec("init", "--yes", "--start", "  ").code == 2
    assert not Path("ospec.toml").exists()
    default = '{"scripts": {"start": "node .", "test": "echo \\"Error: no test specified\\" && exit 1"}}'
    Path("package.json").write_text(default)
    assert ospec("init", "--yes").code == 0
    assert "test" not in load(Path("ospec.toml").absolute()).document.scripts


def test_init_answers_in_json_and_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ospec: Callable[..., Done]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = ospec("init", "--json", "-f", "shop.toml", "--start", "python3 app.py", "--port", "9000").json
    assert (told["schema"], told["file"], told["start"]) == ("ospec.init/1", "shop.toml", "python3 app.py")
    assert told["address"] == "http://127.0.0.1:9000"


def test_a_script_answers_in_json(folder: Path, ospec: Callable[..., Done]) -> None:
    done = ospec("run", "test", "--json")
    assert done.code == 1, "nothing was built here"
    assert {**done.json, "seconds": 0} == {"schema": "ospec.script/1", "script": "test", "exit_code": 1, "seconds": 0}
    assert ospec("run", "hello", "--json").json["exit_code"] == 0


@pytest.mark.parametrize("call", [("plan", "--no-such"), ("run", "deploy"), ("nonsense",), ("init", "--port", "x")])
def test_a_wrong_call_answers_in_json_too(folder: Path, ospec: Callable[..., Done], call: tuple[str, ...]) -> None:
    done = ospec(*call, "--json")
    assert (done.code, done.json["exit_code"], done.json["outcome"]) == (2, 2, "refused")
    assert done.json["error"]["code"] == "usage"
    assert done.json["error"]["message"] in done.err


def test_every_command_has_its_line_and_its_help() -> None:
    context = click.Context(cli)
    for name, line in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help is not None
        assert command.help.split("\n\n")[0].replace("\n", " ") == line


def test_a_misspelt_command_is_understood(ospec: Callable[..., Done]) -> None:
    done = ospec("hsitory")
    assert (done.code, "'history'" in done.err) == (2, True)


def test_help_imports_no_plugin_and_no_sdk() -> None:
    """What `ospec --help` loads is what its start-up costs."""
    script = (
        "import sys\nfrom ospec.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    heavy = {"opentelemetry", "prometheus_client", "cattrs", "jinja2", "rich", "ruamel", "tomli", "sqlite3", "http"}
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True)
    loaded = set(re.findall(r"'([\w.]+)'", done.stderr))
    assert "Commands" in done.stdout
    assert not {name for name in loaded if name.split(".")[0] in heavy or name.startswith("ospec_plugin")}


def test_plan_imports_no_sdk(folder: Path) -> None:
    script = (
        "import sys\nfrom ospec.cli.main import main\n"
        "try: main(['plan'])\nexcept SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder)
    assert "05-delegate" in done.stdout, done.stderr
    loaded = set(re.findall(r"'([\w.]+)'", done.stderr))
    heavy = {"opentelemetry", "prometheus_client", "jinja2", "rich", "ruamel", "http.client", "ospec_plugin_local"}
    assert not {name for name in loaded if name.split(".")[0] in heavy or name in heavy}


def test_settings_of_a_plugin_are_checked_with_their_places(folder: Path, ospec: Callable[..., Done]) -> None:
    document = '[stack]\ndeploy = "local"\n[scripts]\nstart = "true"\n[plugins.local]\nprot = 1\nhost = 3\n'
    Path("ospec.toml").write_text(document)
    done = ospec("plan")
    assert done.code == 2
    assert re.findall(r"ospec\.toml:(\d+):1 plugins\.local\.(\w+)", done.err) == [("6", "prot"), ("7", "host")]
    assert "did you mean 'port'?" in done.err


def test_down_of_scripts_closes_what_is_open_and_touches_nothing_else(folder: Path, ospec: Callable[..., Done]) -> None:
    ospec("run", "deploy", "--release", "v1", "--yes")
    assert ospec("down", "--yes").code == 0
    assert current(folder) == "v1"


def test_a_failing_rollback_script_is_not_called_restored(folder: Path, ospec: Callable[..., Done]) -> None:
    document = DOCUMENT.replace('rollback = "echo $OSPEC_RELEASE > ../../../current"', 'rollback = "exit 1"')
    Path("ospec.toml").write_text(document)
    ospec("run", "deploy", "--release", "v1", "--yes")
    (folder / "x").write_text("2")
    ospec("run", "deploy", "--release", "v2", "--yes")
    done = ospec("run", "rollback", "--yes", "--json")
    assert (done.code, done.json["outcome"]) == (3, "failed")


def test_a_plan_that_cannot_be_written_is_a_plain_error(folder: Path, ospec: Callable[..., Done]) -> None:
    done = ospec("plan", "--out", "/nonexistent/plan.json")
    assert (done.code, "Traceback" in done.err) == (2, False)


def test_a_closed_pipe_does_not_change_what_a_run_answers(folder: Path) -> None:
    command = f"{sys.executable} -m ospec.cli.main run deploy --release bad --yes 2>&1 | head -1"
    Path("ospec.toml").write_text(DOCUMENT.replace("echo all well", "exit 3"))
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    history = subprocess.run(
        [sys.executable, "-m", "ospec.cli.main", "history", "--json"], capture_output=True, text=True, check=True
    )
    assert [run["outcome"] for run in json.loads(history.stdout)["runs"]] == ["failed"]


def test_what_only_looks_or_takes_away_needs_no_reference_that_is_set_elsewhere(
    folder: Path, ospec: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ospec.toml").write_text('name = "${CANARY_NAME}"\n' + DOCUMENT)
    monkeypatch.setenv("CANARY_NAME", "x")
    assert ospec("run", "deploy", "--release", "v1", "--yes").code == 0
    monkeypatch.delenv("CANARY_NAME")
    refused = ospec("run", "deploy", "--yes")
    assert (refused.code, "CANARY_NAME" in refused.err) == (2, True)
    for command in (("status",), ("logs",), ("history",), ("show",), ("abort",), ("prune",), ("down", "--yes")):
        done = ospec(*command)
        assert (done.code, done.err) == (0, ""), command


def test_a_list_of_plugins_imports_none_that_the_document_leaves_out(folder: Path) -> None:
    script = (
        "import sys\nfrom ospec.cli.main import main\n"
        "try: main(['plugins', 'list'])\nexcept SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    Path("ospec.toml").write_text(DOCUMENT + '[plugins]\nenabled = ["script"]\n')
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder)
    left_out = re.findall(r"^(\S+) .*not imported", done.stdout, re.MULTILINE)
    assert {"blue-green", "local"} <= set(left_out), done.stdout
    assert "script" not in left_out
    assert "platform script" in done.stdout
    assert "ospec_plugin_local" not in done.stderr


def test_services_that_share_their_state_see_their_own_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ospec: Callable[..., Done]
) -> None:
    monkeypatch.setenv("OSPEC_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    runs = {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        document = f'id = "{name}"\nstack.deploy = "script"\nscripts.deploy = "true"\n[environments.staging]\n'
        (tmp_path / name / "ospec.toml").write_text(document)
        deploy = ("run", "deploy", "-f", f"{name}/ospec.toml", "--yes", "--json")
        runs[name] = [ospec(*deploy, *more).json["run"] for more in ((), ("-e", "staging"))]
    of_one = ("-f", "one/ospec.toml")
    assert [run["run"] for run in ospec("history", *of_one, "--json").json["runs"]] == runs["one"][::-1]
    assert [run["run"] for run in ospec("history", *of_one, "-e", "staging", "--json").json["runs"]] == runs["one"][1:]
    assert len(ospec("history", *of_one, "--all", "--json").json["runs"]) == 4
    assert ospec("show", *of_one, "--json").json["run"] == runs["one"][1]
    assert ospec("show", *of_one, "--all", "--json").json["run"] == runs["two"][1]
    other = runs["two"][0]
    assert ospec("show", *of_one, "--all", other, "--json").json["run"] == other
    for command in (("show", other), ("abort", other), ("resume", other)):
        done = ospec(*command, *of_one)
        assert (done.code, "a run of two" in done.err) == (5, True), command


def test_runs_are_looked_up_in_the_store_that_the_document_names(
    folder: Path, ospec: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(home: Path, settings: Any) -> Any:
        (home / settings["folder"]).mkdir(exist_ok=True)
        return open_sqlite(home / settings["folder"], {})

    kinds = [*builtin.register_stores(), StoreKind("second", second)]
    monkeypatch.setattr(builtin, "register_stores", hookimpl(lambda: kinds))
    text = DOCUMENT.replace('[stack]\ndeploy = "script"\n', "")
    text += "[state]\nstore = 'second'\nfolder = 'elsewhere'\n[environments.a.stack]\ndeploy = 'script'\n"
    Path("ospec.toml").write_text(text)
    run = ospec("run", "deploy", "-e", "a", "--yes", "--json").json["run"]
    assert not (folder / ".ospec" / "journal.sqlite").exists()
    assert [one["run"] for one in ospec("history", "--json").json["runs"]] == [run]
    assert ospec("show", run, "--json").json["run"] == run
    ended = ospec("abort", run)
    assert (ended.code, "has ended" in ended.err) == (5, True)


def test_without_a_rollback_script_there_is_no_way_back(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("ospec.toml").write_text(DOCUMENT.replace("rollback =", "undo ="))
    ospec("run", "deploy", "--release", "v1", "--yes")
    (folder / "x").write_text("2")
    ospec("run", "deploy", "--release", "v2", "--yes")
    done = ospec("run", "rollback", "--yes", "--json")
    assert (done.code, done.json["outcome"], done.json["error"]["code"]) == (5, "refused", "no-script")
    assert (current(folder), len(ospec("history").out.splitlines())) == ("v2", 2)


def test_a_busy_port_keeps_nobody_from_rendering(folder: Path, ospec: Callable[..., Done]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        document = f'[stack]\ndeploy = "local"\n[scripts]\nstart = "true"\n[plugins.local]\nport = {port}\n'
        Path("ospec.toml").write_text(document)
        assert ospec("plan").code == 5
        assert ospec("render").code == 0
        assert ospec("render", "--check").code == 0


def test_logs_of_what_is_not_there_are_refused(folder: Path, ospec: Callable[..., Done]) -> None:
    Path("ospec.toml").write_text('[stack]\ndeploy = "local"\n[scripts]\nstart = "true"\n')
    assert ospec("logs").code == 0
    for option in ("--slot", "--instance"):
        done = ospec("logs", option, "nosuch")
        assert (done.code, f"no {option[2:]} 'nosuch'; there are: none" in done.err) == (2, True)


def test_logs_name_the_slots_and_instances_that_there_are() -> None:
    instances = (Instance("web-0", "web", "running"), Instance("web-1", "web", "running"))
    live = LiveState((Slot("blue", "blue", "stable", instances=instances), Slot("green", "green", "idle")))
    for asked in ((None, None), ("blue", "web-1"), ("green", None), (None, "web-0")):
        _refuse_unknown(live, *asked)
    for slot, instance, told in (("red", None, "blue, green"), ("green", "web-0", "none"), (None, "web-9", "web-0, ")):
        with pytest.raises(click.UsageError, match=f"there are: {told}"):
            _refuse_unknown(live, slot, instance)


def test_a_plan_shows_no_difference_that_a_deploy_does_not_make(
    folder: Path, ospec: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [RenderedFile("ci/new.yml", "new\n"), RenderedFile("ci/mine.yml", "rendered\n")]
    monkeypatch.setattr(builtin, "render", hookimpl(_render(files)), raising=False)
    (folder / "ci").mkdir()
    (folder / "ci" / "mine.yml").write_text("mine\n")
    shown = ospec("plan").out
    assert "rendered ci/new.yml\n--- a/ci/new.yml" in shown
    assert "rendered ci/mine.yml: not used, since the source has this file" in shown
    assert "+rendered" not in shown
    assert list(ospec("plan", "--json").json["rendered"]) == ["ci/new.yml"]
    assert ospec("run", "deploy", "--yes").code == 0
    (snapshot,) = [one for one in (folder / ".ospec" / "files" / "scripted.default").iterdir() if one.is_dir()]
    assert (snapshot / "ci" / "mine.yml").read_text() == "mine\n"


def _render(files: list[RenderedFile]) -> Callable[..., Any]:
    def render(ctx: Any) -> list[RenderedFile]:
        return files

    return render
