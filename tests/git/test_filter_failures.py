"""When the filter fails nothing is stored, and the error says what to do."""

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.file_io import write_atomically
from mistral_nb.git import filter_config
from support.git_repos import Repo, notebook, uses
from support.patience import PATIENCE
from support.processes import started

LONG_LINE = "epoch 17: loss 0.25, accuracy 0.75, and so on; " * 40 + "\n"


def held(repo: Repo, key: Key, before: bytes) -> None:
    """Nothing was stored, and the repository goes on."""
    assert repo.objects_with(key) == []
    assert repo.blob("HEAD:nb.ipynb") == before
    assert not (repo.path / ".git/index.lock").exists()
    repo.protect()
    repo.write("after.ipynb", notebook(uses(key)))
    repo.commit("afterwards")
    assert repo.objects_with(key) == []
    assert repo.status() == ""


def test_a_filter_killed_in_mid_stream_stores_nothing(repo: Repo, key: Key) -> None:
    before = repo.read("nb.ipynb")
    repo.write("large.ipynb", notebook(uses(key), LONG_LINE * 30_000))
    with _add_everything(repo) as git:
        killed = _kill_the_filter(git.pid)
        said = git.communicate(timeout=60 * PATIENCE)[1]
    assert killed
    assert git.returncode != 0, said
    assert key.reveal() not in said
    (repo.path / "large.ipynb").unlink()
    held(repo, key, before)


def test_a_missing_interpreter_error_says_how_to_repair_it(repo: Repo, key: Key, tmp_path: Path) -> None:
    before = repo.read("nb.ipynb")
    python = tmp_path / 'it\'s a "python" $HOME %f'
    python.symlink_to(sys.executable)
    repo.driven_by(filter_config.own_driver(repo.env["MISTRAL_NB_HOME"])._replace(python=str(python)))
    repo.write("nb.ipynb", notebook(uses(key)))
    repo.git("add", ".")
    assert MARKER.encode() in repo.blob(":nb.ipynb")
    python.unlink()
    repo.write("nb.ipynb", notebook(uses(key), "again"))
    for words in (("add", "."), ("commit", "-a", "-m", "x"), ("stash",)):
        failed = repo.run(*words)
        assert failed.returncode != 0
        assert str(python) in failed.stderr
        assert "mistral-nb protect" in failed.stderr
        assert "-c filter.mistral-nb.process=" in failed.stderr
    assert "no longer exists" in repo.act("protect", status=True).shown
    around = shlex.split(failed.stderr.split("keys included: git ")[1].split(" COMMAND")[0])
    assert repo.run(*around, "status").returncode == 0
    held(repo, key, before)


@pytest.mark.parametrize("way", ["process", "clean"])
def test_a_missing_package_stores_nothing(way: str, repo: Repo, key: Key, tmp_path: Path) -> None:
    before = repo.read("nb.ipynb")
    repo.driven_by(filter_config.own_driver(repo.env["MISTRAL_NB_HOME"])._replace(root=str(tmp_path / "was here")))
    if way == "clean":
        repo.git("config", "--unset", "filter.mistral-nb.process")
    repo.write("nb.ipynb", notebook(uses(key)))
    failed = repo.run("add", ".")
    assert failed.returncode != 0
    assert "Repair: pip install mistral_nb" in failed.stderr
    held(repo, key, before)


def test_a_filter_that_raises_stores_nothing_and_names_the_file(repo: Repo, key: Key) -> None:
    before = repo.read("nb.ipynb")
    broken = (
        "import sys; sys.path.insert(0, sys.argv[1]); from mistral_nb.git import filter_content, filter_process; "
        "import mistral_nb.redaction.redact; filter_content.redact = lambda data, *more, **flags: 1 // 0; "
        "filter_process.main()"
    )
    root = str(Path(filter_config.__file__).parents[2])
    words = [sys.executable, "-I", "-S", "-c", broken, root, repo.env["MISTRAL_NB_HOME"]]
    repo.git("config", "filter.mistral-nb.process", shlex.join(words))
    repo.write("nb.ipynb", notebook(uses(key)))
    repo.write("quiet.ipynb", notebook("1"))
    failed = repo.run("add", ".")
    assert failed.returncode != 0
    assert "nb.ipynb" in failed.stderr
    assert "ZeroDivisionError" in failed.stderr
    assert key.reveal() not in failed.stderr
    held(repo, key, before)


@pytest.mark.slow
def test_a_blob_of_300_megabytes_goes_through_without_its_key(repo: Repo, key: Key) -> None:
    body = b'   "%s",\n' % LONG_LINE.strip().encode() * (300_000_000 // len(LONG_LINE))
    data = b'{"cells": [{"cell_type": "code", "source": [\n' + body + f'"{uses(key)!s}"'.encode() + b"]}]}\n"
    assert len(data) > 299_000_000
    repo.write("large.ipynb", data)
    repo.git("-c", "core.compression=1", "add", ".")
    stored = repo.blob(":large.ipynb")
    assert key.reveal().encode() not in stored
    assert stored == data.replace(key.reveal().encode(), MARKER.encode())


def test_an_empty_file_stays_empty(repo: Repo) -> None:
    repo.write("empty.ipynb", b"")
    repo.commit()
    assert repo.blob("HEAD:empty.ipynb") == b""
    (repo.path / "empty.ipynb").unlink()
    repo.git("checkout", "--", "empty.ipynb")
    assert repo.read("empty.ipynb") == b""
    assert repo.status() == ""


def test_a_file_that_vanishes_while_another_is_cleaned(repo: Repo, key: Key) -> None:
    repo.write("a.ipynb", notebook(uses(key), LONG_LINE * 5_000))
    repo.write("z.ipynb", notebook(uses(key)))
    with _add_everything(repo) as git:
        _wait_for_the_filter(git.pid)
        (repo.path / "z.ipynb").unlink()
        git.communicate(timeout=60 * PATIENCE)
    (repo.path / "a.ipynb").unlink()
    repo.git("add", "-A")
    assert repo.objects_with(key) == []
    assert repo.status() == ""


def test_an_index_of_keys_that_cannot_be_read_makes_it_strict(repo: Repo, key: Key) -> None:
    """Every key-shaped run goes, with a warning; and what is committed already stays."""
    text = f"token = '{key.reveal()}'"  # nothing names Mistral
    repo.write("committed.ipynb", notebook(text, "unrelated"))
    write_atomically(str(Path(repo.env["MISTRAL_NB_HOME"], "workspaces.json")), b'{"version": 1, "seen": [{')
    repo.git("-c", "filter.mistral-nb.process=", "-c", "filter.mistral-nb.required=false", "add", ".")
    repo.git("commit", "-q", "-m", "as it was")
    repo.touch()
    assert repo.status() == ""
    repo.write("new.ipynb", notebook(text))
    added = repo.run("add", ".")
    assert added.returncode == 0
    assert "workspaces.json" in added.stderr
    assert key.reveal().encode() not in repo.blob(":new.ipynb")
    repo.git("commit", "-q", "-m", "new")
    repo.git("checkout", "HEAD~1", "--", ".")
    assert key.reveal().encode() in repo.read("committed.ipynb")


def _add_everything(repo: Repo) -> AbstractContextManager[subprocess.Popen[str]]:
    return started(["git", "add", "."], cwd=repo.path, env=repo.env, stderr=subprocess.PIPE, text=True)


def _kill_the_filter(parent: int) -> bool:
    """``kill -9`` for the filter that this git has started, once it is at work."""
    pid = _wait_for_the_filter(parent)
    if pid:
        time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    return pid is not None


def _wait_for_the_filter(parent: int) -> int | None:
    """The filter that this git has started, as soon as there is one."""
    end = time.monotonic() + 20 * PATIENCE
    while time.monotonic() < end:
        listed = subprocess.run(["ps", "-ww", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True)
        below = {parent}
        for line in listed.stdout.splitlines():  # parents come first
            pid, its_parent, args = line.split(maxsplit=2)
            if int(its_parent) not in below:
                continue
            below.add(int(pid))
            if "mistral_nb.git.filter_process" in args and not args.split()[0].endswith("sh"):
                return int(pid)
    return None
