"""`scan`: what it searches, what it reports, and its exit codes. Nothing is ever changed."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mistral_nb.api_key import Key
from mistral_nb.errors import WrongUsage
from mistral_nb.report import as_json
from mistral_nb.scanning import bulk_scrub, file_discovery
from mistral_nb.storage.index import Index
from support.commands import act
from support.jupyter_servers import notebook
from support.keys import make_key, make_text
from support.other_disk import put_on_another_disk
from support.patience import PATIENCE
from support.requirements import as_anybody, need

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


def holding(text: str, *more: str) -> str:
    return json.dumps(notebook("x = 1", f'key = "{text}"', *more), indent=1)


def scan(new_context: Any, *paths: Path | str, notebooks: bool = False) -> Any:
    return act(new_context("cli"), "scan", paths=[str(path) for path in paths], notebooks=notebooks)


def summary(acted: Any) -> str:
    return str(acted.report.notes[-1])


def position(file: Path, key: Key) -> str:
    """Line and column, as an editor counts them."""
    before = file.read_text().partition(key.reveal())[0]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_a_key_is_reported_by_place_tail_and_cell(new_context: Any, key: Key, folder: Path) -> None:
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    acted = scan(new_context, folder)
    assert acted.report.exit_code == 1
    assert str(acted.report).splitlines() == [
        f"{folder / 'a.ipynb'}:{position(folder / 'a.ipynb', key)}: Mistral key …{key.tail} in cell 2 "
        "(seen on this machine)",
        "1 file: 1 key found in 1 file.",
    ]
    assert key.reveal() not in acted.shown
    assert key.reveal()[:15] not in as_json(acted.report)
    assert (folder / "a.ipynb").read_text() == holding(key.reveal())


def test_json_has_files_and_findings(new_context: Any, key: Key, folder: Path) -> None:
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal()))
    (folder / "b.ipynb").write_text(holding("nothing"))
    (finding,) = (data := json.loads(as_json(scan(new_context, folder).report)))["findings"]
    assert data["files"] == 2
    assert set(data) == {"files", "findings", "keys", "passed_over"}
    assert finding.pop("id").endswith(":1")
    assert finding == {
        "state": "new",
        "answer": "not asked",
        "tier": "remembered",
        "fingerprint": key.fingerprint,
        "tail": key.tail,
        "kept": "not stored",
        "file": str(file),
        "path": "cells[1].source",
        "cell": 2,
        "cell_id": json.loads(file.read_text())["cells"][1].get("id"),
        "place": "source",
        "line": 1 + holding(key.reveal()).split(key.reveal())[0].count("\n"),
        "aside_id": "",
        "column": int(position(file, key).partition(":")[2]),
    }
    assert data["keys"] == [
        {
            "fingerprint": key.fingerprint,
            "tail": key.tail,
            "tier": "remembered",
            "kept": "not stored",
            "files": [str(file)],
            "places": 1,
        }
    ]


@pytest.mark.parametrize("content", ["", "{", "x = 1", json.dumps(notebook("x = 1"))])
def test_without_a_key_it_exits_0(content: str, new_context: Any, key: Key, folder: Path) -> None:
    (folder / "a.ipynb").write_text(content)
    acted = scan(new_context, folder)
    assert (acted.report.exit_code, str(acted.report)) == (0, "1 file: no key found.")


def test_a_known_key_is_found_from_the_environment(new_context: Any, environ: dict[str, str], folder: Path) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    (folder / "a.ipynb").write_text(holding(environ["MISTRAL_API_KEY"]))
    assert "(set in this environment)" in scan(new_context, folder).shown


def test_a_suspected_key_is_found_where_mistral_is_named(new_context: Any, folder: Path) -> None:
    (folder / "a.ipynb").write_text(holding(make_text(), "from mistralai import Mistral"))
    (folder / "b.ipynb").write_text(holding(make_text()))
    acted = scan(new_context, folder)
    assert summary(acted) == "2 files: 1 key found in 1 file."
    assert "(by its shape, where Mistral is named)" in acted.shown


def test_a_fingerprint_that_came_with_the_repository_is_reported(new_context: Any, folder: Path) -> None:
    revoked = make_key()
    (folder / ".mistral-nb-revoked").write_text(f"{revoked.fingerprint} leaked in May\n")
    (folder / "a.ipynb").write_text(holding(revoked.reveal()))
    acted = scan(new_context, folder)
    assert acted.report.exit_code == 1
    assert "(listed in .mistral-nb-revoked)" in acted.shown


def test_a_key_on_the_keep_list_does_not_count(new_context: Any, folder: Path) -> None:
    key = make_key()
    (folder / "pyproject.toml").write_text(f'[tool.mistral-nb]\nkeep = ["{key.fingerprint}"]\n')
    (folder / "a.ipynb").write_text(holding(key.reveal(), "import mistralai"))
    assert scan(new_context, folder).report.exit_code == 0
    (folder / "pyproject.toml").unlink()
    assert scan(new_context, folder).report.exit_code == 1


@pytest.mark.parametrize("git", [True, False])
@pytest.mark.parametrize("notebooks", [True, False])
def test_a_folder_means_every_text_file_hidden_and_ignored_ones_too(
    notebooks: bool, git: bool, new_context: Any, key: Key, folder: Path
) -> None:
    if git:
        need("git")
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        (folder / ".gitignore").write_text("ignored.*\n.env\n")
    names = {"a.ipynb", "b.py", "c.txt", ".d", ".env", "ignored.ipynb", "ignored.txt"}
    for name in (*names, "binary.dat"):
        (folder / name).write_bytes(b"\0" * name.startswith("binary") + f"key {key.reveal()}".encode())
    data = scan(new_context, folder, notebooks=notebooks).report.data
    found = {os.path.basename(finding["file"]) for finding in data["findings"]}
    assert found == {name for name in names if name.endswith(".ipynb") or not notebooks}
    assert [Path(each["path"]).name for each in data["passed_over"] if each["reason"] == "binary file"] == (
        [] if notebooks else ["binary.dat"]
    )


def test_without_a_path_it_is_this_folder_and_places_can_be_clicked(
    new_context: Any, key: Key, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "deeper").mkdir()
    (folder / "deeper/app.py").write_text(f"# é😀\nMISTRAL_API_KEY, x = '{key.reveal()}', '{key.reveal()}'\n")
    for paths in ([], ["."]):
        acted = scan(new_context, *paths)
        place = os.path.join("deeper", "app.py")
        assert acted.shown.splitlines()[0] == f"{place}:2:23: Mistral key …{key.tail} (seen on this machine)"


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize(
    "name", ["a.ipynb", "a.py", "a.md", "a.qmd", "a.R", "a.jl", "a.html", "a.json", "a.sh", "a.env"]
)
def test_a_nul_does_not_make_a_file_of_a_known_kind_binary(
    name: str, place: str, new_context: Any, key: Key, folder: Path
) -> None:
    text = f"k = '{key.reveal()}'\n".encode()
    (folder / name).write_bytes(b"\0" + text if place == "start" else text + b"\0")
    report = scan(new_context, folder).report
    assert (report.exit_code, [finding["tail"] for finding in report.data["findings"]]) == (1, [key.tail])
    assert report.data["passed_over"] == []


def test_text_of_two_bytes_a_character_is_not_binary_however_long_it_is(
    new_context: Any, key: Key, folder: Path
) -> None:
    for name, before in (("cut.txt", "x" * 3998 + "😀" * 50), ("whole.txt", "x" * 3999 + "😀" * 50)):
        (folder / name).write_bytes(f"{before} {key.reveal()}\n".encode("utf-16"))
    (folder / "neither.txt").write_bytes(b"\0\1\2" * 4000 + key.reveal().encode())
    data = scan(new_context, folder).report.data
    assert [Path(found["file"]).name for found in data["findings"]] == ["cut.txt", "whole.txt"]
    assert [Path(each["path"]).name for each in data["passed_over"]] == ["neither.txt"]


def test_what_is_passed_over_is_counted_by_why(new_context: Any, key: Key, folder: Path) -> None:
    passed_over = {
        ".git": "version control folder",
        "a/.hg": "version control folder",
        "an environment": "virtual environment",
        "conda": "virtual environment",
        "a/node_modules": "node_modules folder",
        "a/__pycache__": "cache folder",
    }
    looked_into = ["a/deep", ".hidden", "a/.ipynb_checkpoints"]
    for place in (*passed_over, *looked_into):
        (folder / place).mkdir(parents=True)
        (folder / place / "a b.py").write_text(f"k = '{key.reveal()}'\n")
    (folder / "an environment/pyvenv.cfg").touch()
    (folder / "conda/conda-meta").mkdir()
    for number in range(2):
        name = f"{number}.dat"
        (folder / name).write_bytes(b"\0" + key.reveal().encode())
        passed_over[name] = "binary file"
    if os.name == "posix":
        (folder / "link.py").symlink_to(folder / "a/deep/a b.py")
        os.mkfifo(folder / "pipe.py")
        passed_over |= {"link.py": "link", "pipe.py": "pipe, socket or device"}
    acted = scan(new_context, folder)
    told = {os.path.relpath(each["path"], folder): each["reason"] for each in acted.report.data["passed_over"]}
    assert told == passed_over
    found = [os.path.relpath(each["file"], folder) for each in acted.report.data["findings"]]
    assert sorted(found) == sorted(f"{place}/a b.py" for place in looked_into)
    assert "2 binary files, 1 cache folder" in acted.report.notes[-2]
    assert "2 version control folders, 2 virtual environments." in acted.report.notes[-2]
    for named in ("0.dat", "conda", ".git"):  # a person who names it wants it looked into
        assert scan(new_context, folder / named).report.exit_code == 1


def test_a_folder_of_another_file_system_is_passed_over(
    new_context: Any, key: Key, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "disk").mkdir()
    (folder / "disk/a.py").write_text(f"k = '{key.reveal()}'\n")
    assert scan(new_context, folder).report.exit_code == 1
    put_on_another_disk(monkeypatch, "disk")
    report = scan(new_context, folder).report
    assert report.exit_code == 0
    assert report.data["passed_over"] == [
        {"path": str(folder / "disk"), "reason": "folder of another file system"},
    ]
    (folder / "a").mkdir()
    (folder / "a/disk").mkdir()
    assert "Not looked into: 2 folders of other file systems." in scan(new_context, folder).shown


def test_a_junction_of_windows_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:  # as os.scandir yields it on Windows
        def is_symlink(self) -> bool:
            return False

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return False

        def is_file(self, *, follow_symlinks: bool) -> bool:
            return True

        def stat(self, *, follow_symlinks: bool) -> Any:
            return SimpleNamespace(st_reparse_tag=0xA0000003)

    assert file_discovery._sort_entry(Entry(), 0) == (stat.S_IFREG, "")  # the control
    monkeypatch.setattr(file_discovery, "_JUNCTION_TAG", 0xA0000003)
    assert file_discovery._sort_entry(Entry(), 0) == (stat.S_IFLNK, "link")


def test_a_large_file_is_passed_over_unless_it_is_named_or_a_notebook(
    new_context: Any, key: Key, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.ipynb", "table.csv"):
        (folder / name).write_text(holding(key.reveal()))
    assert scan(new_context, folder).report.data["passed_over"] == []
    monkeypatch.setattr(bulk_scrub, "_LARGE_BYTES", 100)
    data = scan(new_context, folder).report.data
    assert [found["file"] for found in data["findings"]] == [str(folder / "a.ipynb")]
    assert data["passed_over"] == [{"path": str(folder / "table.csv"), "reason": "large file"}]
    assert scan(new_context, folder / "table.csv").report.exit_code == 1


def test_what_is_named_below_a_folder_that_is_named_is_not_passed_over(
    new_context: Any, key: Key, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("a.dat").write_bytes(b"\0" + key.reveal().encode())
    assert scan(new_context, ".").report.data["passed_over"] != []
    for paths in ([".", "a.dat"], ["a.dat", folder]):
        report = scan(new_context, *paths).report
        assert (report.exit_code, report.data["files"], report.data["passed_over"]) == (1, 1, [])


def test_a_repository_inside_a_repository_is_walked_too(new_context: Any, key: Key, folder: Path) -> None:
    need("git")
    for place in (folder, folder / "inner"):
        subprocess.run(["git", "init", "-q", str(place)], check=True)
    (folder / "inner/a.ipynb").write_text(holding(key.reveal()))
    assert scan(new_context, folder).report.exit_code == 1


def test_each_file_is_scanned_once(new_context: Any, key: Key, folder: Path) -> None:
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    assert scan(new_context, folder, folder / "a.ipynb", f"{folder}/./a.ipynb").report.data["files"] == 1


def test_an_unreadable_file_is_reported_and_the_others_continue(new_context: Any, key: Key, folder: Path) -> None:
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    os.mkfifo(folder / "pipe.ipynb")
    acted = scan(new_context, folder / "gone.ipynb", folder / "pipe.ipynb", folder / "a.ipynb")
    assert acted.report.exit_code == 3
    assert "gone.ipynb: could not be read: No such file or directory" in acted.shown
    assert "pipe.ipynb: could not be read: it is not a regular file" in acted.shown
    assert "2 files could not be read; 1 file: 1 key found in 1 file." in acted.shown
    assert acted.report.data["files"] == 1
    alone = scan(new_context, folder / "gone.ipynb")
    assert summary(alone) == "1 file could not be read."
    (folder / "a.ipynb").write_text(holding("nothing"))
    clean = scan(new_context, folder / "a.ipynb", folder / "gone.ipynb")
    assert clean.steps == [f"{folder / 'gone.ipynb'}: could not be read: No such file or directory"]
    assert summary(clean) == "1 file could not be read; 1 file: no key found."
    assert clean.report.exit_code == 3


def test_a_folder_without_files_was_read(new_context: Any, folder: Path) -> None:
    acted = scan(new_context, folder)
    assert (summary(acted), acted.report.exit_code) == ("0 files: no key found.", 0)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("kind", ["remembered", "known"])
def test_a_name_s_key_is_hidden_where_no_file_holds_it(
    kind: str, new_context: Any, environ: dict[str, str], folder: Path
) -> None:
    key = make_key()
    if kind == "remembered":
        Index(environ["MISTRAL_NB_HOME"]).remember(key)
    else:
        environ["MISTRAL_API_KEY"] = key.reveal()
    (folder / f"x {key.reveal()}.bin").write_bytes(b"\0\1")
    os.mkfifo(folder / f"pipe {key.reveal()}.ipynb")
    named = folder / f"gone {key.reveal()}.py"
    acted = act(new_context("cli", folder=str(folder)), "scan", paths=[str(folder), str(named)])
    assert acted.report.exit_code == 3
    assert {entry["reason"] for entry in acted.report.data["passed_over"]} == {
        "binary file",
        "pipe, socket or device",
    }
    assert "gone " in acted.steps[0]
    for text in (acted.shown, as_json(acted.report)):
        assert key.reveal()[:15] not in text
    assert key.reveal()[:15] in " ".join(os.listdir(folder)), "the search finds it"


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("tracked", [None, False, True])
def test_an_unreadable_folder_is_reported(
    tracked: bool | None, environ: dict[str, str], key: Key, folder: Path
) -> None:
    (folder / "locked").mkdir()
    (folder / "locked/a.ipynb").write_text(holding(key.reveal()))
    (folder / "open.ipynb").write_text(json.dumps(notebook("x")))
    if tracked is not None:
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
    if tracked:
        subprocess.run(["git", "-C", str(folder), "add", "."], check=True)
    words = as_anybody(SCRIPT, "scan", str(folder))
    try:
        (folder / "locked").chmod(0)
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60 * PATIENCE)
    finally:
        (folder / "locked").chmod(0o700)
    assert done.returncode == 3
    assert "locked" in done.stderr and "could not be read" in done.stderr
    assert subprocess.run(words, env=environ, capture_output=True, timeout=60 * PATIENCE).returncode == 1


def test_standard_input_cannot_be_combined_with_paths(new_context: Any) -> None:
    with pytest.raises(WrongUsage, match="cannot be combined with other paths"):
        scan(new_context, "-", "a.ipynb")


def test_a_damaged_index_is_reported_and_more_is_found(new_context: Any, environ: dict[str, str], folder: Path) -> None:
    home = Path(environ["MISTRAL_NB_HOME"])
    home.mkdir(exist_ok=True)
    (home / "workspaces.json").write_text("{")
    (folder / "a.ipynb").write_text(holding(make_text()))
    acted = scan(new_context, folder)
    assert acted.report.exit_code == 1
    assert sum("everything shaped like a key is redacted" in step for step in acted.steps) == 1
