"""Pasting a key in JupyterLab and Notebook 7: asked first, and what is kept is nowhere but in the store."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.browsers import Server, open_notebook, start_browser, start_server, visit
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import is_remembered, vault_environment
from support.keys import make_text
from support.sandboxes import start_sandbox

FINGERPRINT = "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))"
CLIENT_CODE = "from mistralai import Mistral\nclient = Mistral(api_key='')"
CELLS = ("%load_ext mistral_nb", CLIENT_CODE, FINGERPRINT, "'the last'")
LOAD, CLIENT, SHOW, LAST = range(len(CELLS))
STATUS = ".mistral-nb-status"
NO_HOOK = "--ServerApp.jpserver_extensions={'mistral_nb': False}"  # it would hide a leak by taking it out again


class World:
    def __init__(self, browser: Any, server: Server, sandbox: Sandbox, env: dict[str, str]) -> None:
        self.browser, self.server, self.sandbox, self.env = browser, server, sandbox, env


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with start_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def world(tmp_path_factory, browser) -> Iterator[World]:
    """Without the server's part: what is saved is what the page has."""
    folder = tmp_path_factory.mktemp("paste guard")
    with start_sandbox() as sandbox:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_server(env, folder / "a folder", NO_HOOK) as server:
            yield World(browser, server, sandbox, env)


@pytest.fixture(autouse=True)
def nothing_stored(world) -> None:
    shutil.rmtree(world.env["MISTRAL_NB_HOME"], ignore_errors=True)


@pytest.fixture(params=["lab", "notebook"])
def desk(request, world) -> Iterator[Desk]:
    with open_notebook(world.browser, world.server, CELLS, lab=request.param == "lab") as notebook:
        yield Desk(notebook)


@pytest.mark.slow
def test_a_pasted_key_is_kept_and_is_nowhere_in_the_page(desk, world):
    key = world.sandbox.make_key()
    desk.load(LOAD)
    desk.paste(key.reveal(), CLIENT, 2)
    desk.dialog.wait_for()
    assert f"…{key.tail}" in desk.dialog.inner_text()
    assert desk.search(key.reveal()) == []
    desk.page.keyboard.press("Escape")
    desk.wait_closed()
    assert desk.source(CLIENT) == CELLS[CLIENT]
    desk.page.keyboard.press("Control+V")  # the focus is in the editor again
    desk.dialog.wait_for()
    desk.page.keyboard.press("Enter")
    desk.notebook.wait(
        lambda: desk.source(CLIENT).startswith("%mistral_key ")
    )  # above the cell that it was pasted into
    assert desk.source(CLIENT + 1) == CELLS[CLIENT]
    desk.page.locator(STATUS, has_text=f"…{key.tail}").wait_for()
    desk.notebook.run(SHOW + 1)
    desk.notebook.wait_done(SHOW + 1)
    assert desk.notebook.output(SHOW + 1).strip() == key.fingerprint
    assert is_remembered(world.env, key.reveal())
    desk.page.keyboard.press("Control+Z")
    desk.save()
    assert desk.search(key.reveal()) == []
    _check_controls(desk)


def _check_controls(desk: Desk) -> None:
    """The same search finds a key that was pasted anyway."""
    other = make_text()
    desk.paste(other, CLIENT + 1, 2)
    desk.press("Paste anyway")
    desk.notebook.wait(lambda: other in desk.source(CLIENT + 1))
    desk.save()
    found = set(desk.search(other))
    assert {"models", "page", str(desk.notebook.file)} <= found
    assert {"requests", "frames"} & found  # with jupyter-collaboration a save is no request
    desk.paste(other, CLIENT + 1, 2)  # answered once
    desk.notebook.wait(lambda: desk.source(CLIENT + 1).count(other) == 2)


@pytest.fixture
def lab(world) -> Iterator[Desk]:
    with open_notebook(world.browser, world.server, CELLS, lab=True) as notebook:
        yield Desk(notebook)


@pytest.mark.slow
def test_a_kernel_without_mistral_nb_a_restart_and_a_reload(lab, world):
    """Each says what is missing before anything is chosen; after %load_ext a key can be kept."""
    key = world.sandbox.make_key()
    lab.wait_reach("absent")
    lab.paste(key.reveal(), CLIENT, 2)
    lab.dialog.get_by_text("mistral_nb is not loaded in this notebook's kernel").wait_for()
    assert lab.dialog.get_by_role("button", name="Keep it").count() == 0
    lab.page.keyboard.press("Enter")  # the default is Cancel
    lab.wait_closed()
    assert lab.source(CLIENT) == CLIENT_CODE
    lab.load(LOAD)
    lab.can_keep(key, CLIENT, 2)
    lab.notebook.restart_kernel()
    lab.wait_reach("absent")
    lab.load(LOAD)
    lab.can_keep(key, CLIENT, 2)
    lab.save()
    visit(lab.notebook, lab=True)
    lab.can_keep(key, CLIENT, 2)
    assert lab.search(key.reveal()) == []


@pytest.mark.slow
def test_without_a_kernel_the_dialog_says_so(lab):
    lab.notebook.server.shut_down_kernels()
    lab.wait_reach("none")
    lab.paste(make_text(), CLIENT, 2)
    lab.dialog.get_by_text("This notebook has no kernel").wait_for()
    lab.press("Cancel")


@pytest.mark.slow
def test_a_key_is_kept_while_a_cell_runs_and_its_call_is_inserted(lab, world):
    """The cell ends by the key alone."""
    key = world.sandbox.make_key()
    lab.load(LOAD)
    lab.go_to(SHOW)
    lab.page.keyboard.press("Control+A")
    lab.page.keyboard.insert_text("import os, time\nwhile 'MISTRAL_API_KEY' not in os.environ: time.sleep(0.01)")
    lab.notebook.run(SHOW)
    lab.paste(key.reveal(), CLIENT, 2)
    lab.press("Keep it")
    notice = lab.notice(f"…{key.tail}")
    lab.notebook.wait_done(SHOW + 1)
    notice.get_by_role("button", name="Insert").click()
    lab.notebook.wait(lambda: "Mistral(api_key=mistral_nb.key(" in lab.source(CLIENT + 1))
    assert lab.source(CLIENT + 1).startswith("import mistral_nb\n")


@pytest.mark.slow
def test_what_is_pasted_beside_a_key_that_is_kept_is_inserted(lab, world):
    key, other = world.sandbox.make_key(), make_text()
    lab.load(LOAD)
    lab.go_to(LAST)
    lab.page.keyboard.press("Control+A")
    lab.paste(f"a = Mistral(api_key='{key.reveal()}')\nb = Mistral(api_key='{other}')", LAST)
    lab.dialog.get_by_role("button", name="Keep it").click()
    lab.dialog.get_by_text(f"…{other[-4:]}").wait_for()  # the second is asked about as well
    lab.press("Paste anyway")
    notice = lab.notice(f"…{key.tail}")
    pasted = f"'the last'a = Mistral(api_key='')\nb = Mistral(api_key='{other}')"
    lab.notebook.wait(lambda: lab.model_source(LAST + 1) == pasted)
    notice.get_by_role("button", name="Insert").wait_for()


@pytest.mark.slow
def test_a_refused_key_is_asked_about_and_not_kept(lab, world):
    key = world.sandbox.make_key()
    world.sandbox.revoke(key)
    lab.load(LOAD)
    lab.paste(key.reveal(), CLIENT, 2)
    lab.press("Keep it")
    lab.dialog.get_by_text("Keep it anyway?").wait_for()
    lab.press("No")
    lab.notice("was not saved")
    assert lab.source(CLIENT) == CLIENT_CODE
    assert lab.search(key.reveal()) == []


@pytest.mark.slow
def test_a_key_that_came_another_way_is_told_and_can_be_taken_out(lab, world):
    key = world.sandbox.make_key()
    lab.load(LOAD)
    lab.go_to(CLIENT, 2)
    lab.page.evaluate("(text) => navigator.clipboard.writeText(text)", key.reveal())
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:paste-text')")
    notice = lab.notice(f"A Mistral key, …{key.tail}, is in")
    assert key.reveal() in lab.model_source(CLIENT)
    assert "models" in lab.search(key.reveal())
    notice.get_by_role("button", name="Keep it and take it out").click()
    lab.notebook.wait(lambda: lab.source(CLIENT + 1) == CLIENT_CODE)
    for _ in range(3):
        lab.page.keyboard.press("Control+Z")
    assert not {"models", "page", "fields"} & set(lab.search(key.reveal()))
    typed = make_text()
    lab.go_to(CLIENT + 1)
    lab.page.keyboard.insert_text(f"\nkey = '{typed}'")  # as an input method or a password manager does
    lab.notice(f"…{typed[-4:]}")
    copied = make_text()
    lab.insert_cell(f"mistral_key = '{copied}'")
    lab.notice(f"…{copied[-4:]}")


@pytest.mark.slow
def test_it_does_not_ask_where_it_was_told_not_to(lab):
    first, second, third = make_text(), make_text(), make_text()
    lab.paste(first, CLIENT, 2)
    lab.dialog.get_by_label("Don't ask in this document").check()
    lab.press("Paste anyway")
    lab.paste(second, CLIENT, 2)
    lab.notebook.wait(lambda: second in lab.source(CLIENT))
    lab.complete("mistral-nb:paste-guard")  # asks in this document again
    lab.paste(third, LAST)
    lab.press("Cancel")
    lab.complete("mistral-nb:paste-guard")  # off everywhere
    lab.paste(third, LAST)
    lab.notebook.wait(lambda: third in lab.source(LAST))
    assert lab.dialog.count() == 0
    lab.complete("mistral-nb:paste-guard")


@pytest.mark.slow
def test_what_is_no_key_is_pasted_as_it_is(lab):
    texts = [
        "model = Mistral3ForConditionalGeneration",
        f"sha256 = '{make_text().lower()}'",
        "\n".join(f"x{n} = {n}" for n in range(100_000)),  # a megabyte
    ]
    for text in texts:
        lab.go_to(CLIENT)
        lab.page.keyboard.press("Control+A")
        lab.paste(text, CLIENT)
        lab.notebook.wait(lambda wanted=text: lab.model_source(CLIENT).endswith(wanted))
        assert lab.dialog.count() == 0


@pytest.mark.slow
def test_in_a_text_file_it_asks_as_well(lab):
    key = make_text()
    (lab.notebook.server.folder / "app.py").write_text("import mistralai\nkey = ''\n")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'app.py'})")
    editor = lab.page.locator(".jp-FileEditor .cm-content")
    lab.notebook.wait(lambda: "mistralai" in editor.inner_text())  # loaded: before, nothing in it names Mistral
    editor.click()
    lab.page.locator(".jp-FileEditor .cm-editor.cm-focused").wait_for()
    lab.page.evaluate("(text) => navigator.clipboard.writeText(text)", f"key = '{key}'")
    editor.press("Control+End")  # each press takes the focus, which the notebook may have taken back meanwhile
    editor.press("Control+V")
    lab.dialog.get_by_text("A key is kept by a notebook's kernel").wait_for()
    assert lab.search(key) == []
    lab.press("Paste anyway")
    lab.notebook.wait(lambda: key in editor.inner_text())
