"""A notebook that is saved by itself while a person types, and one of a thousand cells."""

import time
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.storage.index import Index, Workspace
from support.browsers import Server, start_browser, start_server
from support.kernels import clean_environment
from support.keys import make_key
from support.patience import PATIENCE
from support.removals import DIRTY, HISTORY, PANEL, code, events, notices, open_page, press, save, source, type_into

pytestmark = pytest.mark.slow
AUTOSAVE = f"() => {PANEL}.context.save()"  # what JupyterLab's timer calls
FOCUSED = f"() => {PANEL}.content.activeCell.editor.hasFocus() ? {PANEL}.content.activeCellIndex : -1"
DOCUMENTS = "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings"
NOTEBOOK = "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
SAVES, TIMER_SAVES = 10, 2
TIMER_SECONDS = 5
CELLS, WITH_KEY = 1000, 700


@pytest.fixture(scope="module")
def stored() -> Key:
    return make_key()


@pytest.fixture(scope="module")
def server(stored: Key, tmp_path_factory: Any) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("long work")
    env = clean_environment(folder)
    index = Index(env["MISTRAL_NB_HOME"])
    index.remember(stored)
    with index.edit() as contents:
        contents.workspaces["dev"] = Workspace("keyring", "current", stored.fingerprint, stored.tail)
    with start_server(env, folder / "served") as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with start_browser() as started:
        yield started


@pytest.mark.parametrize("lab", [True, False], ids=["lab", "notebook"])
def test_autosaves_leave_the_cell_under_the_hands_alone_and_tell_once(
    server: Server, browser: Any, stored: Key, lab: bool
) -> None:
    with open_page(browser, server, ["", "'another cell'"], lab=lab) as notebook:
        type_into(notebook, 0, code(stored))
        typed = ""
        for count in range(SAVES):
            before = events(notebook)
            notebook.page.keyboard.insert_text(f"  # {count}")
            typed += f"  # {count}"
            notebook.page.evaluate(AUTOSAVE)
            notebook.wait(lambda before=before: events(notebook) > before)
            assert source(notebook, 0) == code(stored) + typed
        [text] = notebook.wait(lambda: notices(notebook))
        assert f"…{stored.tail}, was kept out of {notebook.name} (cell 1)" in text
        assert stored.reveal() in notebook.page.evaluate(HISTORY)  # negative control
        notebook.cell(1).locator(".cm-content").click()
        notebook.wait(lambda: MARKER in source(notebook, 0))
        assert source(notebook, 0) == (code(stored) + typed).replace(stored.reveal(), MARKER)
        assert stored.reveal() not in notebook.page.evaluate(HISTORY)
        assert len(notices(notebook)) == 1
        assert notebook.page.locator(".jp-Dialog").count() == 0  # "File Changed"


@pytest.mark.parametrize("lab", [True, False], ids=["lab", "notebook"])
def test_the_timer_saves_while_a_person_types(server: Server, browser: Any, stored: Key, lab: bool) -> None:
    """Not with JupyterLab's shortest interval of 1 s: a first save that takes longer than that is overtaken by the
    next one, which sees the file that the first has written, and "File Changed" is asked, with mistral_nb or without.
    """
    server.set(DOCUMENTS, autosaveInterval=TIMER_SECONDS)
    try:
        with open_page(browser, server, ["", "'another cell'"], lab=lab) as notebook:
            type_into(notebook, 0, code(stored))
            typed = "  # "
            notebook.page.keyboard.type(typed)
            deadline = time.monotonic() + 60 * PATIENCE
            while events(notebook) < TIMER_SAVES:
                assert time.monotonic() < deadline
                notebook.page.keyboard.type("so ")
                typed += "so "
                assert notebook.page.evaluate(FOCUSED) == 0
            assert source(notebook, 0) == code(stored) + typed
            assert MARKER in notebook.file.read_text()
            notebook.wait(lambda: len(notices(notebook)) == 1)
            notebook.cell(1).locator(".cm-content").click()
            notebook.page.keyboard.type("  # more")  # JupyterLab takes for saved what was typed during a save
            notebook.wait(lambda: MARKER in source(notebook, 0), timeout=60 * PATIENCE)
            assert source(notebook, 0) == (code(stored) + typed).replace(stored.reveal(), MARKER)
            notebook.wait(lambda: not notebook.page.evaluate(DIRTY), timeout=60 * PATIENCE)
            assert len(notices(notebook)) == 1
            assert notebook.page.locator(".jp-Dialog").count() == 0  # "File Changed"
    finally:
        server.set(DOCUMENTS)


def test_of_a_thousand_cells_the_one_with_the_key_is_changed_and_shown(
    server: Server, browser: Any, stored: Key
) -> None:
    """As a person has it: JupyterLab draws the cells that are seen, and no others."""
    sources = [f"x{number} = {number}" for number in range(CELLS)]
    sources[WITH_KEY] = code(stored)
    server.set(NOTEBOOK, windowingMode="full")
    try:
        with open_page(browser, server, sources, lab=True) as notebook:
            assert stored.reveal() in notebook.page.evaluate(HISTORY)  # negative control
            type_into(notebook, 0, "#")
            save(notebook)
            [text] = notebook.wait(lambda: notices(notebook))
            assert f"(cell {WITH_KEY + 1})" in text
            notebook.wait(lambda: MARKER in source(notebook, WITH_KEY))
            assert stored.reveal() not in notebook.page.evaluate(HISTORY)
            press(notebook, "Show")
            notebook.wait(lambda: notebook.page.evaluate(f"() => {PANEL}.content.activeCellIndex") == WITH_KEY)
            notebook.page.locator(".jp-CodeCell .cm-content", has_text=MARKER).wait_for()
            saved = [cell.source for cell in nbformat.read(notebook.file, 4).cells]
            first = source(notebook, 0)
            assert saved == [first, *sources[1:WITH_KEY], source(notebook, WITH_KEY), *sources[WITH_KEY + 1 :]]
    finally:
        server.set(NOTEBOOK, windowingMode="none")
