"""macOS and Windows, as far as this system can play them: a first minute there is no ImportError.

Nothing here runs on either of them. Their modules, signals and names are masked for the package alone, and paths
are those of `ntpath`.
"""

import json
import ntpath
import os
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from mistral_nb import paths, wording
from mistral_nb.api_key import MARKER, Key
from mistral_nb.git import filter_config, hook_place
from mistral_nb.magic import line_magic
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.scanning import leak_search
from support import TESTS
from support.jupyter_servers import notebook
from support.kernels import start_kernel
from support.patience import PATIENCE
from support.processes import started

SYSTEMS = pytest.mark.parametrize("system", ["win32", "darwin"])
Env = dict[str, str]
PACKAGE = os.path.dirname(paths.__file__)

EVERY_MODULE = """
import importlib, pkgutil
import mistral_nb
names = [module.name for module in pkgutil.walk_packages(mistral_nb.__path__, "mistral_nb.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""
ONE_SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in (
    *("%load_ext mistral_nb", "%mistral_key switch prod --yes", "import os; mine = os.environ['MISTRAL_API_KEY']"),
    *("%mistral_key status", "%%mistral_key prod\\n1", "%unload_ext mistral_nb"),
):
    ran = shell.run_cell(cell)
    assert ran.success, (cell, ran.error_in_exec or ran.error_before_exec)
print(shell.user_ns["mine"][-4:])
"""
SAVED = """
import asyncio, json, os, sys
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from mistral_nb.jupyter.save_hook import ContentsManagerGuard
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
content = json.load(sys.stdin)
def guarded(kind):
    manager = kind(root_dir=os.getcwd())
    ContentsManagerGuard(manager, WatchlistCache(print, os.environ)).install()
    return manager
model = lambda: {"type": "notebook", "format": "json", "content": json.loads(json.dumps(content))}
manager = guarded(LargeFileManager)
manager.save(model(), "/a.ipynb")
manager.create_checkpoint("/a.ipynb")
manager.copy("/a.ipynb", "/copied.ipynb")
asyncio.run(guarded(AsyncLargeFileManager).save(model(), "/b.ipynb"))
"""
FREE_LOCK = """
import sys
from mistral_nb.file_io import hold_lock
with hold_lock(sys.argv[1], 0):
    pass
"""
HELD_LOCK = """
import sys, time
from mistral_nb.file_io import hold_lock_with_children
with hold_lock_with_children(sys.argv[1], 1):
    print("held", flush=True)
    time.sleep(600)
"""


def run(
    system: str,
    environ: Env,
    *words: str,
    given: bytes = b"",
    code: int | None = 0,
    with_errors: bool = False,
    **more: str,
) -> str:
    """What a child of the other system says. ``words``: a script, or -m with a module, and arguments."""
    command = [sys.executable, "-m", "support.other_system", system, *words]
    done = subprocess.run(
        command,
        env=environ | {"PYTHONPATH": TESTS, "PYTHONWARNDEFAULTENCODING": "1"} | more,
        cwd=environ["HOME"],
        input=given,
        capture_output=True,
        timeout=60 * PATIENCE,
        check=False,
    )
    said = done.stdout.decode(more.get("PYTHONIOENCODING", "utf-8").partition(":")[0])
    warned = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "EncodingWarning" in line]
    assert not [line for line in warned if f"{PACKAGE}{os.sep}" in line]  # other packages may
    errors = done.stderr.decode("utf-8", "replace")
    assert code in (None, done.returncode), said + errors
    return said + errors if with_errors else said


@pytest.fixture
def kept(environ: Env, sandbox: Sandbox) -> Key:
    """A key that is stored for prod, by the command line of this system."""
    key = sandbox.make_key("prod")
    words = [sys.executable, "-m", "mistral_nb", "login", "prod", "--yes", "--expires", "never"]
    subprocess.run(words, env=environ, input=key.reveal().encode(), capture_output=True, check=True)
    return key


@pytest.mark.slow
@SYSTEMS
def test_every_module_can_be_imported(system: str, environ: Env) -> None:
    assert int(run(system, environ, EVERY_MODULE)) > 150


@pytest.mark.slow
@SYSTEMS
def test_the_magics_work_in_a_shell(system: str, environ: Env, kept: Key) -> None:
    assert run(system, environ, ONE_SHELL).endswith(f"{kept.tail}\n")


@pytest.mark.slow
@SYSTEMS
def test_the_command_line_works_from_login_to_logout(system: str, environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod")
    line = "-m", "mistral_nb"
    run(system, environ, *line, "login", "prod", "--yes", "--expires", "never", given=key.reveal().encode())
    for words in (["status"], ["list"], ["verify", "prod"], ["doctor"], ["help"]):
        assert key.reveal() not in run(system, environ, *line, *words)
    file = Path(environ["HOME"], "a.ipynb")
    file.write_text(json.dumps(notebook(f"k = '{key.reveal()}'")))
    assert "1 key" in run(system, environ, *line, "scan", ".", code=1)
    run(system, environ, *line, "scrub", "a.ipynb")
    assert MARKER in file.read_text()
    assert key.reveal() not in file.read_text()
    shown = "import os; print(os.environ['MISTRAL_API_KEY'][-4:])"
    assert key.tail in run(system, environ, *line, "run", "--", sys.executable, "-c", shown)
    run(system, environ, *line, "logout", "prod", "--yes")
    run(system, environ, *line, "verify", "prod", code=None)


@pytest.mark.slow
@SYSTEMS
@pytest.mark.parametrize("page", ["cp1252", "cp437"])
def test_a_console_of_another_code_page_gets_text(system: str, page: str, environ: Env, kept: Key) -> None:
    """Strictly encoded: what the page lacks is replaced, and nothing raises."""
    for words in (["status"], ["help"], ["doctor"]):
        run(system, environ, "-m", "mistral_nb", *words, PYTHONUTF8="0", PYTHONIOENCODING=f"{page}:strict")


@pytest.mark.slow
@SYSTEMS
def test_git_gets_no_key(system: str, environ: Env, kept: Key) -> None:
    home = Path(environ["HOME"])
    environ = environ | {"PYTHONPATH": TESTS, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*words: str) -> bytes:
        return subprocess.run(["git", *words], cwd=home, env=environ, capture_output=True, check=True).stdout

    git("init", "-q", ".")
    run(system, environ, "-m", "mistral_nb", "protect")
    script = "from mistral_nb.git.filter_process import main; main()"
    words = [sys.executable, "-m", "support.other_system", system, script, PACKAGE, environ["MISTRAL_NB_HOME"]]
    masked = shlex.join(words)
    for name, filtered in (("b", ()), ("c", ("-c", f"filter.mistral-nb.process={masked}"))):
        (home / f"{name}.ipynb").write_text(json.dumps(notebook(f"k = '{kept.reveal()}'")))
        git(*filtered, "add", f"{name}.ipynb")
        assert MARKER.encode() in git("show", f":{name}.ipynb")
        assert kept.reveal().encode() not in git("show", f":{name}.ipynb")
    author = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")
    for file, content, code in (("plain.py", "x = 1", 0), ("key.py", f"k = '{kept.reveal()}'", 1)):
        (home / file).write_text(content)
        git("add", file)
        git(*author, "commit", "-q", "-m", f"with {file}")
        head = git("rev-parse", "HEAD").decode().strip()
        given = f"origin\n../remote.git\nrefs/heads/main {head} refs/heads/main {'0' * 40}\n".encode()
        hook = ("-m", "mistral_nb", "git-filter", "--pre-push")
        said = run(system, environ, *hook, given=given, code=code, with_errors=True)
        assert (file in said) == bool(code)
        assert kept.reveal() not in said


@pytest.mark.slow
@SYSTEMS
def test_the_save_hook_lets_no_key_through(system: str, environ: Env, kept: Key) -> None:
    home = Path(environ["HOME"])
    given = json.dumps(notebook(f"k = '{kept.reveal()}'")).encode()
    run(system, environ, SAVED, given=given)
    for name in ("a.ipynb", ".ipynb_checkpoints/a-checkpoint.ipynb", "copied.ipynb", "b.ipynb"):
        text = (home / name).read_text()
        assert MARKER in text
        assert kept.reveal() not in text


@pytest.mark.slow
@SYSTEMS
def test_the_guard_works_in_a_kernel(system: str, environ: Env, kept: Key, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m support.other_system {system} "$@"\n')
    python.chmod(0o700)
    with start_kernel(environ | {"PYTHONPATH": TESTS}, python=str(python)) as kernel:
        kernel.run("%load_ext mistral_nb")
        ran = kernel.run("%mistral_key switch prod --yes\nimport os; print('x', os.environ['MISTRAL_API_KEY'])")
        assert f"x {MARKER}" in ran.text
        assert not any(kept.reveal() in message for message in kernel.messages)


@SYSTEMS
def test_a_lock_ends_with_its_process(system: str, environ: Env, tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    command = [sys.executable, "-m", "support.other_system", system, HELD_LOCK, path]
    with started(command, env=environ | {"PYTHONPATH": TESTS}, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        locked = "import sys; from mistral_nb.file_io import hold_lock_with_children as hold\n"
        locked += "try:\n    hold(sys.argv[1], 0).__enter__()\nexcept TimeoutError: print('locked')"
        assert run(system, environ, locked, path) == "locked\n"
        holder.terminate()
        holder.wait(20 * PATIENCE)
    run(system, environ, FREE_LOCK, path)


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes one module see Windows' names and paths."""

    def see(*modules: types.ModuleType) -> None:
        for module in modules:
            seen = types.SimpleNamespace(
                **{name: getattr(os, name) for name in dir(os)} | {"name": "nt", "path": ntpath}
            )
            monkeypatch.setattr(module, "os", seen)

    return see


def test_a_backslash_is_part_of_a_path_in_a_magic_line(on_windows: Any) -> None:
    line = r"login dev --from-file C:\Users\x\key.txt 'my workspace' # it's mine"
    assert wording.split_words(line.partition("#")[0])[3] == "C:Usersxkey.txt"  # as a shell takes it
    on_windows(wording)
    words = wording.split_words(line_magic._strip_comment(line))
    assert words == ["login", "dev", "--from-file", r"C:\Users\x\key.txt", "my workspace"]


def test_an_interpreter_with_spaces_is_written_so_that_sh_and_git_read_it(on_windows: Any) -> None:
    on_windows(filter_config)
    assert filter_config._use_slashes(r"C:\Users\Zoë M\py\python.exe") == "C:/Users/Zoë M/py/python.exe"


@pytest.mark.parametrize(
    ("file", "shown"), [(r"C:\work\sub\a.ipynb", r"sub\a.ipynb"), (r"D:\other\a.ipynb", r"D:\other\a.ipynb")]
)
def test_a_file_of_another_drive_is_named_in_full(file: str, shown: str, on_windows: Any) -> None:
    on_windows(leak_search)
    assert leak_search._format_names([file], r"C:\work") == f"1 file: {shown}"
    assert leak_search._quote_paths([file], r"C:\work") == f'"{shown}"'


@pytest.mark.parametrize("hooks", [r"D:\hooks", r"C:\repo\.github"])
def test_hooks_of_another_drive_or_folder_are_not_this_repositorys(hooks: str, on_windows: Any) -> None:
    class OneRepository:
        folder = r"C:\repo"

        def path(self, name: str) -> str:
            return hooks

        def common_dir(self) -> str:
            return r"C:\repo\.git"

    on_windows(hook_place)
    assert hook_place.find_place(OneRepository()).caller  # type: ignore[arg-type]


def test_the_walk_up_the_folders_ends_at_the_drive(on_windows: Any) -> None:
    on_windows(paths)
    assert list(paths.parents(r"C:\work\sub")) == ["C:\\work\\sub", "C:\\work", "C:\\"]
