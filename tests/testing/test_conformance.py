"""The conformance suite passes a platform that keeps the contract, and finds each bug by exactly one check."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from ospec.testing.conformance import check_imports, check_settings

BUGS = {
    "a hook is misspelt": "test_hooks_have_known_names_and_arguments",
    "settings can be changed": "test_settings_are_a_frozen_attrs_class",
    "observe writes": "test_nothing_is_there_at_first",
    "observe changes what it sees": "test_observe_changes_nothing",
    "fingerprint tells health": "test_fingerprint_does_not_depend_on_health",
    "deploy answers another release": "test_deploy_answers_the_slot_it_made",
    "deploy starts again": "test_deploy_twice_changes_nothing",
    "deploy moves traffic": "test_deploy_moves_no_traffic",
    "every answer is health": "test_broken_release_is_unhealthy",
    "silence is health": "test_release_that_never_listens_is_not_healthy",
    "front door keeps the old release": "test_switch_is_observed test_users_stay_on_a_release_that_grows",
    "stable slot is not told": "test_switch_is_observed",
    "a switch is never the same": "test_switch_twice_changes_nothing",
    "shares are rounded to all or nothing": "test_shares_add_up_and_reach_both test_a_batch_of_nothing_stops_everything"
    " test_maintenance_ends_with_the_next_switch test_maintenance_is_answered_as_it_is_asked_for"
    " test_stickiness_ends_with_the_next_switch test_users_stay_on_a_release_that_grows",
    "unknown slots get traffic": "test_switch_to_an_unknown_slot_is_refused",
    "bad input raises ValueError": "test_switch_to_an_unknown_slot_is_refused",
    "shares need not add up": "test_shares_that_do_not_add_up_are_refused",
    "retire fails the second time": "test_retire_removes_a_slot_and_twice_is_fine",
    "what serves is retired": "test_retire_of_the_serving_slot_is_refused",
    "something stays": "test_retire_of_everything_leaves_nothing",
    "front door stays open": "test_retire_of_everything_leaves_nothing",
    "rollback always says that it changed something": "test_rollback_of_a_warm_release_changes_nothing",
    "rollback starts nothing": "test_rollback_brings_a_cold_release_back",
    "rollback moves traffic": "test_rollback_brings_a_cold_release_back",
    "secret in a file": "test_secrets_reach_the_application_and_nothing_else",
    "secret in a log line": "test_secrets_reach_the_application_and_nothing_else",
    "secret is not resolved": "test_secrets_reach_the_application_and_nothing_else",
    "cancelled is not looked at": "test_a_hook_that_was_cancelled_ends_at_once",
    "cancelled is not looked at while a slot is retired": "test_a_hook_that_was_cancelled_ends_at_once",
    "numbers do not tell their release": "test_numbers_tell_release_and_source",
    "no data is zero": "test_no_data_is_an_empty_answer",
    "header rules are not looked at": "test_header_rules_go_before_weights",
    "header names tell case": "test_header_rules_go_before_weights",
    "header rules stay": "test_header_rules_end_with_the_next_switch",
    "users move": "test_users_stay_on_a_release_that_grows",
    "users are kept for ever": "test_stickiness_ends_with_the_next_switch",
    "maintenance is a good answer": "test_maintenance_is_answered_as_it_is_asked_for",
    "maintenance goes on": "test_maintenance_ends_with_the_next_switch",
    "one release is told of two": "test_a_batch_leaves_both_releases_in_the_slot",
    "what left is still told": "test_the_last_batch_leaves_one_release",
    "a batch is never the same": "test_a_batch_again_and_an_earlier_one_change_nothing",
    "the way back goes by itself": "test_the_way_back_from_a_batch",
    "whoever starts gets users": "test_instances_get_users_only_once_they_are_healthy",
    "too few are left": "test_no_batch_leaves_fewer_than_have_to_be_ready",
    "health is asked of every release": "test_health_is_asked_of_one_release",
    "requests end with their instance": "test_requests_end_before_their_instance_leaves",
    "a batch of nothing stops nothing": "test_a_batch_of_nothing_stops_everything",
}
HERE = Path(__file__).parent


def failing(folder: Path, bug: str) -> tuple[int, set[str]]:
    """(how many checks ran, which failed) with a bug in the sample platform."""
    told = folder / "told.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={told}"]
    command += [f"--basetemp={folder / 'checks'}", str(HERE / "sample_suite.py")]
    environment = os.environ | {"OSPEC_SAMPLE_BUG": bug, "PYTHONPATH": str(HERE)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = list(ElementTree.parse(told).iter("testcase"))
    bad = {str(one.get("name")) for one in cases if one.find("failure") is not None or one.find("error") is not None}
    return len(cases), bad


def test_a_platform_that_keeps_the_contract_passes(tmp_path: Path) -> None:
    ran, failed = failing(tmp_path, "")
    assert ran >= 40
    assert failed == set()


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_by_its_check(tmp_path: Path, bug: str) -> None:
    _, failed = failing(tmp_path, bug)
    assert failed == set(BUGS[bug].split())


def test_an_sdk_imported_at_load_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_that_is_heavy.py").write_text("import jinja2\n")
    (tmp_path / "plugin_that_is_light.py").write_text("import json\nfrom ospec.hookspecs import hookimpl\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import plugin_that_is_heavy  # type: ignore[import-not-found]
    import plugin_that_is_light  # type: ignore[import-not-found]

    check_imports(plugin_that_is_light)
    with pytest.raises(AssertionError, match="jinja2"):
        check_imports(plugin_that_is_heavy)


def test_settings_need_defaults_and_attrs() -> None:
    class Plain:
        port = 1

    check_settings(None)
    with pytest.raises(AssertionError, match="no attrs class"):
        check_settings(Plain)
