"""Where a leaked key is looked for: in every file of a folder, save what tools keep for themselves."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from keys import make_key

from mistral_nb.actions import leaks
from mistral_nb.actions.context import Context
from mistral_nb.kernel import history_files
from mistral_nb.key import Key

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
    found = leaks.search(str(tmp_path), key)
    wanted = [str(tmp_path / name)]
    assert found == leaks.Found(
        *(wanted if kind == part else [] for part in ("here", "checkpoints", "by_hand", "unread")), True
    )


def test_what_is_linked_or_of_a_virtual_environment_is_left_out(tmp_path: Path) -> None:
    key = make_key()
    write(tmp_path / "elsewhere" / "x.txt", key)
    write(tmp_path / "looked into" / "mine" / "lib" / "x.py", key)
    (tmp_path / "looked into" / "link.txt").symlink_to(tmp_path / "elsewhere" / "x.txt")
    assert leaks.search(str(tmp_path / "looked into"), key).here == [str(tmp_path / "looked into/mine/lib/x.py")]
    write(tmp_path / "looked into" / "mine" / "pyvenv.cfg", make_key())
    assert leaks.search(str(tmp_path / "looked into"), key).here == []


def test_the_histories_are_those_of_the_home_that_is_given(new_context: Callable[..., Context]) -> None:
    context, key = new_context("cli"), make_key()
    home = Path(context.environ["HOME"])
    context.environ.pop("IPYTHONDIR", None)
    assert history_files.files(context.environ) == []
    for folder in (".ipython/profile_b", ".ipython/profile_a", ".ipython/other", "aside/profile_c"):
        write(home / folder / "history.sqlite", key)
    wanted = [os.path.join(home, ".ipython", name, "history.sqlite") for name in ("profile_a", "profile_b")]
    assert history_files.files(context.environ) == wanted
    context.environ["IPYTHONDIR"] = str(home / "aside")
    assert history_files.files(context.environ) == [str(home / "aside/profile_c/history.sqlite")]


def test_a_file_that_is_too_large_to_be_looked_into_is_told(new_context: Callable[..., Context]) -> None:
    context, key = new_context("cli"), make_key()
    large = Path(str(context.folder)) / "model.bin"
    write(large, key)
    os.truncate(large, 60_000_000)
    rows = {row.label: row for row in leaks.rows(context, key)}
    assert rows["this folder"].value == "not found"
    assert rows["not looked into"].value == "1 file: model.bin"
    assert rows["not looked into"].repair == "mistral-nb scan model.bin"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows have no such names")
def test_a_repository_whose_name_is_no_utf_8_is_found(new_context: Callable[..., Context], tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    key = make_key()
    write(folder / "sub" / "x.py", key)
    write(folder / "y.py", key)
    subprocess.run(["git", "init", "-q", folder], check=True)
    rows = {row.label: row.value for row in leaks.rows(new_context("cli", folder=str(folder / "sub")), key)}
    assert rows["this folder"] == "1 file: x.py"
    assert rows["the rest of the repository"] == "1 file: ../y.py"


def write(file: Path, key: Key) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'MISTRAL_API_KEY = "{key.reveal()}"\n')
