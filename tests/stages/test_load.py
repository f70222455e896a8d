"""Every document of the corpus is read, or told what is wrong with it: all of it, each fault at its place."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ospec.errors import DocumentError
from ospec.stages.load import LARGEST_BYTES, DocumentFaults, Loaded, find_document, load, load_text

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "documents"
GOOD = sorted((DATA / "good").iterdir())
BAD = sorted(path for path in (DATA / "bad").iterdir() if path.suffix != ".faults")
GUIDE = Path(os.environ.get("OSPEC_GUIDE", ROOT.parent / "shared" / "seed" / "deployment-strategies.md"))
"""A user's guide with OSpec sections, where there is one; the corpus has an equivalent of each."""


def toml(text: str) -> Loaded:
    return load_text(text, Path("ospec.toml"))


def faults_of(text: str, name: str = "ospec.toml") -> list[str]:
    with pytest.raises(DocumentFaults) as caught:
        load_text(text, Path(name))
    return [str(fault) for fault in caught.value.faults]


# -- the corpus -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_good_document_loads_without_a_warning(path: Path) -> None:
    assert load(path).warnings == ()


@pytest.mark.parametrize("name", sorted({path.stem for path in GOOD}))
def test_both_languages_say_the_same(name: str) -> None:
    of_toml, of_yaml = load(DATA / "good" / f"{name}.toml"), load(DATA / "good" / f"{name}.yaml")
    assert of_toml.document == of_yaml.document


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_a_bad_document_is_told_all_its_faults(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(DocumentFaults) as caught:
        load(Path(path.name))
    found = "".join(f"{fault}\n" for fault in caught.value.faults)
    golden = path.with_name(f"{path.name}.faults")
    if not golden.exists():
        golden.write_text(found, encoding="utf-8")
        pytest.fail(f"wrote {golden}: read it, and run the test again")
    assert found == golden.read_text(encoding="utf-8")


def guide_sections() -> list[object]:
    if not GUIDE.is_file():
        return []
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.finditer(r"^```(yaml|toml)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    of_others = re.compile(r"^(apiVersion|jobs|replicaCount|\[build\])", re.MULTILINE)
    return [
        pytest.param(block[1], block[2], id=f"line-{text.count(chr(10), 0, block.start()) + 1}")
        for block in blocks
        if not of_others.search(block[2])
    ]


@pytest.mark.skipif(not GUIDE.is_file(), reason="no guide beside the project; the corpus has its sections")
@pytest.mark.parametrize(("language", "text"), guide_sections())
def test_a_section_of_the_guide_is_valid_as_it_stands_there(language: str, text: str) -> None:
    loaded = load_text(text, Path(f"ospec.{language}"))
    assert loaded.data
    assert loaded.warnings == ()


# -- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ospec.toml", "ospec.yaml", "ospec.yml"])
def test_an_empty_file_is_a_document_that_says_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert load(tmp_path / name).data == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ospec.toml", 'name = "Lädchen"\r\n[stack]\r\ndeploy = "local"\r\n'),
        ("a.yml", "name: Lädchen\r\nstack:\r\n  deploy: local\r\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(
    tmp_path: Path, name: str, text: str, mark: bytes
) -> None:
    (tmp_path / name).write_bytes(mark + text.encode())
    loaded = load(tmp_path / name)
    assert (loaded.document.name, loaded.document.stack) == ("Lädchen", {"deploy": "local"})
    assert loaded.positions["stack", "deploy"] == (3, 1 if name == "ospec.toml" else 3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe\x00binary", "not UTF-8 text (byte 0)"),
        (b"name = 'x'\n#" + b"x" * LARGEST_BYTES, "larger than"),
    ],
)
def test_a_file_that_is_no_document_is_told_so(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "ospec.toml").write_bytes(content)
    with pytest.raises(DocumentError, match=re.escape(told)) as caught:
        load(tmp_path / "ospec.toml")
    assert caught.value.code == "unreadable-document"


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="is a directory"):
        load(tmp_path)


def test_a_path_through_a_file_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DocumentError, match="not a directory"):
        load(tmp_path / "file" / "ospec.toml")


def test_a_file_that_may_not_be_read_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "ospec.toml"
    path.touch(mode=0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DocumentError, match="permission denied"):
        load(path)
    path.chmod(stat.S_IRUSR)


def test_a_binary_file_of_zeros_is_told_its_place() -> None:
    assert faults_of("a = 1\nb\x00 = 2")[0].startswith("ospec.toml:2:2: no valid TOML")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ospec.toml", "metadata = " + "[" * 100 + "]" * 100),
        ("ospec.toml", "metadata = " + "[" * 20_000 + "]" * 20_000),
        ("ospec.yaml", "metadata: " + "[" * 100 + "]" * 100),
        ("ospec.yaml", "metadata: " + "[" * 20_000 + "]" * 20_000),
    ],
    ids=["toml-100", "toml-20000", "yaml-100", "yaml-20000"],
)
def test_nesting_has_a_limit(name: str, text: str) -> None:
    (fault,) = faults_of(text, name)
    assert "too deep" in fault or "deeper" in fault


def test_the_document_of_a_folder_is_found(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        find_document(None, tmp_path)
    assert caught.value.code == "no-document"
    assert "write one: ospec init" in caught.value.hints
    (tmp_path / "ospec.yml").touch()
    assert find_document(None, tmp_path) == tmp_path / "ospec.yml"
    (tmp_path / "ospec.toml").touch()
    assert find_document(None, tmp_path) == tmp_path / "ospec.toml"
    assert find_document(Path("/other/service.toml"), tmp_path) == Path("/other/service.toml")


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.toml does not exist") as caught:
        load(tmp_path / "none.toml")
    assert caught.value.code == "no-document"


# -- what is told -----------------------------------------------------------------------------------------------------


def test_an_unknown_section_is_kept_with_a_warning() -> None:
    loaded = toml("[team]\nowner = 'a'\n[environments.staging.team]\nowner = 'b'")
    assert loaded.document.others == {"team": {"owner": "a"}}
    assert loaded.warnings == (
        "ospec.toml:1:2 team: ospec does not know this section; it is kept",
        "ospec.toml:3:23 environments.staging.team: ospec does not know this section; it is kept",
    )


@pytest.mark.parametrize("section", ["guardrail", "enviroments", "deploymnet", "monitorings", "secret"])
def test_an_unknown_section_close_to_a_known_one_is_a_fault(section: str) -> None:
    (fault,) = faults_of(f"[{section}]\n")
    assert "did you mean" in fault


def test_places_of_keys() -> None:
    loaded = toml('\n[deployment]\n  strategy = "rolling"\n[[monitoring.health_checks]]\nendpoint = "/"\n')
    assert loaded.locate("deployment.strategy") == "ospec.toml:3:3 deployment.strategy"
    assert loaded.locate("monitoring.health_checks[0].endpoint").startswith("ospec.toml:5:1 ")
    assert loaded.locate("deployment.keep_seconds").startswith("ospec.toml:2:2 "), "the section around it"
    assert loaded.locate("cdn").startswith("ospec.toml:1:1 ")


def test_another_spelling_is_the_models_key_from_then_on() -> None:
    loaded = toml("[deployment]\nscale_down_delay = '5m'\nanalysis = { maxWeight = 40 }")
    assert loaded.data["deployment"] == {"keep_seconds": 300.0, "analysis": {"max_weight": 40}}
    assert loaded.document.deployment.keep_seconds == 300.0
    assert loaded.locate("deployment.keep_seconds").startswith("ospec.toml:2:1 ")


def test_one_table_used_twice_is_respelt_twice() -> None:
    loaded = load_text(
        "deployment: &d {scale_down_delay: 5}\nenvironments: {staging: {deployment: *d}}", Path("ospec.yaml")
    )
    assert loaded.data["environments"]["staging"]["deployment"] == {"keep_seconds": 5}


DURATIONS = [
    ("5", 5.0),
    ("0.5", 0.5),
    ("'250ms'", 0.25),
    ("'30s'", 30.0),
    ("'5m'", 300.0),
    ("'2h'", 7200.0),
    ("'1d'", 86400.0),
    ("' 1.5 m '", 90.0),
]


@pytest.mark.parametrize(("written", "seconds"), DURATIONS)
def test_durations(written: str, seconds: float) -> None:
    assert toml(f"deployment.drain_seconds = {written}").document.deployment.drain_seconds == seconds


@pytest.mark.parametrize("written", ["'5'", "'5 minutes'", "'-5s'", "-1", "true", "[5]", "inf"])
def test_what_is_no_duration(written: str) -> None:
    assert len(faults_of(f"deployment.drain_seconds = {written}")) == 1


def test_a_date_is_kept_as_text_and_is_no_text_of_the_model() -> None:
    assert toml("metadata.since = 2024-05-01T10:00:00Z").document.metadata == {"since": "2024-05-01T10:00:00+00:00"}
    assert faults_of("name = 2024-05-01") == ["ospec.toml:1:1 name: found a date '2024-05-01', expected text"]


def test_faults_come_in_the_order_of_the_file() -> None:
    lines = [int(fault.split(":")[1]) for fault in faults_of((DATA / "bad" / "types.toml").read_text(encoding="utf-8"))]
    assert lines == sorted(lines)
    assert len(lines) == 11


def test_a_fault_of_types_hides_no_fault_of_limits() -> None:
    found = faults_of("[scripts]\nstart = 5\n[monitoring]\nhealth_checks = [{ endpoint = 'x' }]\nerror_tracking = '${'")
    assert [fault.split(" ")[0] for fault in found] == ["ospec.toml:2:1", "ospec.toml:4:20", "ospec.toml:5:1"]


# -- whatever is written ----------------------------------------------------------------------------------------------

FRAGMENTS = (
    *(
        "a",
        "b: ",
        "- ",
        "? ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
        "\n  ",
        "|",
        "> ",
        "'",
        '"',
        "#",
        "%",
        "---\n",
        "\t",
    ),
    *("!!int ", "!!float ", "!!timestamp ", "!!set ", "!!omap ", "!!bool ", "!!binary ", "!x ", "&a ", "*a ", "<<: "),
    *("2024-13-45", "0x", "0o9", "1e999", ".nan", "~", "=", "@", "\\", "😀", "\x07", "%YAML 1.1\n---\n", "1:2:3"),
    *("[stack]\n", "[[a.b]]\n", 'a = "', "'''", "scripts: ", "deployment: {strategy: x}"),
)


@pytest.mark.parametrize("name", ["ospec.toml", "ospec.yaml"])
@settings(max_examples=200, deadline=None)
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=9))
def test_any_text_is_a_document_or_has_faults(name: str, parts: list[str]) -> None:
    text = "".join(parts)
    try:
        load_text(text, Path(name))
    except DocumentFaults as error:
        for fault in error.faults:
            assert 1 <= fault.line <= text.count("\n") + 2, fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("? - b: 1\n: c", "ospec.yaml:1:3: no valid YAML: a list or table stands where a key is expected"),
        ("a: !!int x", "ospec.yaml:1:4: no valid YAML: 'x' does not fit its tag tag:yaml.org,2002:int"),
        ("a:\n  b: 2024-13-45", "ospec.yaml:2:6: no valid YAML: '2024-13-45' does not fit its tag"),
    ],
)
def test_a_value_that_does_not_fit_its_tag(text: str, fault: str) -> None:
    assert faults_of(text, "ospec.yaml")[0].startswith(fault)


def test_merged_tables_of_yaml() -> None:
    text = "deployment: {analysis: {interval: 5, metrics: [&m {name: a}, {<<: *m, thresholdRange: {max: 1}}]}}"
    metrics = load_text(text, Path("ospec.yaml")).document.deployment.analysis.metrics
    assert [(one.name, one.threshold_range.max) for one in metrics] == [("a", None), ("a", 1)]


def test_an_include_that_leaves_the_folder_is_a_fault_in_every_environment() -> None:
    text = "include = ['dist', '..x/.y', '../x', '/abs', ' ']\n[environments.staging]\ninclude = ['a/../../b', 'a/..']"
    expected = "expected a path or pattern below the document's folder"
    assert faults_of(text) == [
        f"ospec.toml:1:30 include[2]: found text '../x', {expected}",
        f"ospec.toml:1:38 include[3]: found text '/abs', {expected}",
        f"ospec.toml:1:46 include[4]: found text ' ', {expected}",
        f"ospec.toml:3:12 environments.staging.include[0]: found text 'a/../../b', {expected}",
        f"ospec.toml:3:25 environments.staging.include[1]: found text 'a/..', {expected}",
    ]
