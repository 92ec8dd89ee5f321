"""When the filter fails nothing is stored, and the error says what to do."""

import os
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import mistral_nb
from mistral_nb.api_key import MARKER, Key
from mistral_nb.file_io import write_atomically
from mistral_nb.git import filter_config
from mistral_nb.git.run_git import Git
from support.git_repos import Repo, git_environment, notebook, uses
from support.keys import make_key
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        assert "mistral-nb protect" in failed.stderr
        assert f"keys included: {filter_config.LEAVE_COMMAND}" in failed.stderr
    assert "no longer exists" in repo.act("protect", status=True).shown
    repo.git(*shlex.split(filter_config.LEAVE_COMMAND)[1:])
    assert repo.run("status").returncode == 0
    held(repo, key, before)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["process", "clean"])
def test_a_missing_package_stores_nothing(way: str, repo: Repo, key: Key, tmp_path: Path) -> None:
    before = repo.read("nb.ipynb")
    repo.driven_by(filter_config.own_driver(repo.env["MISTRAL_NB_HOME"])._replace(root=str(tmp_path / "was here")))
    if way == "clean":
        repo.git("config", "--unset", "filter.mistral-nb.process")
    repo.write("nb.ipynb", notebook(uses(key)))
    failed = repo.run("add", ".")
    assert failed.returncode != 0
    assert f"Repair: install mistral_nb again for {sys.executable}, " in failed.stderr
    held(repo, key, before)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a virtual environment's layout on POSIX")
def test_after_pip_uninstall_notebooks_and_pushes_stop_until_it_is_repaired(tmp_path: Path) -> None:
    python, wheel = tmp_path / "venv/bin/python", make_wheel(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q"]
    install = [*pip, "install", "--no-deps", "--no-index", str(wheel)]
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    key = make_key()
    repo.remember(key)

    def protect() -> None:
        words = [str(python), "-m", "mistral_nb", "protect"]
        subprocess.run(words, cwd=repo.path, env=repo.env, check=True, capture_output=True)

    subprocess.run(install, check=True)
    protect()
    assert filter_config.read_driver(Git(str(repo.path), repo.env)).root == str(site)
    repo.git("init", "-q", "--bare", str(tmp_path / "remote.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    repo.write("nb.ipynb", notebook(uses(key)))
    repo.commit("with the package")
    repo.git("push", "-q", "origin", "main")  # the control
    assert MARKER.encode() in repo.blob("HEAD:nb.ipynb")

    subprocess.run([*pip, "uninstall", "-y", "mistral_nb"], check=True)
    repo.write("nb.ipynb", notebook(uses(key), "x = 2"))
    failed = repo.run("add", "nb.ipynb")
    assert failed.returncode != 0
    assert [line for line in failed.stderr.splitlines() if "mistral" in line] == [
        "mistral-nb is no longer installed, so git stops at notebooks. "
        f"Repair: install mistral_nb again for {python}, then run mistral-nb protect (or protect --global)",
        f"To go on without it, keys included: {filter_config.LEAVE_COMMAND}",
        f"After protect --global: {filter_config.LEAVE_EVERYWHERE_COMMAND}",
    ]
    repo.write("app.py", b"x = 1\n")
    repo.git("add", "app.py")  # no other file is concerned
    repo.git("commit", "-q", "-m", "a source", "app.py")
    stopped = repo.run("push", "origin", "main")
    assert stopped.returncode != 0
    assert f"Repair: install mistral_nb again for {python}, then run mistral-nb protect" in stopped.stderr

    subprocess.run(install, check=True)
    protect()
    repo.commit("repaired")
    repo.git("push", "-q", "origin", "main")
    assert MARKER.encode() in repo.blob("HEAD:nb.ipynb")
    assert repo.objects_with(key) == []


def make_wheel(folder: Path) -> Path:
    """The package under test as pip installs it, without its dependencies and without building anything."""
    wheel, info = folder / "mistral_nb-0-py3-none-any.whl", "mistral_nb-0.dist-info"
    package = Path(mistral_nb.__file__).parent
    files = [file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    with zipfile.ZipFile(wheel, "w") as packed:
        for file in files:
            packed.write(file, f"mistral_nb/{file.relative_to(package).as_posix()}")
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mistral_nb\nVersion: 0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return wheel


def test_a_key_in_the_name_of_a_file_is_not_shown(repo: Repo, key: Key) -> None:
    """Whether its content can be searched or not."""
    name = f"of {key.reveal()}.ipynb"
    repo.write(name, notebook(uses(key)))
    said = repo.run("add", "-v", ".")
    assert said.returncode == 0
    assert key.reveal() in said.stdout, "the control: git itself shows the name"
    assert f"of {MARKER}.ipynb: 1 key removed" in said.stderr
    assert key.reveal() not in said.stderr
    repo.touch()
    repo.git("config", "filter.other.clean", "false")
    repo.git("config", "filter.other.required", "true")
    repo.driven_by(filter_config.own_driver(repo.env["MISTRAL_NB_HOME"], "other"))
    failed = repo.run("add", name).stderr
    assert f"of {MARKER}.ipynb: The filter other is required" in failed
    assert key.reveal() not in failed.partition("fatal:")[0], "what comes then is git's own"
