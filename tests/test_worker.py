"""A worker's own key, and the guard of its output: called by name, and preloaded by real workers of Dask."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.command_context import Context
from support.kernels import is_remembered
from support.keys import make_key
from support.patience import PATIENCE

Env = dict[str, str]
SETUP = """
import logging, os, sys
logging.basicConfig(level="INFO")
from mistral_nb import worker
worker.setup()
worker.setup()
print("key", os.environ.get("MISTRAL_API_KEY", "none"))
print("tail", os.environ.get("MISTRAL_API_KEY", "none")[-4:])
"""


def set_up(environ: Env, folder: Path, code: str = SETUP, **variables: str) -> tuple[str, str]:
    """What a process writes to stdout and stderr that calls `setup`; its folder is no project's."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def key_file(tmp_path: Path) -> tuple[Path, Key]:
    file, key = tmp_path / "a mounted key", make_key()
    file.write_text(key.reveal())
    return file, key


def test_the_key_of_the_workers_own_file(environ: Env, folder: Path, key_file: tuple[Path, Key]) -> None:
    file, key = key_file
    shown, log = set_up(environ, folder, MISTRAL_API_KEY_FILE=str(file))
    assert shown == f"key {MARKER}\ntail {key.tail}\n"
    assert f"INFO:mistral_nb.worker:MISTRAL_API_KEY is set: …{key.tail} (from the file {file}" in log
    assert log.count("MISTRAL_API_KEY is set") == 1
    assert is_remembered(environ, key.reveal())


def test_without_setup_there_is_no_key_and_no_marker(environ: Env, folder: Path, key_file: tuple[Path, Key]) -> None:
    file, key = key_file
    code = SETUP.replace("worker.setup()\n", "os.environ['MISTRAL_API_KEY'] = open(sys.argv[-1]).read()\n", 1)
    code = code.replace("worker.setup()\n", "").replace("sys.argv[-1]", repr(str(file)))
    assert set_up(environ, folder, code)[0] == f"key {key.reveal()}\ntail {key.tail}\n"


def test_a_key_that_is_set_already_stays(environ: Env, folder: Path, key_file: tuple[Path, Key]) -> None:
    key = make_key()
    shown, log = set_up(environ, folder, MISTRAL_API_KEY=f'"{key.reveal()}"', MISTRAL_API_KEY_FILE=str(key_file[0]))
    assert shown == f"key {MARKER}\ntail {key.tail}\n"  # without the quotes, which the API refuses
    assert f"MISTRAL_API_KEY was already set, to …{key.tail} (the environment)" in log


@pytest.fixture
def stored(new_context: Callable[..., Context]) -> dict[str, Key]:
    """Two workspaces; ``prod`` is asked about first."""
    keys = {"dev": make_key(), "prod": make_key()}
    manager = new_context("cli").key_manager
    manager.keep("dev", keys["dev"], store="file")
    manager.keep("prod", keys["prod"], {"ask_first": True}, "file")
    return keys


def test_the_key_of_the_only_workspace(environ: Env, folder: Path, new_context: Callable[..., Context]) -> None:
    key = make_key()
    new_context("cli").key_manager.keep("dev", key, store="file")
    shown, log = set_up(environ, folder)
    assert shown == f"key {MARKER}\ntail {key.tail}\n"
    assert f"MISTRAL_API_KEY is set: dev …{key.tail} (from the encrypted file)" in log


def test_the_key_of_the_workspace_that_is_named(environ: Env, folder: Path, stored: dict[str, Key]) -> None:
    shown, _ = set_up(environ, folder, MISTRAL_NB_WORKSPACE="dev")
    assert shown == f"key {MARKER}\ntail {stored['dev'].tail}\n"


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, "There are several workspaces (dev, prod)"),
        ({"MISTRAL_NB_WORKSPACE": "prod"}, "Workspace prod asks before it is used, so no key was set."),
        ({"MISTRAL_NB_WORKSPACE": "nowhere"}, "Workspace nowhere has no key here, so no key was set."),
        ({"MISTRAL_NB_WORKSPACE": "dev", "MISTRAL_NB_PASSPHRASE_FILE": ""}, "passphrase"),
        ({"MISTRAL_NB_HOME": "/proc/nowhere"}, "MISTRAL_API_KEY_FILE is not set and no key is stored"),
        ({"MISTRAL_API_KEY_FILE": "/nowhere"}, "MISTRAL_API_KEY_FILE can't be read"),
        ({"MISTRAL_NB_STORE": "a mistake"}, "MISTRAL_NB_STORE is not one of"),
    ],
)
def test_why_there_is_no_key_is_one_line_of_the_log(
    environ: Env, folder: Path, stored: dict[str, Key], variables: dict[str, str], why: str
) -> None:
    shown, log = set_up(environ, folder, SETUP.replace("worker.setup()\n", "", 1), **variables)
    assert shown == "key none\ntail none\n"
    (line,) = log.splitlines()
    assert line.startswith("WARNING:mistral_nb.worker:mistral_nb: ")
    assert why in line


def test_a_failure_of_ours_does_not_stop_the_worker(environ: Env, folder: Path) -> None:
    code = "import sys; sys.modules['mistral_nb.guard.process_output'] = None\n" + SETUP.replace(
        "worker.setup()\n", "", 1
    )
    shown, log = set_up(environ, folder, code)
    assert shown == "key none\ntail none\n"
    assert "this worker could not be set up (ModuleNotFoundError)" in log


def test_importing_it_imports_nothing_else(environ: Env, folder: Path) -> None:
    code = "import sys; there = set(sys.modules); import mistral_nb.worker; print(*sorted(set(sys.modules) - there))"
    assert set(set_up(environ, folder, code)[0].split()) <= {"__future__", "mistral_nb", "mistral_nb.worker"}
