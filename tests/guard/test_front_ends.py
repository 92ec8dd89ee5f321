"""Real front ends run a notebook that leaks in every way: no part of the key is in what they show or write."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from support.browsers import open_notebook, start_browser, start_server
from support.kernels import clean_environment
from support.keys import make_text
from support.leaks import LEAKS, PRELUDE, found

KEY = make_text()
NOT_HERE = {"own session", "subshell", "debug", "request"}  # not run by a cell alone, or let through
CELLS = [leak.code for leak in LEAKS if leak.group not in NOT_HERE and leak.code and "{K}" not in leak.code]
SHORT = [  # in few cells, for a page: a stream in pieces, results, displays, errors, widgets, encoded forms, children
    "print(K)\nfor c in K: print(c, end='', flush=True)\nprint('\\n'.join(f'{n} {K}' for n in range(2000)))",
    "display(HTML(f'<a href=\"?key={K}\">link</a>'), Markdown(f'**{K}**'), JSON({'k': [K]}), K.encode().hex())",
    "field = w.Text(K, description=K)\ndisplay(field)\nos.system('echo $MISTRAL_API_KEY')\nos.environ",
    "{'basic': base64.b64encode(b'me:' + K.encode()).decode()}",
    "raise ValueError(K)",
]
EVERY_THIRD = CELLS[::3]


def notebook(folder: Path, cells: list[str], guard: bool = True) -> Path:
    sources = ["%load_ext mistral_nb" if guard else "1", PRELUDE, *cells]
    written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    written.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = folder / "leaks.ipynb"
    nbformat.write(written, file)
    return file


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    env = clean_environment(tmp_path, MISTRAL_API_KEY=KEY)
    env.pop("PYTEST_CURRENT_TEST", None)
    return env


def run(env: dict[str, str], folder: Path, *words: str) -> None:
    argv = [sys.executable, "-W", "ignore", "-m", *words]
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


NBCLIENT = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, allow_errors=True, store_widget_state=True, timeout=100).execute()
nbformat.write(notebook, sys.argv[2])
"""


def by_nbclient(env: dict[str, str], folder: Path, file: Path) -> list[bytes]:
    (folder / "execute_it.py").write_text(NBCLIENT)
    run(env, folder, "execute_it", str(file), "out.ipynb")
    return [(folder / "out.ipynb").read_bytes()]


def by_papermill(env: dict[str, str], folder: Path, file: Path) -> list[bytes]:
    text = file.read_text()
    assert '"raise ' not in text  # papermill stops at the first error
    run(env, folder, "papermill", str(file), "out.ipynb", "--no-progress-bar", "--log-output")
    return [(folder / "out.ipynb").read_bytes()]


def by_nbconvert(env: dict[str, str], folder: Path, file: Path) -> list[bytes]:
    run(
        env, folder, "jupyter", "nbconvert", "--execute", "--allow-errors", "--to", "html", "--output", "out", str(file)
    )
    return [(folder / "out.html").read_bytes()]


WITHOUT_ERRORS = [
    leak.code
    for leak in LEAKS
    if leak.group in ("stream", "result", "display", "comm", "encoded") and "{K}" not in leak.code
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("execute", "cells"),
    [(by_nbclient, CELLS), (by_papermill, WITHOUT_ERRORS[::2]), (by_nbconvert, EVERY_THIRD)],
    ids=["nbclient", "papermill", "nbconvert"],
)
def test_written_files_contain_no_part_of_the_key(env, tmp_path, execute, cells):
    written = execute(env, tmp_path, notebook(tmp_path, cells))
    assert found(written, KEY) == ""
    assert b"MISTRAL_API_KEY redacted" in written[0]


@pytest.mark.slow
def test_twenty_thousand_lines_come_through_nbclient_whole(env, tmp_path):
    lines = "print('\\n'.join(f'{n} {K}' for n in range(20_000)))"
    written = by_nbclient(env, tmp_path, notebook(tmp_path, [lines, "import ipywidgets; ipywidgets.Text(K)"]))
    assert found(written, KEY) == ""
    cell = nbformat.reads(written[0].decode(), 4).cells[2]
    text = "".join(output.text for output in cell.outputs)
    assert text == "".join(f"{n} [MISTRAL_API_KEY redacted]\n" for n in range(20_000))
    assert b"widget-state" in written[0]


@pytest.mark.slow
@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("execute", [by_papermill, by_nbconvert], ids=["papermill", "nbconvert"])
def test_twenty_thousand_lines_come_through_in_reasonable_time(env, tmp_path, execute, guard):
    """Printed one by one, as a training loop does: the guard looks at every message of the stream."""
    lines = "for n in range(20_000): print(n, K, flush=n % 10 == 0)"
    file = notebook(tmp_path, [lines], guard=guard)
    written = execute(env, tmp_path, file)
    assert bool(found(written, KEY)) is not guard
    ending = f"19999 {'[MISTRAL_API_KEY redacted]' if guard else KEY}"
    assert ending in written[0].decode()


@pytest.mark.slow
@pytest.mark.parametrize("execute", [by_nbclient, by_papermill, by_nbconvert], ids=lambda f: f.__name__[3:])
def test_without_the_guard_the_same_search_finds_it(env, tmp_path, execute):
    assert found(execute(env, tmp_path, notebook(tmp_path, ["print(K)"], guard=False)), KEY)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[tuple[Any, Any]]:
    folder = tmp_path_factory.mktemp("browser")
    env = clean_environment(folder, MISTRAL_API_KEY=KEY, MISTRAL_NB_GUARD_TERMINAL="1")  # for the server's log
    env.pop("PYTEST_CURRENT_TEST", None)
    # Without the save hook, which would hide a leak by taking it out again.
    no_hook = "--ServerApp.jpserver_extensions={'mistral_nb': False}"
    with start_browser() as browser, start_server(env, folder / "notebooks", no_hook) as server:
        yield browser, server


@pytest.mark.slow
@pytest.mark.parametrize("lab", [True, False], ids=["JupyterLab", "Notebook 7"])
def test_a_page_its_websocket_and_its_file_contain_no_part_of_the_key(world, lab):
    browser, server = world
    cells = ["%load_ext mistral_nb", PRELUDE, *SHORT, "%unload_ext mistral_nb", "print(K)"]
    with open_notebook(browser, server, cells, lab=lab) as page:
        for number in range(len(cells) - 2):
            page.run(number)
            page.wait_done(number)
        page.save()
        page.wait(lambda: b"MISTRAL_API_KEY redacted" in page.file.read_bytes())
        places = page.everywhere()
        assert b"MISTRAL_API_KEY redacted" in places["page"]
        assert {name: found([data], KEY) for name, data in places.items() if found([data], KEY)} == {}
        for number in (len(cells) - 2, len(cells) - 1):
            page.run(number)
            page.wait_done(number)
        shown = page.everywhere()
        assert found([shown["page"]], KEY)
        assert found([shown["frames"]], KEY)
