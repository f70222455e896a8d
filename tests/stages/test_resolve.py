"""One environment over the rest, references, defaults, and what asks for protection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ospec.converter import from_json, to_json
from ospec.errors import DocumentError
from ospec.models.target import HealthCheck, HttpEndpoint, Process, Script, Target
from ospec.stages.load import load, load_text
from ospec.stages.resolve import deep_merge, resolve

DATA = Path(__file__).parents[1] / "data" / "documents" / "good"


def target_of(
    text: str, environment: str | None = None, environ: Mapping[str, str] | None = None, **more: Any
) -> Target:
    text = text if "deploy =" in text else f"stack.deploy = 'local'\n{text}"
    return resolve(load_text(text, Path("/srv/my-shop/ospec.toml")), environment, environ=environ or {}, **more)


def refusal_of(text: str, environment: str | None = None, **more: Any) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        target_of(text, environment, **more)
    return caught.value


# -- a whole target ---------------------------------------------------------------------------------------------------


def test_a_whole_document() -> None:
    target = resolve(load(DATA / "whole.toml"), "staging", environ={})
    assert (target.service, target.name, target.environment) == ("shop", "Lädchen", "staging")
    assert (target.platform, target.strategy) == ("local", "blue-green")
    assert target.scripts["test"] == Script("test", "python3 -m unittest -q", 30.0)
    assert target.scripts["migrate"].rerun == "safe"
    assert target.processes == {
        "web": Process("web", ("python3", "server.py")),
        "worker": Process("worker", "python3 worker.py", instances=1, port=False),
    }
    assert target.variables == {"LOG_LEVEL": "info", "RETRIES": "3", "DEBUG": "false", "PRICE": "5 $$"}
    assert target.http_endpoints == (HttpEndpoint("/"), HttpEndpoint("/pay", "POST", 201, "paid"))
    assert target.keep_releases == 3
    assert target.include == ("dist/**",)
    assert target.plugins == {"local": {"port": 8080}}
    assert target.extra["state"] == {"store": "postgres", "schema": "ospec"}


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_every_document_of_the_corpus_gives_a_target_that_travels_as_json(path: Path) -> None:
    loaded = load(path)
    for environment in (None, *loaded.document.environments):
        target = resolve(loaded, environment, platform="local", environ={})
        assert from_json(to_json(target), Target) == target


def test_defaults_of_a_document_that_says_little() -> None:
    target = target_of("scripts.start = 'python3 server.py'\nscripts.migrate = 'python3 migrate.py'")
    assert (target.service, target.name, target.environment) == ("my-shop", "my-shop", "default")
    assert target.strategy == "blue-green"
    assert target.health_check_retries is None
    assert target.startup_seconds == 60.0
    assert target.rollback_timeout_seconds == 300.0
    assert target.scripts["migrate"].rerun == "ask"
    assert target.protections == ()
    assert target.extra == {}


def test_the_folder_names_the_service() -> None:
    loaded = load_text("stack.deploy = 'local'", Path("/srv/My Shop_2.0/ospec.toml"))
    target = resolve(loaded, None, environ={})
    assert (target.service, target.name) == ("my-shop-2-0", "My Shop_2.0")


def test_flags_beat_the_document() -> None:
    target = target_of("deployment.strategy = 'rolling'", platform="Docker + Kubernetes", strategy="canary")
    assert (target.platform, target.strategy) == ("kubernetes", "canary")


def test_scripts_as_the_platform_are_the_strategy_too() -> None:
    assert target_of("stack.deploy = 'script'\ndeployment.strategy = 'canary'").strategy == "script"


def test_instances_without_slots() -> None:
    assert target_of("scripts.start = 'x'\ndeployment.replicas = 6").processes["web"].instances == 6


def test_a_blank_platform_is_none() -> None:
    assert refusal_of("stack.deploy = ' '").code == "no-platform"


def test_nowhere_to_deploy() -> None:
    error = refusal_of("[stack]\ndatabase = 'SQLite' # deploy = ")
    assert error.code == "no-platform"
    assert error.where.endswith("ospec.toml:1:2 stack")


# -- environments -----------------------------------------------------------------------------------------------------

BY_ENVIRONMENT = """
deployment = { strategy = "blue_green", keep_seconds = 60, environments.blue.instances = 2 }
variables = { A = "base", B = "base" }
include = ["a", "b"]
scripts.build = { run = "make", timeout_seconds = 5 }
[environments.production]
deployment = { scale_down_delay = "2m", environments.blue.instances = 4 }
variables.B = "production"
include = ["c"]
scripts.build = "make all"
[environments.staging.scripts.build]
timeout_seconds = 9
"""


def test_an_environment_merges_deeply_and_its_lists_replace() -> None:
    target = target_of(BY_ENVIRONMENT, "production")
    assert target.variables == {"A": "base", "B": "production"}
    assert target.include == ("c",)
    assert target.deployment.strategy == "blue_green"
    assert target.deployment.environments["blue"].instances == 4
    assert target.deployment.keep_seconds == 120.0, "another spelling of the same key"
    assert target.scripts["build"] == Script("build", "make all")


def test_an_environment_may_say_a_part_of_a_table() -> None:
    assert target_of(BY_ENVIRONMENT, "staging").scripts["build"] == Script("build", "make", 9.0)


def test_an_environment_may_say_more_of_a_command_that_stands_alone() -> None:
    text = "scripts = { test = 'make test', build = ['make'], start = 'run' }\n"
    text += "[environments.ci.scripts]\ntest.timeout_seconds = 3\nbuild = { run = 'make ci', timeout_seconds = 4 }\n"
    target = target_of(text, "ci")
    assert target.scripts["test"] == Script("test", "make test", 3.0)
    assert target.scripts["build"] == Script("build", "make ci", 4.0)
    assert target.processes["web"].command == "run"
    assert target_of(text).scripts["test"] == Script("test", "make test")


def test_a_document_as_a_whole_is_a_place_without_a_path() -> None:
    loaded = load_text("stack.deploy = 'x'", Path("/srv/my-shop/ospec.toml"))
    assert loaded.locate("").endswith("ospec.toml:1:1")
    assert refusal_of("a = 1 # deploy =").where.endswith("ospec.toml:1:1")


def test_slots_are_no_environments() -> None:
    error = refusal_of(BY_ENVIRONMENT, "blue")
    assert error.code == "unknown-environment"
    assert "production, staging" in error.message


def test_an_unknown_environment_close_to_a_known_one() -> None:
    error = refusal_of(BY_ENVIRONMENT, "prodution")
    assert error.hints == ("did you mean -e production?",)
    assert error.where.endswith("ospec.toml:7:2 environments")


def test_an_environment_may_be_called_default() -> None:
    text = "variables.A = 'base'\nenvironments.default.variables.A = 'own'"
    assert target_of(text).variables == target_of(text, "default").variables == {"A": "own"}


def test_what_the_whole_lacks_is_told_at_its_place() -> None:
    error = refusal_of("[environments.staging.processes.worker]\ninstances = 2", "staging")
    assert "'start' is missing" in error.message
    assert error.where.endswith("ospec.toml:2:33 environments.staging.processes.worker")


def test_merging_changes_neither_side() -> None:
    base, over = {"a": {"b": 1, "c": [1]}}, {"a": {"b": 2}, "d": 3}
    assert deep_merge(base, over) == {"a": {"b": 2, "c": [1]}, "d": 3}
    assert (base, over) == ({"a": {"b": 1, "c": [1]}}, {"a": {"b": 2}, "d": 3})


# -- references -------------------------------------------------------------------------------------------------------


def test_references_come_from_flags_before_the_environment() -> None:
    text = "name = '${A}-${B}'\nplugins.local.host = '${A}'\ndeployment.environments.blue.url = 'https://${B}'"
    target = target_of(text, environ={"A": "from-environment", "B": "b"}, variables={"A": "from-flag"})
    assert target.name == "from-flag-b"
    assert target.plugins == {"local": {"host": "from-flag"}}
    assert target.deployment.environments["blue"].url == "https://b"


def test_a_reference_may_complete_what_has_a_form() -> None:
    text = "monitoring.health_checks = [{ endpoint = '${BASE}/health' }]"
    assert target_of(text, environ={"BASE": "/app"}).health_checks == (HealthCheck("/app/health"),)
    error = refusal_of(text, environ={"BASE": "not-told"})
    assert "expected a path" in error.message
    assert "not-told" not in str(error), "a value of the environment may be secret"
    assert error.where.endswith("ospec.toml:2:31 monitoring.health_checks[0].endpoint")


def test_unset_references_are_told_all_at_once() -> None:
    error = refusal_of("[cdn]\nprovider = '${CDN}'\n[plugins.local]\nhost = '${HOST}'")
    assert error.code == "unset-variable"
    assert error.message == "not set: ${CDN}, ${HOST}"
    assert error.where.endswith("ospec.toml:3:1 cdn.provider")
    assert error.hints[0] == "set it: --var CDN=VALUE, or export CDN=VALUE"


def test_an_unset_reference_of_another_environment_does_no_harm() -> None:
    target = target_of(
        "environments.staging.variables.A = '${NOT_SET}'\nenvironments.production.variables.A = 'a'", "production"
    )
    assert target.variables == {"A": "a"}


def test_names_of_secrets_stay_references() -> None:
    text = "secrets = { required = ['TOKEN'], optional = ['KEY'] }\nvariables = { URL = 'x://${TOKEN}:${KEY}@${HOST}' }"
    target = target_of(text, environ={"TOKEN": "hunter2", "KEY": "hunter2", "HOST": "host"})
    assert target.variables == {"URL": "x://${TOKEN}:${KEY}@${HOST}"}
    assert "hunter2" not in str(to_json(target))


def test_addresses_that_are_known_only_later_stay_references() -> None:
    target = target_of("monitoring.health_check_url = '${APP_URL}/health'", environ={"APP_URL": "http://elsewhere"})
    assert target.health_check_url == "${APP_URL}/health"
    assert target.health_checks == (HealthCheck("/health"),)


def test_secrets_of_plugins_stay_references() -> None:
    hooks = "{ b = '${B_KEY}', auth = ['${B}'] }"
    text = f"plugins.x = {{ url = '${{URL}}', api_token = '${{A}}', hooks = {hooks}, c = '${{FLAG_KEY}}' }}"
    target = target_of(text, environ={"URL": "u", "A": "a", "B": "b", "B_KEY": "b"}, variables={"FLAG_KEY": "f"})
    assert target.plugins["x"] == {
        "url": "u",
        "api_token": "${A}",
        "hooks": {"b": "${B_KEY}", "auth": ["${B}"]},
        "c": "f",
    }


def test_a_shell_keeps_its_own_references() -> None:
    target = target_of(
        "scripts = { start = 'run $$ ${A:-b}', build = ['echo', '${A}'] }\nprocesses.w = { start = '${A}' }"
    )
    assert target.processes["web"].command == "run $$ ${A:-b}"
    assert target.processes["w"].command == "${A}"
    assert target.scripts["build"].command == ("echo", "${A}")


def test_two_dollar_signs_are_one() -> None:
    assert target_of("name = '$${B} $$ $C'").name == "${B} $ $C"
    assert target_of("variables.A = '$${B} $$ $C'").variables == {"A": "$${B} $$ $C"}, "until it is used"


def test_variables_hold_no_value_of_the_environment() -> None:
    text = "variables = { A = 'x-${SECRET}-${FLAG}-${UNSET}' }"
    target = target_of(text, environ={"SECRET": "hunter2", "FLAG": "e"}, variables={"FLAG": "open$"})
    assert target.variables == {"A": "x-${SECRET}-open$$-${UNSET}"}
    assert "hunter2" not in str(to_json(target))


def test_a_health_url_holds_no_value_of_the_environment_either() -> None:
    text = "monitoring.health_check_url = 'http://u:${SECRET}@${FLAG}/health'"
    target = target_of(text, environ={"SECRET": "hunter2"}, variables={"FLAG": "open"})
    assert target.health_check_url == "http://u:${SECRET}@open/health"
    assert "hunter2" not in str(to_json(target))


def test_what_starts_nothing_needs_no_value_but_those_that_say_who_works() -> None:
    text = "name = 'x${UNSET}'\nplugins.local.host = '${HOST}'"
    assert refusal_of(text).code == "unset-variable"
    target = target_of(text, starts_nothing=True, environ={"HOST": "h"})
    assert (target.name, target.plugins["local"]["host"]) == ("x${UNSET}", "h")
    for used in ("stack.deploy = '${A}'", "deployment.strategy = '${A}'", "state.store = '${A}'"):
        error = refusal_of(f"name = '${{B}}'\n{used}", starts_nothing=True)
        assert error.message == "not set: ${A}"


# -- health -----------------------------------------------------------------------------------------------------------


def test_a_health_url_below_the_application_joins_the_checks_once() -> None:
    checks = """[monitoring]
health_check_url = "${HEALTH_CHECK_URL}/health"
health_checks = [{ endpoint = "/health", timeout_seconds = 1 }, { endpoint = "/ready" }]
"""
    assert target_of(checks).health_checks == (HealthCheck("/health", timeout_seconds=1.0), HealthCheck("/ready"))


def test_a_health_url_elsewhere_is_no_path_of_an_instance() -> None:
    target = target_of("monitoring.health_check_url = 'https://status.example/shop'")
    assert target.health_checks == ()
    assert target.health_check_url == "https://status.example/shop"


# -- guardrails and protection ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds", "retries"),
    [
        ("guardrails = { rollback_timeout_minutes = 2, health_check_retries = 4 }", 120.0, 4),
        ("guardrails = { rollback_timeout_minutes = 2, deployment.rollback_timeout_minutes = 0.5 }", 30.0, None),
        ("guardrails = { health_check_retries = 2, deployment.health_check_retries = 5 }", 300.0, 2),
        (
            "guardrails.health_check_retries = 2\nenvironments.e.guardrails.deployment.health_check_retries = 9",
            300.0,
            9,
        ),
    ],
)
def test_guardrails_of_the_engine(text: str, seconds: float, retries: int | None) -> None:
    target = target_of(text, "e" if "environments.e" in text else None)
    assert (target.rollback_timeout_seconds, target.health_check_retries) == (seconds, retries)
    assert target.protections == (), "the engine holds them itself"


def protections_of(text: str, environment: str | None = None) -> dict[str, Any]:
    return {one.key.removeprefix("guardrails."): one.value for one in target_of(text, environment).protections}


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("tests_required = true", {"tests_required": True}),
        ("tests_required = false", {}),
        ("tests_required = false\ndeployment.tests_required = true", {"tests_required": True}),
        ("tests_required = true\ndeployment.tests_required = false", {"tests_required": True}),
        ("security_scan = 'warn'", {}),
        ("security_scan = 'off'", {}),
        ("security_scan = 'error'\ndeployment.security_scan = 'block'", {"security_scan": "block"}),
        ("security_scan = 'block'\ndeployment.security_scan = 'warn'", {"security_scan": "block"}),
        ("security_scan = true\ndeployment.security_scan = 'warn'", {"security_scan": True}),
        ("min_test_coverage = 0.7\ndeployment.min_test_coverage = 0.9", {"min_test_coverage": 0.9}),
        ("min_test_coverage = 0", {}),
        ("human_approval_required = ['default', 'x']", {"human_approval_required": ["default", "x"]}),
        ("human_approval_required = []", {}),
        ("human_approval_required = true", {"human_approval_required": True}),
        (
            "human_approval_required = ['default']\ndeployment.human_approval_required = ['x']",
            {"human_approval_required": ["default", "x"]},
        ),
        (
            "human_approval_required = ['x']\ndeployment.human_approval_required = true",
            {"human_approval_required": True},
        ),
        ("deployment_window = 'Mo-Th'", {"deployment_window": "Mo-Th"}),
        ("license_check = false", {}),
    ],
)
def test_what_asks_for_protection(text: str, asked: dict[str, Any]) -> None:
    assert protections_of(f"stack = {{ deploy = 'local' }} # deploy =\n[guardrails]\n{text}") == asked


@pytest.mark.parametrize(
    ("listed", "environment", "asks"),
    [
        ("production", "production", True),
        ("production", "staging", False),
        ("production", None, False),
        ("prodution", "staging", True),
        ("production_deploy", None, True),
    ],
)
def test_an_approval_counts_in_the_environments_it_names(listed: str, environment: str | None, asks: bool) -> None:
    """What names no environment of the document is a slip, or means more than one: it counts everywhere."""
    text = f"guardrails.human_approval_required = ['{listed}']\nenvironments = {{ production = {{}}, staging = {{}} }}"
    assert bool(protections_of(text, environment)) == asks


def test_an_approval_of_the_only_environment() -> None:
    assert protections_of("guardrails.human_approval_required = ['production']") != {}


def test_durations_reach_plugins_as_seconds() -> None:
    text = "cdn.settings = { browser_ttl = '1d' }\nenvironments.e.cdn.settings = { edge_ttl = '30m' }"
    assert target_of(text, "e").extra["cdn"] == {"settings": {"browser_ttl": 86400.0, "edge_ttl": 1800.0}}


def test_the_environment_beats_the_base_even_where_it_is_milder() -> None:
    text = """guardrails = { tests_required = true, lint = true }
environments.dev.guardrails.deployment.tests_required = false
"""
    assert protections_of(text) == {"tests_required": True, "lint": True}
    assert protections_of(text, "dev") == {"lint": True}


def test_protections_name_their_package_and_their_place() -> None:
    text = """[stack]
deploy = "local"
[guardrails]
tests_required = true
[guardrails.deployment]
human_approval_required = true
[secrets]
provider = "vault://kv"
required = ["KEY"]
[environments.production.guardrails]
tests_required = true
"""
    found = {one.key: one for one in target_of(text, "production").protections}
    places = {key: one.where.rpartition("/")[2] for key, one in found.items()}
    assert places == {
        "guardrails.tests_required": "ospec.toml:11:1 environments.production.guardrails.tests_required",
        "guardrails.human_approval_required": "ospec.toml:6:1 guardrails.deployment.human_approval_required",
        "secrets.required": "ospec.toml:9:1 secrets.required",
    }
    assert {key: one.package for key, one in found.items()} == {
        "guardrails.tests_required": "ospec-plugin-guardrails",
        "guardrails.human_approval_required": "ospec-plugin-approvals",
        "secrets.required": "ospec-plugin-vault",
    }


@pytest.mark.parametrize(
    ("provider", "package"),
    [
        ("", "ospec-plugin-secrets-env"),
        ("local://env", "ospec-plugin-secrets-env"),
        ("vercel://env", "ospec-plugin-vercel"),
        ("aws-secrets-manager", "ospec-plugin-ecs"),
    ],
)
def test_packages_of_secret_providers(provider: str, package: str) -> None:
    (found,) = target_of(f"secrets = {{ provider = '{provider}', required = ['A'] }}").protections
    assert found.package == package


def test_plugins_get_their_sections_and_the_guardrails_that_count() -> None:
    text = "cdn.provider = '${CDN}'\nteam.owner = 'a'\nguardrails = { lint = true, deployment.min_test_coverage = 0.5 }"
    target = target_of(text, environ={"CDN": "Cloudflare"})
    assert target.extra == {
        "team": {"owner": "a"},
        "cdn": {"provider": "Cloudflare"},
        "guardrails": {"lint": True, "min_test_coverage": 0.5},
    }
