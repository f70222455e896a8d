"""Values reach the instances and nothing else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.models.target import Secrets
from ospec_plugin_local import wire

SECRET, INHERITED = "canary-5e1f0c", "canary-from-the-shell-77"
TELLS = "import os; print('knows', *(len(os.environ[name]) for name in ('KEY', 'TOKEN', 'SHELLS')), flush=True)\n"


class Box:
    """A resolver that has one value."""

    def resolve(self, text: str) -> str:
        return text.replace("${TOKEN}", SECRET)

    def names(self, text: str) -> tuple[str, ...]:
        return ("TOKEN",) if "${TOKEN}" in text else ()


@pytest.fixture
def served(service: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SHELLS", INHERITED)
    service.target = evolve(service.target, variables={"KEY": "a ${TOKEN}"}, secrets=Secrets("local://env", ("TOKEN",)))
    service.secrets = Box()
    made = service.deploy("v1", program=TELLS + service.server).slot
    service.healthy("v1", made.id)
    service.switch({made.id: 100.0})
    return service


def test_instances_get_secrets_variables_and_the_deployers_environment(served: Any) -> None:
    told = [line.text for line in served.logs() if line.text.startswith("knows")]
    assert told == [f"knows {len('a ' + SECRET)} {len(SECRET)} {len(INHERITED)}"] * 2


def test_no_file_and_no_command_line_holds_a_value(served: Any) -> None:
    instances = {one.pid for one in served.observe().stable.instances}
    looked_at = 0
    for folder in (served.home, served.place.runtime):
        for path in folder.rglob("*"):
            if path.is_file():
                looked_at += 1
                content = path.read_bytes()
                assert SECRET.encode() not in content, path
                assert INHERITED.encode() not in content, path
    assert looked_at > 10
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            assert SECRET.encode() not in (entry / "cmdline").read_bytes(), entry
            knows = SECRET.encode() in (entry / "environ").read_bytes()
            assert knows == (int(entry.name) in instances), (entry / "cmdline").read_bytes()


def test_what_supervisor_and_proxy_tell_holds_no_value(served: Any) -> None:
    from ospec_plugin_local.admin import get

    dump = get(str(served.place.admin_socket), "/config_dump")
    assert SECRET.encode() not in dump
    assert SECRET not in repr(served.observe())
    assert SECRET not in repr(served.metrics())


def test_only_their_owner_reaches_the_sockets(served: Any) -> None:
    sockets = list(served.place.runtime.glob("*.sock"))
    assert len(sockets) == 3
    assert {path.stat().st_mode & 0o077 for path in (*sockets, served.place.runtime)} == {0}


def test_values_of_a_slot_that_was_taken_away_are_forgotten(served: Any) -> None:
    served.serve("v2", "green")
    key = served.slot_key("blue")
    keeper = str(served.place.keeper_socket)
    assert wire.ask(keeper, {"op": "get", "key": key})["environment"]["TOKEN"] == SECRET
    served.retire("blue")
    assert wire.ask(keeper, {"op": "get", "key": key})["environment"] is None


def test_values_that_were_lost_are_waited_for_and_brought_by_a_rollback(served: Any, until: Any) -> None:
    from ospec_plugin_local import pids

    records = [pids.read_record(path) for path in served.place.run.glob("*.json")]
    served.kill("supervisord")
    for record in records:
        pids.kill_group(record)
        pids.end_group(record, 0.0)
    served.rollback("v1", "blue", as_it_is=True)
    served.healthy("v1", "blue")
    until(lambda: served.ask() == (200, "v1"))
