from __future__ import annotations

import pytest
from ospec.errors import FatalError
from ospec.host.rendered import merge_rendered
from ospec.models.live import RenderedFile


def merged(**paths: list[str]) -> list[tuple[str, str]]:
    answers = [(plugin, [RenderedFile(path, "text") for path in given]) for plugin, given in paths.items()]
    return [(file.path, file.plugin) for file in merge_rendered(answers)]


def test_the_union_is_sorted_and_knows_its_plugins() -> None:
    assert merged(one=["b", "ci/deploy.yml"], two=["a/b/c"]) == [
        ("a/b/c", "two"),
        ("b", "one"),
        ("ci/deploy.yml", "one"),
    ]


def test_content_and_mode_stay() -> None:
    (file,) = merge_rendered([("one", [RenderedFile("./run//it", "text\n", executable=True)])])
    assert (file.path, file.content, file.executable) == ("run/it", "text\n", True)


def test_nothing_rendered_is_nothing() -> None:
    assert merge_rendered([("one", ())]) == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Dockerfile", "Dockerfile"),
        ("Dockerfile", "./Dockerfile"),
        ("ci//deploy.yml", "ci/deploy.yml"),
        ("Dockerfile", "dockerfile"),
        ("caf\u00e9", "cafe\u0301"),
        ("ci", "ci/deploy.yml"),
        ("CI/deploy.yml", "ci"),
    ],
)
def test_two_files_at_one_path_are_an_error_naming_both(first: str, second: str) -> None:
    with pytest.raises(FatalError, match=r"'one'.*'two'|'two'.*'one'") as caught:
        merged(one=[first], two=[second])
    assert caught.value.code == "rendered-clash"
    with pytest.raises(FatalError):
        merged(one=[first, second])


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a/..",
        "folder/",
        "a\\..\\b",
        "C:/x",
        "nul",
        "a/COM1.txt",
        "a\x00b",
        "a\nb",
        "a/b. /c",
        "end.",
        ".git/hooks/pre-commit",
        "sub/.GIT/config",
        ".ospec/state.db",
    ],
)
def test_a_path_that_is_not_inside_the_output_folder_everywhere_is_an_error(path: str) -> None:
    with pytest.raises(FatalError, match="plugin 'one' renders to") as caught:
        merged(one=[path])
    assert (caught.value.code, caught.value.where) == ("rendered-path", "one")


@pytest.mark.parametrize("path", [".github/workflows/deploy.yml", ".dockerignore", ".gitignore", "a..b", "console/x"])
def test_usual_names_are_taken(path: str) -> None:
    assert merged(one=[path]) == [(path, "one")]
