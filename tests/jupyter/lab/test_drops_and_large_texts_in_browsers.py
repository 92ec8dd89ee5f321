"""A key that is dropped, or that stands in a megabyte: asked about as one that is pasted."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.browsers import Server, open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import is_remembered, vault_environment
from support.keys import make_text
from support.sandboxes import start_sandbox

pytestmark = pytest.mark.slow
CODE = "import mistralai\nkey = "
CELLS = ("%load_ext mistral_nb", CODE, "'the last'")
NO_HOOK = "--ServerApp.jpserver_extensions={'mistral_nb': False}"  # it would hide a leak by taking it out again


class World:
    def __init__(self, browser: Any, server: Server, sandbox: Sandbox, env: dict[str, str]) -> None:
        self.browser, self.server, self.sandbox, self.env = browser, server, sandbox, env


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("drops")
    with start_sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_server(env, folder / "served", NO_HOOK) as server:
            yield World(browser, server, sandbox, env)


@pytest.fixture(autouse=True)
def nothing_stored(world) -> None:
    shutil.rmtree(world.env["MISTRAL_NB_HOME"], ignore_errors=True)


@pytest.fixture(params=["lab", "notebook"])
def desk(request, world) -> Iterator[Desk]:
    with open_notebook(world.browser, world.server, CELLS, lab=request.param == "lab") as notebook:
        yield Desk(notebook)


def drop(desk: Desk, text: str, line: Any) -> None:
    """Drop a text at the end of a line, as from another window: events of the browser, not of a script."""
    box = line.bounding_box()
    place = {"x": box["x"] + box["width"] - 20, "y": box["y"] + box["height"] / 2}
    items = {"items": [{"mimeType": "text/plain", "data": text}], "dragOperationsMask": 1}
    browser = desk.page.context.new_cdp_session(desk.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, **place, "data": items})
    browser.detach()


def last_line(desk: Desk, cell: int) -> Any:
    return desk.notebook.cell(cell).locator(".cm-line").last


def test_a_key_that_is_dropped_into_a_cell_is_asked_about(desk, world):
    key, other = world.sandbox.make_key(), make_text()
    desk.load()
    desk.go_to(2)  # the cursor is elsewhere
    drop(desk, f"'{key.reveal()}'", last_line(desk, 1))
    desk.dialog.get_by_text(f"…{key.tail}").wait_for()
    assert desk.search(key.reveal()) == []
    desk.press("Cancel")
    assert (desk.model_source(1), desk.model_source(2)) == CELLS[1:]
    drop(desk, f"'{key.reveal()}'", last_line(desk, 1))
    desk.press("Keep it")
    desk.notebook.wait(lambda: desk.source(1).startswith("%mistral_key "))
    assert is_remembered(world.env, key.reveal())
    desk.save()
    assert desk.search(key.reveal()) == []
    drop(desk, f"'{other}'", last_line(desk, 2))
    desk.press("Paste anyway")
    desk.notebook.wait(lambda: desk.model_source(2) == f"{CODE}'{other}'")  # where it was dropped
    assert "models" in desk.search(other)  # negative control: the same search finds it


def test_a_key_that_is_dropped_into_a_file_is_asked_about(world):
    key = make_text()
    with open_notebook(world.browser, world.server, CELLS, lab=True) as notebook:
        desk = Desk(notebook)
        (world.server.folder / "dropped.py").write_text("import mistralai\nkey = ")
        desk.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'dropped.py'})")
        editor = desk.page.locator(".jp-FileEditor .cm-content")
        notebook.wait(lambda: "mistralai" in editor.inner_text())
        drop(desk, f"'{key}'", editor.locator(".cm-line").last)
        desk.dialog.get_by_text("A key is kept by a notebook's kernel").wait_for()
        assert desk.search(key) == []
        desk.press("Cancel")
        assert "models" not in desk.search(key)
        drop(desk, f"'{key}'", editor.locator(".cm-line").last)
        desk.press("Paste anyway")
        notebook.wait(lambda: editor.inner_text().endswith(f"key = '{key}'"))
        assert "models" in desk.search(key)  # negative control


def test_a_key_within_a_megabyte_is_asked_about_and_the_rest_is_inserted(world):
    key = world.sandbox.make_key()
    lines = [f"x{number} = {number}" for number in range(100_000)]
    with open_notebook(world.browser, world.server, CELLS, lab=True) as notebook:
        desk = Desk(notebook)
        desk.load()
        text = "\n".join([*lines[:50_000], f"api_key = '{key.reveal()}'", *lines[50_000:]])
        desk.paste(text, 1)
        desk.dialog.get_by_text(f"…{key.tail}").wait_for()
        assert desk.search(key.reveal()) == []
        desk.press("Keep it")
        rest = CODE + text.replace(key.reveal(), "")
        notebook.wait(lambda: rest in (desk.model_source(1), desk.model_source(2)))
        notebook.wait(lambda: desk.model_source(1).startswith("%mistral_key "))
        desk.save()
        assert desk.search(key.reveal()) == []
        other = make_text()
        desk.paste(f"api_key = '{other}'", 2)
        desk.press("Paste anyway")
        notebook.wait(lambda: "models" in desk.search(other))  # negative control: the same search finds it
