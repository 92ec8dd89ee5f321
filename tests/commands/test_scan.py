"""`scan`: what it searches, what it reports, and its exit codes. Nothing is ever changed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import Key
from mistral_nb.errors import WrongUsage
from mistral_nb.report import as_json
from support.commands import act
from support.jupyter_servers import notebook
from support.keys import make_key, make_text
from support.requirements import as_anybody, need

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


def holding(text: str, *more: str) -> str:
    return json.dumps(notebook("x = 1", f'key = "{text}"', *more), indent=1)


def scan(new_context: Any, *paths: Path | str, everything: bool = False) -> Any:
    return act(new_context("cli"), "scan", paths=[str(path) for path in paths], everything=everything)


def test_a_key_is_reported_by_tier_tail_and_cell(new_context: Any, key: Key, folder: Path) -> None:
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    acted = scan(new_context, folder)
    assert acted.report.exit_code == 1
    assert acted.report.title == "1 file: 1 key found (1 remembered) in 1 file."
    assert f"1 key found: …{key.tail} (remembered) in cell 2" in acted.shown
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
    assert finding == {
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
    assert "(known)" in scan(new_context, folder).shown


def test_a_suspected_key_is_found_where_mistral_is_named(new_context: Any, folder: Path) -> None:
    (folder / "a.ipynb").write_text(holding(make_text(), "from mistralai import Mistral"))
    (folder / "b.ipynb").write_text(holding(make_text()))
    acted = scan(new_context, folder)
    assert acted.report.title == "2 files: 1 key found (1 suspected) in 1 file."


def test_a_fingerprint_that_came_with_the_repository_is_reported(new_context: Any, folder: Path) -> None:
    revoked = make_key()
    (folder / ".mistral-nb-revoked").write_text(f"{revoked.fingerprint} leaked in May\n")
    (folder / "a.ipynb").write_text(holding(revoked.reveal()))
    acted = scan(new_context, folder)
    assert acted.report.exit_code == 1
    assert "(reported)" in acted.shown


def test_a_key_on_the_keep_list_does_not_count(new_context: Any, folder: Path) -> None:
    key = make_key()
    (folder / "pyproject.toml").write_text(f'[tool.mistral-nb]\nkeep = ["{key.fingerprint}"]\n')
    (folder / "a.ipynb").write_text(holding(key.reveal(), "import mistralai"))
    assert scan(new_context, folder).report.exit_code == 0
    (folder / "pyproject.toml").unlink()
    assert scan(new_context, folder).report.exit_code == 1


@pytest.mark.parametrize(("everything", "names"), [(False, {"a.ipynb"}), (True, {"a.ipynb", "b.py", "c.txt", ".d"})])
def test_a_folder_means_its_notebooks_and_with_all_every_text_file(
    everything: bool, names: set[str], new_context: Any, key: Key, folder: Path
) -> None:
    need("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for name in ("a.ipynb", "b.py", "c.txt", ".d", "ignored.ipynb", "ignored.txt", "binary.dat"):
        (folder / name).write_bytes(b"\0" * name.startswith("binary") + f"key {key.reveal()}".encode())
    (folder / ".gitignore").write_text("ignored.*\n")
    data = scan(new_context, folder, everything=everything).report.data
    assert {os.path.basename(finding["file"]) for finding in data["findings"]} == names
    assert [os.path.basename(path) for path in data["passed_over"]] == ["binary.dat"] * everything


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize(
    "name", ["a.ipynb", "a.py", "a.md", "a.qmd", "a.R", "a.jl", "a.html", "a.json", "a.sh", "a.env"]
)
def test_a_nul_does_not_make_a_file_of_a_known_kind_binary(
    name: str, place: str, new_context: Any, key: Key, folder: Path
) -> None:
    text = f"k = '{key.reveal()}'\n".encode()
    (folder / name).write_bytes(b"\0" + text if place == "start" else text + b"\0")
    report = scan(new_context, folder, everything=True).report
    assert (report.exit_code, [finding["tail"] for finding in report.data["findings"]]) == (1, [key.tail])
    assert report.data["passed_over"] == []


@pytest.mark.parametrize("git", [True, False])
def test_what_is_binary_is_counted_and_named(git: bool, new_context: Any, key: Key, folder: Path) -> None:
    if git:
        need("git")
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
    names = [f"{number}.dat" for number in range(7)]
    for name in names:
        (folder / name).write_bytes(b"\0" + key.reveal().encode())
    (folder / "a.ipynb").write_text(holding("nothing"))
    acted = scan(new_context, folder, everything=True)
    assert acted.report.title == "8 files: no key found, 7 binary files passed over."
    assert acted.report.exit_code == 0
    named = ", ".join(str(folder / name) for name in names[:5])
    assert f"Binary, so not looked into: {named} and 2 more." in acted.shown
    assert acted.report.data["passed_over"] == [str(folder / name) for name in names]
    assert scan(new_context, folder).report.data["passed_over"] == []  # it is notebooks that are looked for
    assert scan(new_context, folder / names[0]).report.exit_code == 1  # negative control: there is a key


@pytest.mark.parametrize("git", [True, False])
def test_ignored_and_internal_folders_are_skipped(git: bool, new_context: Any, key: Key, folder: Path) -> None:
    places = ["mine/deep", ".hidden", "env with python", "node_modules", "mine/.ipynb_checkpoints"]
    for place in places:
        (folder / place).mkdir(parents=True)
        (folder / place / "a b.ipynb").write_text(holding(key.reveal()))
    (folder / "env with python" / "pyvenv.cfg").touch()
    (folder / "link.ipynb").symlink_to(folder / "mine/deep/a b.ipynb")
    if git:
        need("git")
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        (folder / ".gitignore").write_text("env with python\nnode_modules\n.hidden\n")
    found = [f["file"] for f in scan(new_context, folder).report.data["findings"]]
    assert sorted(os.path.relpath(file, folder) for file in found) == [
        "mine/.ipynb_checkpoints/a b.ipynb",
        "mine/deep/a b.ipynb",
    ]


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
    assert "2 files could not be read; 3 files: 1 key found (1 remembered) in 1 file." in acted.shown
    alone = scan(new_context, folder / "gone.ipynb")
    assert alone.report.title == "1 file could not be read."


def test_a_git_ignored_folder_is_scanned_if_named(new_context: Any, key: Key, folder: Path) -> None:
    need("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("out/\n")
    (folder / "out/deeper").mkdir(parents=True)
    (folder / "out/deeper/a.ipynb").write_text(holding(key.reveal()))
    assert scan(new_context, folder).report.exit_code == 0
    for named in (folder / "out", folder / "out/deeper"):
        assert scan(new_context, named).report.title == "1 file: 1 key found (1 remembered) in 1 file."


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
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60)
    finally:
        (folder / "locked").chmod(0o700)
    assert done.returncode == 3
    assert "locked" in done.stderr and "could not be read" in done.stderr
    assert subprocess.run(words, env=environ, capture_output=True, timeout=60).returncode == 1


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
