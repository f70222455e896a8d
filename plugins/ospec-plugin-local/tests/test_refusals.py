"""What cannot work is refused with a reason, before anything is touched."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from ospec.errors import FatalError, OspecError, RefusedError
from ospec.models.context import RollbackContext
from ospec.models.target import HealthCheck, Process, Secrets
from ospec_plugin_local import binary, hooks


def refused(service: Any, code: str) -> OspecError:
    """The error of a first deployment, which leaves nothing behind."""
    with pytest.raises(OspecError) as caught:
        service.deploy("v1")
    assert caught.value.code == code
    assert caught.value.hints
    assert not service.place.run.exists()
    return caught.value


def test_a_front_door_that_somebody_else_has(service: Any) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        error = refused(service, "port-busy")
    assert isinstance(error, RefusedError)
    assert str(service.port) in error.message
    service.serve("v1")


def test_a_clone_of_the_project_on_the_same_port(service: Any, tmp_path: Path) -> None:
    service.serve("v1")
    clone = type(service)(tmp_path / "clone")
    clone.target = service.target
    refused(clone, "port-busy")
    assert service.ask() == (200, "v1")


@pytest.mark.skipif(os.getuid() == 0, reason="root may listen on every port")
def test_a_port_that_needs_privileges(service: Any) -> None:
    service.target = evolve(service.target, plugins={"local": {"port": 1}})
    refused(service, "port-denied")


def test_a_host_that_is_not_this_machine(service: Any) -> None:
    service.target = evolve(service.target, plugins={"local": {"port": service.port, "host": "192.0.2.1"}})
    refused(service, "port-denied")


@pytest.mark.parametrize("command", [("no-such-program", "x"), "no-such-program --port 1", "./missing.sh"], ids=str)
def test_a_missing_command(service: Any, command: Any) -> None:
    service.target = evolve(service.target, processes={"web": Process("web", command)})
    assert refused(service, "missing-command").where == "scripts.start"


@pytest.mark.parametrize("command", ["exec true", "FLAG=1 no-such-program", "$HOME/program", "cd / && true"], ids=str)
def test_what_only_a_shell_can_judge_is_left_to_it(service: Any, command: str, until: Any) -> None:
    service.target = evolve(service.target, processes={"web": Process("web", command)})
    service.deploy("v1")
    until(lambda: any(one.gone for one in service.health("v1", "blue")))


WITHOUT_WEB = {
    "no process at all": {},
    "only a worker": {"jobs": Process("jobs", "sleep 1000", port=False)},
    "only another with a port": {"admin": Process("admin", "sleep 1000")},
    "one without a port": {"web": Process("web", "sleep 1000", port=False)},
}


@pytest.mark.parametrize("processes", WITHOUT_WEB.values(), ids=WITHOUT_WEB)
def test_nothing_that_could_answer_the_users(service: Any, processes: dict[str, Process]) -> None:
    service.target = evolve(service.target, processes=processes)
    (obstacle,) = service.observe().obstacles
    assert obstacle.of_document
    error = refused(service, "no-process")
    assert (obstacle.code, obstacle.message) == (error.code, error.message)


class Missing:
    """A resolver that has nothing."""

    def resolve(self, text: str) -> str:
        if "${TOKEN}" in text:
            raise FatalError("there is no value for secret TOKEN", code="missing-secret", hints=("set TOKEN",))
        return text

    def names(self, text: str) -> tuple[str, ...]:
        return ("TOKEN",) if "${TOKEN}" in text else ()


@pytest.mark.parametrize("way", ["variable", "secret"])
def test_a_secret_that_cannot_be_had(service: Any, way: str) -> None:
    change: dict[str, Any] = {"variables": {"KEY": "a ${TOKEN}"}}
    if way == "secret":
        change = {"secrets": Secrets("local://env", ("TOKEN",))}
    service.target, service.secrets = evolve(service.target, **change), Missing()
    assert "TOKEN" in refused(service, "missing-secret").message


def test_a_proxy_that_is_not_there(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: "envoy" not in str(path))
    binary.envoy_path.cache_clear()
    refused(service, "no-proxy")
    monkeypatch.undo()
    binary.envoy_path.cache_clear()


@pytest.mark.parametrize(("found", "told"), [("1.35.2", "too old"), ("0.9", "too old")])
def test_a_proxy_that_is_too_old(monkeypatch: pytest.MonkeyPatch, found: str, told: str) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: found)
    binary.envoy_path.cache_clear()
    with pytest.raises(FatalError, match=told):
        binary.envoy_path()
    binary.envoy_path.cache_clear()


@pytest.mark.parametrize("version", [0, 2])
def test_a_state_of_another_version(service: Any, version: int) -> None:
    service.serve("v1")
    kept = service.place.state.read_bytes()
    service.place.state.write_text(json.dumps({**json.loads(kept), "version": version}))
    for call in (service.observe, lambda: service.deploy("v2"), service.retire):
        with pytest.raises(FatalError) as caught:
            call()
        assert caught.value.code == "state-version"
        assert ("newer" if version > 1 else "older") in caught.value.hints[0]
    service.place.state.write_bytes(kept)
    assert service.ask() == (200, "v1")


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1}', '{"version": 1, "host": 3}', "{"])
def test_a_state_that_cannot_be_read(service: Any, content: str) -> None:
    service.place.root.mkdir(parents=True)
    service.place.state.write_text(content)
    with pytest.raises(FatalError) as caught:
        service.observe()
    assert caught.value.code == "state-broken"
    service.place.state.unlink()


def test_what_the_proxy_does_not_take_is_told_in_its_words_and_taken_back(service: Any) -> None:
    service.serve("v1")
    before = (service.place.routes / "clusters.json").read_bytes()
    service.target = evolve(service.target, health_checks=(HealthCheck("/health", 1.0, -1.0),))
    with pytest.raises(FatalError) as caught:
        service.deploy("v2", "green")
    assert caught.value.code == "proxy-refused"
    assert "duration" in caught.value.message
    assert (service.place.routes / "clusters.json").read_bytes() == before
    assert service.ask() == (200, "v1")
    service.target = evolve(service.target, health_checks=(HealthCheck("/health", 1.0, 1.0),))
    service.serve("v3", "green")
    assert service.ask() == (200, "v3")


def test_a_folder_for_sockets_that_others_may_enter(service: Any) -> None:
    service.place.runtime.parent.mkdir(exist_ok=True, mode=0o700)
    service.place.runtime.mkdir(mode=0o755)
    with pytest.raises(FatalError) as caught:
        service.deploy("v1")
    assert caught.value.code == "unsafe-folder"
    service.place.runtime.rmdir()


def test_a_state_folder_that_cannot_be_written(service: Any) -> None:
    """A file stands where a folder has to be: what root, too, cannot write."""
    service.home.mkdir()
    (service.home / "local").write_text("")
    with pytest.raises(OspecError) as caught:
        service.deploy("v1")
    assert caught.value.code == "state-not-writable"
    (service.home / "local").unlink()


def test_a_release_whose_files_are_gone(service: Any) -> None:
    release, files = service.release("v1")
    shutil.rmtree(files)
    with pytest.raises(FatalError) as caught:
        hooks.rollback(service.context(RollbackContext, release=release, files=files, slot="blue"))
    assert caught.value.code == "no-files"
