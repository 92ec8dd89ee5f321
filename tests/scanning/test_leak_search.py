"""Where a leaked key is searched for: in every file of a folder, except the internal files of tools."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.guard import ipython_history_files
from mistral_nb.scanning import leak_search
from support.keys import make_key
from support.other_disk import put_on_another_disk

WHERE = [
    ("nb.ipynb", "here"),
    (".hidden/notes.md", "here"),
    ("a folder/.ipynb_checkpoints/nb-checkpoint.ipynb", "checkpoints"),
    (".env", "by_hand"),
    ("project/.env.local", "by_hand"),
    (".git/objects/x", ""),
    (".venv/lib/x.py", ""),
    ("node_modules/x.js", ""),
    ("history.sqlite", ""),
]


@pytest.mark.parametrize(("name", "kind"), WHERE)
def test_each_file_counts_as_what_it_is(name: str, kind: str, tmp_path: Path) -> None:
    key = make_key()
    write(tmp_path / name, key)
    found = leak_search.search_folder(str(tmp_path), key)
    wanted = [str(tmp_path / name)]
    assert found == leak_search.LeakLocations(
        *(wanted if kind == part else [] for part in ("here", "checkpoints", "by_hand", "unread")), True
    )


def test_links_and_virtual_environments_are_skipped(tmp_path: Path) -> None:
    key = make_key()
    write(tmp_path / "elsewhere" / "x.txt", key)
    write(tmp_path / "looked into" / "mine" / "lib" / "x.py", key)
    (tmp_path / "looked into" / "link.txt").symlink_to(tmp_path / "elsewhere" / "x.txt")
    assert leak_search.search_folder(str(tmp_path / "looked into"), key).files == [
        str(tmp_path / "looked into/mine/lib/x.py")
    ]
    write(tmp_path / "looked into" / "mine" / "pyvenv.cfg", make_key())
    assert leak_search.search_folder(str(tmp_path / "looked into"), key).files == []


def test_the_histories_are_those_of_the_home_that_is_given(new_context: Callable[..., Context]) -> None:
    context, key = new_context("cli"), make_key()
    home = Path(context.environ["HOME"])
    context.environ.pop("IPYTHONDIR", None)
    assert ipython_history_files.list_databases(context.environ) == []
    for folder in (".ipython/profile_b", ".ipython/profile_a", ".ipython/other", "aside/profile_c"):
        write(home / folder / "history.sqlite", key)
    wanted = [os.path.join(home, ".ipython", name, "history.sqlite") for name in ("profile_a", "profile_b")]
    assert ipython_history_files.list_databases(context.environ) == wanted
    context.environ["IPYTHONDIR"] = str(home / "aside")
    assert ipython_history_files.list_databases(context.environ) == [str(home / "aside/profile_c/history.sqlite")]


def test_a_file_too_large_to_search_is_reported(new_context: Callable[..., Context]) -> None:
    context, key = new_context("cli"), make_key()
    large = Path(str(context.folder)) / "model.bin"
    write(large, key)
    os.truncate(large, 60_000_000)
    rows = {row.label: row for row in leak_search.leak_rows(context, key)}
    assert rows["this folder"].value == "not found"
    assert rows["not searched"].value == "1 path: model.bin"
    assert rows["not searched"].repair == "mistral-nb scan model.bin"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows have no such names")
def test_a_repository_with_a_non_utf8_name_is_found(new_context: Callable[..., Context], tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    key = make_key()
    write(folder / "sub" / "x.py", key)
    write(folder / "y.py", key)
    subprocess.run(["git", "init", "-q", folder], check=True)
    rows = {row.label: row.value for row in leak_search.leak_rows(new_context("cli", folder=str(folder / "sub")), key)}
    assert rows["this folder"] == "1 file: x.py"
    assert rows["the rest of the repository"] == "1 file: ../y.py"


def write(file: Path, key: Key) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'MISTRAL_API_KEY = "{key.reveal()}"\n')


def test_a_folder_of_another_file_system_is_not_called_clean(
    new_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, key = new_context("cli"), make_key()
    write(Path(str(context.folder)) / "work" / "a.py", key)
    assert "not searched" not in {row.label for row in leak_search.leak_rows(context, key)}
    put_on_another_disk(monkeypatch, "work")
    rows = {row.label: row for row in leak_search.leak_rows(context, key)}
    assert (rows["not searched"].value, rows["not searched"].state) == ("1 path: work", "warn")
    assert rows["not searched"].repair == "mistral-nb scan work"
