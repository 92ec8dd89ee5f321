"""What a guarded kernel learns of a key, the machine remembers: hooks in other processes then remove the key."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.file_io import hold_lock
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.redaction.redact import redact_values
from mistral_nb.storage.index import Index
from support.git_repos import Repo, git_environment, notebook
from support.jupyter_servers import RunningServer, start_server
from support.kernels import RealKernel, is_remembered, start_kernel
from support.keys import make_text
from support.patience import wait_for
from support.processes import started

WRAP = 20  # characters of a key in a line, as narrow tables show them


def forms(text: str) -> dict[str, str]:
    """A key as a notebook that does not mention Mistral may hold it."""
    return {
        "plain": f"x = '{text}'",
        "base64": base64.b64encode(f"Bearer {text}".encode()).decode(),
        "wrapped": f"{text[:WRAP]}\n{text[WRAP:]}",
    }


def forms_left_by_the_save_hook(env: dict[str, str], text: str) -> list[str]:
    watchlist = WatchlistCache(print, {"MISTRAL_NB_HOME": env["MISTRAL_NB_HOME"]}).watchlist("")
    model = {"cells": [{"cell_type": "code", "source": written, "outputs": []} for written in forms(text).values()]}
    cleaned = redact_values(model, watchlist)[0]["cells"]
    return [
        name for (name, written), cell in zip(forms(text).items(), cleaned, strict=True) if cell["source"] == written
    ]


def forms_left_by_git(env: dict[str, str], folder: Path, text: str) -> list[str]:
    repo = Repo(folder, git_environment(folder.parent) | {"MISTRAL_NB_HOME": env["MISTRAL_NB_HOME"]})
    repo.protect()
    for name, written in forms(text).items():
        repo.write(f"{name}.ipynb", notebook(written))
    repo.commit()
    return [name for name in forms(text) if repo.blob(f"HEAD:{name}.ipynb") == repo.read(f"{name}.ipynb")]


WAYS = {
    "load_dotenv": "from dotenv import load_dotenv\nload_dotenv('{file}')",
    "environ": "import os\nos.environ['MISTRAL_API_KEY'] = '{reversed}'[::-1]",
    "update": "import os\nos.environ.update(CODESTRAL_API_KEY='{reversed}'[::-1])",
    "bytes": "import os\nos.environb[b'LLM_MISTRAL_KEY'] = b'{reversed}'[::-1]",
    "set briefly": "import os\nos.environ['LLM_MISTRAL_KEY'] = '{reversed}'[::-1]\ndel os.environ['LLM_MISTRAL_KEY']",
    "env magic": "%env MISTRAL_API_KEY={key}",
    "a literal": "from mistralai import Mistral\nclient = Mistral(api_key='{key}')",
}


def learn(kernel: RealKernel, way: str, text: str, folder: Path) -> None:
    file = folder / "settings.env"
    file.write_text(f"MISTRAL_API_KEY={text}\n")
    kernel.run(WAYS[way].format(file=file, key=text, reversed=text[::-1]))


@pytest.fixture(scope="module")
def kernel(env: dict[str, str]) -> Iterator[RealKernel]:
    with start_kernel(env) as running:
        running.run("%load_ext mistral_nb")
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_hooks_in_other_processes_remove_a_key_that_a_guarded_kernel_learned(
    way: str, kernel: RealKernel, env: dict[str, str], tmp_path: Path
) -> None:
    text = make_text()
    assert forms_left_by_the_save_hook(env, text) == list(forms(text))  # negative control: nobody knows it yet
    learn(kernel, way, text, tmp_path)
    wait_for(lambda: is_remembered(env, text))
    assert forms_left_by_the_save_hook(env, text) == []
    assert forms_left_by_git(env, tmp_path / "world/repo", text) == []


@pytest.mark.slow
def test_a_running_server_removes_a_key_that_a_kernel_loaded_and_remembers_its_own(
    env: dict[str, str], tmp_path: Path
) -> None:
    text, servers_own, folder = make_text(), make_text(), tmp_path / "served"
    folder.mkdir()
    content = json.loads(notebook(*forms(text).values()))

    def left(server: RunningServer) -> list[str]:
        assert server.save("a.ipynb", content).status in (200, 201)
        cells = json.loads(server.file("a.ipynb"))["cells"]
        after = ["".join(cell["source"]) for cell in cells]
        return [name for (name, written), source in zip(forms(text).items(), after, strict=True) if source == written]

    with start_server(env | {"CODESTRAL_API_KEY": servers_own}, folder) as server, start_kernel(env) as kernel:
        wait_for(lambda: is_remembered(env, servers_own))
        learn(kernel, "load_dotenv", text, tmp_path)
        assert left(server) == list(forms(text))  # negative control: this kernel has no guard yet
        kernel.run("%load_ext mistral_nb")
        wait_for(lambda: is_remembered(env, text))
        assert left(server) == []


@pytest.mark.slow
@pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_key_is_remembered_when_the_kernel_has_ended_if_it_was_guarded(
    is_guarded: bool, env: dict[str, str], tmp_path: Path
) -> None:
    """The kernel could not write the index before it was asked to end."""
    text = make_text()
    with start_kernel(env) as kernel:
        kernel.run("%load_ext mistral_nb" if is_guarded else "pass")
        with hold_lock(f"{Index(env['MISTRAL_NB_HOME']).path}.lock"):
            learn(kernel, "load_dotenv", text, tmp_path)
            assert not is_remembered(env, text)
        kernel.shut_down()
    assert is_remembered(env, text) == is_guarded


def test_a_locked_index_stops_no_cell_and_is_written_later(
    kernel: RealKernel, env: dict[str, str], tmp_path: Path
) -> None:
    text = make_text()
    with hold_lock(f"{Index(env['MISTRAL_NB_HOME']).path}.lock"):
        learn(kernel, "environ", text, tmp_path)
        assert kernel.run("print(os.environ['MISTRAL_API_KEY'])").text == f"{MARKER}\n"
        assert not is_remembered(env, text)
    wait_for(lambda: is_remembered(env, text))


@pytest.mark.slow
def test_a_key_in_the_file_that_a_variable_names_is_known_and_remembered(env: dict[str, str], tmp_path: Path) -> None:
    before, later = make_text(), make_text()
    file = tmp_path / "key file"
    file.write_text(f"{before}\n")
    with start_kernel(env | {"MISTRAL_API_KEY_FILE": str(file)}) as kernel:
        assert kernel.run('!cat "$MISTRAL_API_KEY_FILE"').text.strip() == before  # negative control
        kernel.run("%load_ext mistral_nb")
        assert kernel.run('!cat "$MISTRAL_API_KEY_FILE"').text.strip() == MARKER
        file.with_name("other").write_text(later)
        kernel.run(f"import os; os.environ['MISTRAL_API_KEY_FILE'] = {str(file.with_name('other'))!r}")
        assert kernel.run('!cat "$MISTRAL_API_KEY_FILE"').text.strip() == MARKER
        wait_for(lambda: is_remembered(env, before) and is_remembered(env, later))


@pytest.mark.slow
def test_a_key_that_was_there_before_load_ext_is_remembered(env: dict[str, str]) -> None:
    text = make_text()
    with start_kernel(env | {"MISTRAL_API_KEY": text}) as kernel:
        kernel.run("pass")
        assert not is_remembered(env, text)  # negative control
        kernel.run("%load_ext mistral_nb")
        wait_for(lambda: is_remembered(env, text))


NO_KEYS = {
    "a test's": "test-key-{text}",
    "another vendor's": "sk-{text}",
    "too long": "{text}{text}",
    "too short": "{text:.20}",
    "words": "TheKeyOfTheProductionEnvironment",
}


@pytest.mark.parametrize("shape", NO_KEYS)
def test_what_is_no_key_is_guarded_in_this_process_alone(shape: str, kernel: RealKernel, env: dict[str, str]) -> None:
    value, after = NO_KEYS[shape].format(text=make_text()), make_text()
    kernel.run(f"import os; os.environ['MISTRAL_API_KEY'] = '{value[::-1]}'[::-1]")
    assert kernel.run("print(os.environ['MISTRAL_API_KEY'])").text == f"{MARKER}\n"
    kernel.run(f"os.environ['MISTRAL_API_KEY'] = '{after[::-1]}'[::-1]")
    wait_for(lambda: is_remembered(env, after))
    assert not is_remembered(env, value)


@pytest.mark.slow
def test_kernels_that_learn_different_keys_at_once_lose_none(env: dict[str, str]) -> None:
    texts = [make_text() for _ in range(8)]
    code = (
        "import os, sys; from mistral_nb.guard.known_secrets import PROCESS_SECRETS; PROCESS_SECRETS.matcher(); "
        "sys.stdin.readline(); os.environ['MISTRAL_API_KEY'] = sys.stdin.readline().strip(); PROCESS_SECRETS.matcher()"
    )
    with contextlib.ExitStack() as stack:
        words = [sys.executable, "-c", code]
        processes = [stack.enter_context(started(words, env=env, stdin=subprocess.PIPE, text=True)) for _ in texts]
        for process, text in zip(processes, texts, strict=True):
            process.stdin.write(f"\n{text}\n")
        for process in processes:
            process.stdin.flush()
        assert [process.wait(60) for process in processes] == [0] * len(texts)
    assert [is_remembered(env, text) for text in texts] == [True] * len(texts)
