"""Release ids and names: what makes another release, and what a name may stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from attrs import evolve
from ospec.converter import to_json
from ospec.errors import DocumentError, RefusedError
from ospec.models.release import Release
from ospec.models.target import Protection, Target
from ospec.stages.identify import identify

TARGET = Target("shop", "Shop", "default", "local", "blue-green", variables={"A": "1"})


def made(source: str = "s", target: Target = TARGET, **more: Any) -> Release:
    given: Mapping[str, Any] = {"name": "v1", "suggested_name": "abc", "known": (), "secret_versions": {}, **more}
    return identify(target, source, **given)


def known(*releases: Release) -> Sequence[Mapping[str, Any]]:
    return [{"release": to_json(release)} for release in releases]


def test_everything_that_goes_into_it_makes_another_release() -> None:
    ids = {
        made().id,
        made("other source").id,
        made(target=evolve(TARGET, variables={"A": "2"})).id,
        made(target=evolve(TARGET, environment="staging")).id,
        made(secret_versions={"KEY": "2"}).id,
        made(redeploy=True, known=known(made())).id,
    }
    assert len(ids) == 6
    assert made(name="v2").id != made().id, "instances and answers are told the name"
    told = evolve(TARGET, protections=(Protection("guardrails.x", True, "p"),), keep_releases=9)
    assert made(target=told).id == made().id


def test_a_taken_name_is_refused_when_asked_for_and_told_apart_when_not() -> None:
    first = made()
    with pytest.raises(RefusedError):
        made("other", known=known(first))
    assert made(known=known(first)) == first
    by_git = made(name=None)
    assert by_git.name == "abc"
    assert made(name=None, known=known(first)) == first, "the same content keeps its name"
    other = made("other", name=None, known=known(by_git))
    assert other.name.startswith("abc-c.")


def test_redeploys_count_on() -> None:
    first = made()
    second = made(redeploy=True, known=known(first))
    third = made(redeploy=True, known=known(second, first))
    assert [second.name, third.name] == ["v1-r2", "v1-r3"]
    assert [second.redeploy, third.redeploy] == [2, 3]
    assert made(redeploy=True).name == "v1", "nothing of the kind was deployed yet"


@pytest.mark.parametrize("name", ["V1", "-v", "a/b", "x" * 64, "v 1", "ü"])
def test_no_release_name(name: str) -> None:
    with pytest.raises(DocumentError) as caught:
        made(name=name)
    assert "--release" in caught.value.hints[0]
