"""A notebook that is open in several pages, or whose kernel is exchanged, in JupyterLab and Notebook 7."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.storage.index import Index, Workspace
from support.browsers import Notebook, Server, open_again, open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import vault_environment
from support.keys import make_key, make_text
from support.removals import (
    DIRTY,
    HISTORY,
    PANEL,
    code,
    events,
    hold_notices,
    notices,
    open_page,
    press,
    source,
    type_into,
)
from support.sandboxes import start_sandbox

pytestmark = pytest.mark.slow
STATUS = ".mistral-nb-status"
FINGERPRINT = "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))"
PEOPLE = f"() => [...{PANEL}.context.model.sharedModel.awareness.getStates().values()].filter((one) => one.user).length"
CHANGE_KERNEL = """async () => {
  const panel = [...window.jupyterapp.shell.widgets("main")].find((widget) => widget.sessionContext);
  await panel.sessionContext.changeKernel({ name: "python3" });
}"""


class World:
    def __init__(self, browser: Any, server: Server, sandbox: Any, index: Index) -> None:
        self.browser, self.server, self.sandbox, self.index = browser, server, sandbox, index

    def store(self, key: Key) -> None:
        """As far as the server and the pages can see: they read the index alone."""
        self.index.remember(key)
        with self.index.edit() as contents:
            contents.workspaces["dev"] = Workspace("keyring", "current", key.fingerprint, key.tail)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("several pages")
    with start_sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_server(env, folder / "served") as server:
            yield World(browser, server, sandbox, Index(env["MISTRAL_NB_HOME"]))


@pytest.fixture
def stored(world: World) -> Key:
    key = make_key()
    world.store(key)
    return key


def press_undo_and_redo(notebook: Notebook, cell: int) -> None:
    notebook.cell(cell).locator(".cm-content").click()
    for keys in ("Control+z", "Control+Shift+z", "Control+z"):
        notebook.page.keyboard.press(keys)


def keep_waiting(notebook: Notebook) -> None:
    """On a slow machine jupyter-collaboration asks whether to go on loading."""
    question = notebook.page.get_by_role("dialog").filter(has_text="taking some time to load")
    answer = question.get_by_role("button", name="Continue waiting")
    notebook.page.add_locator_handler(question, lambda _: answer.click())


@pytest.mark.parametrize("other_lab", [True, False], ids=["lab and lab", "lab and notebook"])
def test_a_save_in_one_page_brings_both_in_line(world: World, stored: Key, other_lab: bool) -> None:
    """The key was in the file before: each page has it, until one of them saves."""
    sources = [code(stored), "'another cell'"]
    with open_page(world.browser, world.server, sources, lab=True) as first:
        second = open_again(first, other_lab)
        hold_notices(second)
        pages = (first, second)
        for page in pages:
            assert stored.reveal() in page.page.evaluate(HISTORY)  # negative control: the searches find it
        was_dirty = second.page.evaluate(DIRTY)  # JupyterLab itself has noted the kernel's language in it
        first.cell(1).locator(".cm-content").click()
        first.save()
        for page in pages:
            page.wait(lambda page=page: MARKER in source(page, 0))
            [text] = page.wait(lambda page=page: notices(page))
            assert f"…{stored.tail}, was kept out of {first.name} (cell 1)" in text
        for page in pages:
            press_undo_and_redo(page, 0)
            assert source(page, 0) == code(stored).replace(stored.reveal(), MARKER)
            assert stored.reveal() not in page.page.evaluate(HISTORY) + page.page.content()
            assert len(notices(page)) == 1
            assert page.page.locator(".jp-Dialog").count() == 0  # "File Changed"
        assert [page.page.evaluate(DIRTY) for page in pages] == [False, was_dirty]


def test_what_was_typed_in_the_other_page_stays(world: World, stored: Key) -> None:
    sources = [code(stored), "'another cell'"]
    with open_page(world.browser, world.server, sources, lab=True) as first:
        second = open_again(first, True)
        second.cell(0).locator(".cm-content").click()
        second.page.keyboard.press("Control+End")
        second.page.keyboard.insert_text("  # typed")
        before = events(second)
        first.cell(1).locator(".cm-content").click()
        first.save()
        first.wait(lambda: MARKER in source(first, 0))
        second.wait(lambda: events(second) > before and notices(second))
        second.cell(1).locator(".cm-content").click()
        assert source(second, 0) == f"{code(stored)}  # typed"


@pytest.mark.parametrize("lab", [True, False], ids=["lab", "notebook"])
def test_another_kernel_gets_the_key_and_tells_the_status(world: World, lab: bool) -> None:
    first, second = (world.sandbox.make_key(workspace=f"{name} {lab}") for name in ("first", "second"))
    cells = (
        "%load_ext mistral_nb",
        "from mistralai import Mistral\nclient = Mistral(api_key='')",
        FINGERPRINT,
        "'last'",
    )
    with open_notebook(world.browser, world.server, cells, lab=lab) as notebook:
        desk = Desk(notebook)
        status = desk.page.locator(STATUS)
        desk.load()
        desk.paste(first.reveal(), 1, 1)
        desk.press("Keep it")
        status.filter(has_text=f"…{first.tail}").wait_for()
        notebook.wait(lambda: desk.source(1).startswith("%mistral_key "))
        desk.page.evaluate(CHANGE_KERNEL)
        desk.wait_reach("absent")
        notebook.wait(lambda: "stored" in status.inner_text())  # what the server knows
        desk.paste(second.reveal(), 2, 1)
        desk.dialog.get_by_text("mistral_nb is not loaded in this notebook's kernel").wait_for()
        desk.press("Cancel")
        desk.load()
        desk.paste(second.reveal(), 2, 1)
        desk.press("Keep it")
        status.filter(has_text=f"…{second.tail}").wait_for()
        notebook.run(3)
        notebook.wait(lambda: second.fingerprint in notebook.output(3))
        assert desk.search(second.reveal()) == []
        other = make_text()
        desk.paste(other, 2, 1)
        desk.press("Paste anyway")
        notebook.wait(lambda: "models" in desk.search(other))  # negative control: the same search finds it


@pytest.mark.manual
@pytest.mark.skipif(find_spec("jupyter_collaboration") is None, reason="needs jupyter-collaboration")
def test_two_people_of_a_shared_document_get_the_marker_on_a_click(world: World, stored: Key) -> None:
    """No page knows where the other person is typing."""
    with open_page(world.browser, world.server, ["", "'another cell'"], lab=True) as first:
        second = open_again(first, True)
        hold_notices(second)
        pages = (first, second)
        for page in pages:
            keep_waiting(page)
            page.wait(lambda page=page: page.page.evaluate(PEOPLE) == len(pages))
        type_into(first, 0, code(stored))  # what saves it is jupyter-collaboration
        for page in pages:
            page.wait(lambda page=page: "Insert marker" in "".join(notices(page)))
            page.cell(1).locator(".cm-content").click()
            assert source(page, 0) == code(stored)
        assert stored.reveal() in second.page.evaluate(HISTORY)  # negative control
        press(first, "Insert marker")
        for page in pages:
            page.wait(lambda page=page: source(page, 0) == code(stored).replace(stored.reveal(), MARKER))
            press_undo_and_redo(page, 0)
            assert stored.reveal() not in page.page.evaluate(HISTORY) + source(page, 0)
