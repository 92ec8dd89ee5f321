"""Where a leaked key is looked for: in every file of a folder, save what tools keep for themselves."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from keys import make_key

from mistral_nb.actions import leaks
from mistral_nb.actions.context import Context
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
    assert found == leaks.Found(*(wanted if kind == part else [] for part in ("here", "checkpoints", "by_hand")), True)


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
    assert leaks._histories(context) == []
    for folder in (".ipython/profile_b", ".ipython/profile_a", ".ipython/other", "aside/profile_c"):
        write(home / folder / "history.sqlite", key)
    wanted = [os.path.join(home, ".ipython", name, "history.sqlite") for name in ("profile_a", "profile_b")]
    assert leaks._histories(context) == wanted
    context.environ["IPYTHONDIR"] = str(home / "aside")
    assert leaks._histories(context) == [str(home / "aside/profile_c/history.sqlite")]


def write(file: Path, key: Key) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'MISTRAL_API_KEY = "{key.reveal()}"\n')
