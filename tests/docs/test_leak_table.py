"""The README's table of leaks: each cell of ours is what a scene gives, and without mistral_nb the same key leaks."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager

from mistral_nb.api_key import Key
from mistral_nb.jupyter.save_hook import ContentsManagerGuard
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import mistral_nb
from support.files import read_files
from support.git_repos import Repo, git_environment, notebook, uses
from support.jupyter_servers import notebook as saved_notebook
from support.kernels import start_kernel
from support.keys import make_key

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
FILE = "tests/docs/test_leak_table.py"
Environ = dict[str, str]


def leaks_when_saved(folder: Path, environ: Environ, sandbox: Sandbox, *, ours: bool) -> bool:
    key, served = make_key(), folder / "served"
    served.mkdir()
    manager = LargeFileManager(root_dir=str(served))
    if ours:
        ContentsManagerGuard(manager, WatchlistCache(print, environ)).install()
    manager.save({"type": "notebook", "format": "json", "content": saved_notebook(uses(key))}, "a.ipynb")
    return key.reveal() in (served / "a.ipynb").read_text(encoding="utf-8")


def leaks_when_printed(folder: Path, environ: Environ, sandbox: Sandbox, *, ours: bool) -> bool:
    key = make_key()
    with start_kernel(environ | {"MISTRAL_API_KEY": key.reveal()}) as kernel:
        if ours:
            kernel.run("%load_ext mistral_nb")
        cells = ("import os; print(os.environ)", "raise ValueError('MISTRAL_API_KEY', os.environ['MISTRAL_API_KEY'])")
        ran = [kernel.run(cell) for cell in cells]
    assert all("MISTRAL_API_KEY" in cell.shown for cell in ran)
    return any(key.reveal() in message for message in kernel.messages)


def leaks_when_committed(folder: Path, environ: Environ, sandbox: Sandbox, *, ours: bool) -> bool:
    key, repo = make_key(), Repo(folder / "repo", git_environment(folder))
    if ours:
        repo.protect()
    repo.write("a.ipynb", notebook(uses(key)))
    repo.commit()
    assert key.reveal().encode() in repo.read("a.ipynb")
    return bool(repo.objects_with(key))


def leaks_when_pushed(folder: Path, environ: Environ, sandbox: Sandbox, *, ours: bool) -> bool:
    key, repo = make_key(), Repo(folder / "repo", git_environment(folder))
    remote = Repo(folder / "remote", repo.env, make=False)
    repo.git("init", "-q", "--bare", "../remote")
    repo.git("remote", "add", "origin", "../remote")
    if ours:
        repo.protect()
    repo.write(".env", f"MISTRAL_API_KEY={key.reveal()}\n".encode())
    repo.commit()
    pushed = repo.run("push", "-q", "origin", "main")
    assert (pushed.returncode != 0) == ours, pushed.stderr
    return bool(remote.objects_with(key))


def leaks_from_the_disk(folder: Path, environ: Environ, sandbox: Sandbox, *, ours: bool) -> bool:
    """Stored in the encrypted file, which is beside ``folder``, or in a `.env`."""
    key = sandbox.make_key("dev")
    if ours:
        with start_kernel(environ) as kernel:
            kernel.run("%load_ext mistral_nb")
            ran = kernel.run("%mistral_key", answers=[key.reveal()])
            assert ran.status == "ok", ran.error
        assert f"…{key.tail}" in mistral_nb(environ, "list").stdout
    else:
        (folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    files = read_files(folder.parent)
    assert files
    return any(key.reveal().encode() in data for data in files.values())


def is_missed_in_the_history(folder: Path, environ: Environ, sandbox: Sandbox, *, ours: bool) -> bool:
    """Whether a look at a repository with a key in an old commit says that it is clean: ours, or ``git grep``."""
    key, repo = make_key(), Repo(folder / "repo", git_environment(folder))
    repo.write("a.py", uses(key).encode())
    repo.commit()
    assert is_in_the_work_tree(key, repo)
    repo.git("rm", "-q", "a.py")
    repo.git("commit", "-q", "-m", "without it")
    if not ours:
        return not is_in_the_work_tree(key, repo)
    scan = repo.act("scan", paths=[], git_history="")
    assert key.tail in scan.shown
    return scan.report.exit_code == 0


def is_in_the_work_tree(key: Key, repo: Repo) -> bool:
    searched = repo.run("grep", "-q", "-F", "-f", "-", given=f"{key.reveal()}\n")
    assert searched.returncode in (0, 1), searched.stderr
    return searched.returncode == 0


SCENES: dict[str, tuple[Callable[..., bool], str]] = {
    "typed into a cell, in the saved notebook": (leaks_when_saved, "removed"),
    "printed by a cell: `os.environ`, a traceback": (leaks_when_printed, "redacted"),
    "typed into a cell, in a commit": (leaks_when_committed, "removed"),
    "in a `.env` that is pushed": (leaks_when_pushed, "push refused"),
    "as plain text on the disk": (leaks_from_the_disk, "encrypted"),
    "in an old commit": (is_missed_in_the_history, "reported"),
}


def test_each_row_has_its_scene_and_links_to_it() -> None:
    table = README.partition("| a key … |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (?!---)(.+?) \|.*\| \[✓ ([\w ]+)\]\(([\w/.]+)\) \|$", table, re.MULTILINE)
    assert {row: (word, file) for row, word, file in rows} == {row: (word, FILE) for row, (_, word) in SCENES.items()}
    assert table.count("\n| ") == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("row", SCENES)
def test_it_is_stopped_and_leaks_without_mistral_nb(
    row: str, tmp_path: Path, environ: Environ, sandbox: Sandbox
) -> None:
    leaks, _ = SCENES[row]
    for ours in (True, False):
        folder = tmp_path / f"ours {ours}"
        folder.mkdir()
        assert leaks(folder, environ, sandbox, ours=ours) is not ours
