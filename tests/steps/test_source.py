"""What a release is made of: tracked working-tree content, includes, names from git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ospec.errors import DocumentError
from ospec.steps.snapshot import remove_tree
from ospec.steps.source import read_source, source_paths
from ospec.steps.tree import digest_of, entries_of


def copied(root: Path, to: Path, leave_out: Path | None = None) -> Path:
    """A snapshot of `root`, made as the step makes it, that is held to the digest of its source."""
    from ospec.steps.snapshot import _copy

    source = read_source(root, leave_out=[leave_out] if leave_out else [])
    for entry in source.entries:
        _copy(entry, to / entry.path)
    assert digest_of(entries_of(to, source.paths)) == source.digest
    return to


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "app.py").write_text("1")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_tracked_content_of_the_working_tree(repository: Path) -> None:
    clean = read_source(repository)
    (repository / "app.py").write_text("2")
    (repository / "new.py").write_text("untracked")
    (repository / "ignored").write_text("x")
    dirty = read_source(repository)
    assert dirty.paths == (".gitignore", "app.py")
    assert dirty.untracked == ("new.py",)
    assert dirty.digest != clean.digest
    assert dirty.suggested_name == f"{clean.suggested_name}-dirty.{dirty.digest[:8]}"


def test_includes_add_what_git_does_not_track(repository: Path) -> None:
    (repository / "dist").mkdir()
    (repository / "dist" / "a.js").write_text("a")
    (repository / "ignored").write_text("x")
    source = read_source(repository, ["dist", "ignored"])
    assert source.paths == (".gitignore", "app.py", "dist/a.js", "ignored")
    for wrong in ("../elsewhere", "/etc/passwd", "nothing-here"):
        with pytest.raises(DocumentError):
            read_source(repository, [wrong])


def test_a_tag_names_a_clean_release(repository: Path) -> None:
    git(repository, "tag", "v1.2.3")
    assert read_source(repository).suggested_name == "v1.2.3"
    git(repository, "tag", "-d", "v1.2.3")
    git(repository, "tag", "Release/2 Ünï".replace(" ", "_"))
    assert read_source(repository).suggested_name == "release-2_-n"


def test_without_git_everything_but_hidden_and_environment_folders(tmp_path: Path) -> None:
    for name in ("app.py", "lib/a.py", ".secret/x", "node_modules/y", "env2/pyvenv.cfg", "env2/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    source = read_source(tmp_path, leave_out=[tmp_path / "lib"])
    assert source.paths == ("app.py",)
    assert source.suggested_name == source.digest[:12]


def test_the_digest_follows_names_modes_contents_and_links(tmp_path: Path) -> None:
    file = tmp_path / "a"
    seen = set()
    file.write_text("1")
    seen.add(read_source(tmp_path).digest)
    file.chmod(0o755)
    seen.add(read_source(tmp_path).digest)
    (tmp_path / "b").symlink_to("a")
    seen.add(read_source(tmp_path).digest)
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to("nowhere")
    seen.add(read_source(tmp_path).digest)
    assert len(seen) == 4


def test_a_checkout_that_git_does_not_answer_for_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "untracked.py").write_text("1")
    monkeypatch.setenv("PATH", str(repository))
    source = read_source(repository)
    assert "untracked.py" in source.paths
    assert "git" in source.without_git


def test_submodules_belong_to_the_release(tmp_path: Path) -> None:
    library, application = tmp_path / "library", tmp_path / "application"
    for folder in (library, application):
        folder.mkdir()
        git(folder, "init", "-q")
        (folder / "code.py").write_text(folder.name)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "one")
    git(application, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    git(application, "commit", "-qm", "two")
    assert "lib/code.py" in read_source(application).paths


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["git", "no git"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a file and a folder, beside others that do not belong to it; `commit` it after a change."""
    root = tmp_path / "proj"
    for name in ("proj/file", "proj/real/a", "common/lib/b", "common/c", "common/.hidden/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    if request.param == "git":
        git(tmp_path, "init", "-q")
    return root


def commit(root: Path) -> None:
    if (root.parent / ".git").exists():
        git(root, "add", ".")


def test_links_that_stay_inside_are_kept_and_hold_in_the_snapshot(project: Path, tmp_path: Path) -> None:
    links: dict[str, str | Path] = {
        "plain": "file",
        "folder": "real",
        "real/up": "../file",
        "absolute": project / "file",
    }
    links |= {"round": "../proj/file", "real/far": project / "real" / "a", "nowhere": "not/there"}
    for name, to in links.items():
        (project / name).symlink_to(to)
    commit(project)
    to = copied(project, tmp_path / "snapshot")
    found = {name: str((to / name).readlink()) for name in links}
    assert found == {
        "plain": "file",
        "folder": "real",
        "real/up": "../file",
        "absolute": "file",
        "round": "file",
        "real/far": "a",
        "nowhere": "not/there",
    }
    assert read_source(project).notes == ()


def test_a_link_that_leads_out_is_replaced_by_its_content(project: Path, tmp_path: Path) -> None:
    (project / "one").symlink_to(tmp_path / "common" / "c")
    (project / "all").symlink_to("../common")
    (tmp_path / "common" / "lib" / "inner").symlink_to("../c")
    (tmp_path / "common" / "back").symlink_to(project / "real")
    commit(project)
    to = copied(project, tmp_path / "snapshot")
    assert not (to / "one").is_symlink()
    assert (to / "one").read_text() == "common/c"
    assert (to / "all" / "lib" / "b").read_text() == "common/lib/b"
    assert str((to / "all" / "lib" / "inner").readlink()) == "../c"
    assert (to / "all" / "back" / "a").read_text() == "proj/real/a"
    source = read_source(project)
    assert source.paths == ("all/back/a", "all/c", "all/lib/b", "all/lib/inner", "file", "one", "real/a")
    told = " ".join(source.notes)
    assert "the link one leads out" in told
    assert "(3 files, 0.0 MB)" in told
    assert "all/.hidden" in told
    (tmp_path / "common" / "lib" / "b").write_text("changed")
    assert read_source(project).digest != source.digest, "what it leads to is a part of the release"
    assert (to / "all" / "lib" / "b").read_text() == "common/lib/b"


def test_a_link_to_what_git_does_not_track_is_kept_and_told(repository: Path) -> None:
    (repository / "ignored").mkdir()
    (repository / "ignored" / "a").touch()
    for name, to in {"current": "ignored", "one": "ignored/a", "app": "app.py", "here": "."}.items():
        (repository / name).symlink_to(to)
    git(repository, "add", "current", "one", "app", "here")
    source = read_source(repository)
    assert source.paths == (".gitignore", "app", "app.py", "current", "here", "one")
    assert [note.partition(",")[0] for note in source.notes] == [
        "the link current leads to ignored",
        "the link one leads to ignored/a",
    ]


@pytest.mark.parametrize("way", ["..", "../common"])
def test_a_link_out_that_leads_back_to_itself_is_refused(project: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "common" / "back").symlink_to("../proj")
    (project / "out").symlink_to(way)
    commit(project)
    with pytest.raises(DocumentError) as caught:
        read_source(project)
    assert (caught.value.code, "out" in caught.value.where) == ("link-cycle", True)


def test_a_link_to_itself_leads_nowhere(project: Path, tmp_path: Path) -> None:
    (project / "a").symlink_to("b")
    (project / "b").symlink_to("a")
    commit(project)
    assert str((copied(project, tmp_path / "snapshot") / "a").readlink()) == "b"


def test_without_git_only_environments_and_caches_stay_out_and_a_note_says_so(tmp_path: Path) -> None:
    for name in ("env/settings.py", "venv/pyvenv.cfg", "venv/bin/python", "node_modules/y", "__pycache__/z", ".idea/w"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    source = read_source(tmp_path)
    assert source.paths == ("env/settings.py",)
    assert [note.partition(" (")[0] for note in source.notes] == ["left out of the release: .idea, node_modules, venv"]


@pytest.mark.parametrize("entry", [".", "**/*", "**", "./"])
def test_everything_can_be_included_but_not_gits_own_files(repository: Path, entry: str) -> None:
    for name in ("ignored", "deep/er/a", "deep/.hidden/b", "node_modules/c", ".ospec/files/d"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(name)
    (repository / "link").symlink_to("deep")
    git(repository, "add", "link")
    found = source_paths(repository, [entry], leave_out=[repository / ".ospec"])
    wanted = {".gitignore", "app.py", "ignored", "deep/er/a", "deep/.hidden/b", "node_modules/c", "link"}
    assert found == wanted
    assert copied(repository, repository.parent / "snapshot", repository / ".ospec").is_dir()
    remove_tree(repository.parent / "snapshot")


def test_what_is_included_through_a_link_comes_with_the_link(repository: Path) -> None:
    (repository / "dist" / "v1").mkdir(parents=True)
    (repository / "dist" / "v1" / "a.js").write_text("a")
    (repository / "current").symlink_to("dist/v1")
    assert set(read_source(repository, ["current/*"]).paths) == {".gitignore", "app.py", "current", "dist/v1/a.js"}
    assert set(read_source(repository, ["current"]).paths) == {".gitignore", "app.py", "current", "dist/v1/a.js"}
