"""What a release is made of: tracked working-tree content, includes, names from git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ospec.errors import DocumentError
from ospec.steps.source import read_source


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
