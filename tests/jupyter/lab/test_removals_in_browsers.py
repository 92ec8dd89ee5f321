"""After a save that removed a key: the notice, and the open document in line with what was saved."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index, Workspace
from support.browsers import Server, open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import wait_reach
from support.kernels import clean_environment, vault_environment
from support.keys import make_key
from support.removals import (
    DIRTY,
    HISTORY,
    PANEL,
    code,
    early_notices,
    events,
    notices,
    open_page,
    press,
    save,
    source,
    type_into,
)
from support.sandboxes import start_sandbox

LAB = pytest.mark.parametrize("lab", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["lab", "notebook"])
SETTINGS = "mistral-nb/plugin.jupyterlab-settings"


@pytest.fixture(scope="module")
def stored() -> Key:
    return make_key()


@pytest.fixture(scope="module")
def server(stored: Key, tmp_path_factory: Any) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server with a space")
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


@pytest.mark.slow
@LAB
def test_a_stored_key_makes_way_for_the_marker_once_its_cell_is_left(
    server: Server, browser: Any, stored: Key, lab: bool
) -> None:
    with open_page(browser, server, ["", "'another cell'"], lab=lab) as notebook:
        if not lab:  # a page of Notebook tells of its own document alone
            other = {"type": "file", "format": "text", "content": stored.reveal()}
            server.ask("contents/other.md", "PUT", other)
        type_into(notebook, 0, code(stored))
        save(notebook)
        [text] = notebook.wait(lambda: notices(notebook))
        assert text.startswith(f"1 key, …{stored.tail}, was kept out of {notebook.name} (cell 1). It is stored on this")
        assert source(notebook, 0) == code(stored)  # under the person's hands nothing changes
        assert stored.reveal() in notebook.page.evaluate(HISTORY)  # negative control: the searches find it
        notebook.cell(1).locator(".cm-content").click()
        notebook.wait(lambda: MARKER in source(notebook, 0))
        assert notebook.page.evaluate(DIRTY) is False
        saved = notebook.file.read_bytes()
        for _ in range(2):
            notebook.cell(0).locator(".cm-content").click()
            for keys in ("Control+z", "Control+Shift+z", "Control+z"):
                notebook.page.keyboard.press(keys)
            assert source(notebook, 0) == code(stored).replace(stored.reveal(), MARKER)
            save(notebook)
        assert stored.reveal() not in notebook.page.evaluate(HISTORY) + notebook.page.content()
        assert notebook.file.read_bytes() == saved
        assert len(notices(notebook)) == 1
        assert notebook.page.locator(".jp-Dialog").count() == 0  # "File Changed"


@pytest.mark.slow
@pytest.mark.parametrize("lab", [True, False], ids=["lab", "notebook"])
def test_a_key_that_no_store_keeps_is_left_in_its_cell(server: Server, browser: Any, lab: bool) -> None:
    key = make_key()
    with open_page(browser, server, ["", "'another cell'"], lab=lab) as notebook:
        type_into(notebook, 0, code(key))
        notebook.wait(lambda: early_notices(notebook) == 1)
        for _ in range(3):
            save(notebook)
        notebook.wait(lambda: early_notices(notebook) == 0)  # the other one takes its place
        notebook.cell(1).locator(".cm-content").click()
        [text] = notebook.wait(lambda: notices(notebook))
        assert f"1 key, …{key.tail}, was kept out of {notebook.name} (cell 1)." in text
        assert source(notebook, 0) == code(key)
        assert ("Keep it" in text, "Insert marker" in text) == (True, False)  # the marker would take the last copy
        press(notebook, "Keep it")
        notebook.page.locator(".Toastify__toast", has_text="could not be set aside").wait_for()
        assert source(notebook, 0) == code(key)


@pytest.fixture
def with_vault(browser: Any, tmp_path: Path) -> Iterator[tuple[Server, Sandbox, Index]]:
    """A server whose keys can be set aside without asking: in the encrypted file, with a passphrase file."""
    with start_sandbox() as sandbox:
        env = vault_environment(tmp_path, sandbox.url, PASSPHRASE)
        with start_server(env, tmp_path / "served") as server:
            yield server, sandbox, Index(env["MISTRAL_NB_HOME"])


@pytest.mark.slow
def test_a_key_that_was_set_aside_is_stored_on_a_click(with_vault: Any, browser: Any) -> None:
    server, sandbox, index = with_vault
    key = sandbox.make_key()
    with open_page(browser, server, ["", "%load_ext mistral_nb"], lab=True) as notebook:
        notebook.run(1)
        wait_reach(notebook, "ready")
        type_into(notebook, 0, code(key))
        save(notebook)
        [text] = notebook.wait(lambda: notices(notebook))
        assert "It is set aside, so that you can keep it." in text
        notebook.cell(1).locator(".cm-content").click()
        assert source(notebook, 0) == code(key)
        press(notebook, "Keep it")
        notebook.wait(lambda: key.fingerprint in {entry.fingerprint for entry in index.read().workspaces.values()}, 30)
        notebook.wait(lambda: MARKER in source(notebook, 0))
        [workspace] = index.read().workspaces
        press(notebook, f'Use mistral_nb.key("{workspace}")')
        notebook.wait(lambda: f'mistral_nb.key("{workspace}")' in source(notebook, 0))
        sent = [frame for frame in notebook.frames if b"keep-aside" in frame]
        assert sent and [frame for frame in sent if key.reveal().encode() in frame] == []


@pytest.mark.slow
def test_without_mistral_nb_in_the_kernel_it_says_what_to_do(with_vault: Any, browser: Any) -> None:
    server, sandbox, _ = with_vault
    with open_page(browser, server, ["", "'another cell'"], lab=True) as notebook:
        wait_reach(notebook, "absent")
        type_into(notebook, 0, code(sandbox.make_key()))
        save(notebook)
        notebook.wait(lambda: notices(notebook))
        press(notebook, "Keep it")
        toast = notebook.page.locator(".Toastify__toast", has_text="mistral-nb login --from-aside")
        toast.filter(has_text="Run %load_ext mistral_nb in a cell").wait_for()


@pytest.mark.slow
def test_the_marker_takes_the_place_of_a_key_that_was_set_aside_on_a_click(with_vault: Any, browser: Any) -> None:
    server, sandbox, _ = with_vault
    key = sandbox.make_key()
    with open_notebook(browser, server, ["", "'another cell'"], lab=True) as notebook:
        type_into(notebook, 0, code(key))
        save(notebook)
        notebook.wait(lambda: notices(notebook))
        assert source(notebook, 0) == code(key)
        press(notebook, "Insert marker")
        notebook.wait(lambda: source(notebook, 0) == code(key).replace(key.reveal(), MARKER))


@pytest.mark.slow
def test_a_key_of_a_text_file_goes_to_a_kernel_that_was_named(with_vault: Any, browser: Any) -> None:
    server, sandbox, index = with_vault
    key = sandbox.make_key()
    (server.folder / "app.py").write_text("# empty\n")
    with open_notebook(browser, server, ["%load_ext mistral_nb"], lab=True) as notebook:
        notebook.run(0)
        wait_reach(notebook, "ready")
        notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'app.py'})")
        editor = notebook.page.locator(".jp-FileEditor .cm-content")
        editor.click()
        notebook.page.keyboard.insert_text(code(key))
        early = notebook.page.locator(".Toastify__toast", has_text="A Mistral key")
        assert "A save takes it out" not in early.inner_text()  # it is only told of in such a file
        index.remember(key)
        notebook.save()
        notebook.wait(lambda: notices(notebook))
        press(notebook, "Keep it")
        dialog = notebook.page.get_by_role("dialog")
        dialog.get_by_text(notebook.name).wait_for()
        assert index.read().workspaces == {}
        dialog.get_by_role("button", name="Keep it").click()
        notebook.wait(lambda: len(index.read().workspaces) == 1, 30)


@pytest.mark.slow
def test_typing_since_the_save_is_not_lost(server: Server, browser: Any, stored: Key) -> None:
    with open_page(browser, server, ["", "'another cell'"], lab=True) as notebook:
        type_into(notebook, 0, code(stored))
        save(notebook)
        notebook.wait(lambda: notices(notebook))
        notebook.page.keyboard.insert_text("  # typed")
        notebook.cell(1).locator(".cm-content").click()
        notebook.page.keyboard.insert_text("  # here too")
        assert source(notebook, 0) == f"{code(stored)}  # typed"
        save(notebook)
        notebook.wait(lambda: MARKER in source(notebook, 0))
        assert source(notebook, 0) == f"{code(stored)}  # typed".replace(stored.reveal(), MARKER)
        assert source(notebook, 1) == "'another cell'  # here too"
        notebook.page.keyboard.press("Control+z")  # the history of another cell is what it was
        assert source(notebook, 1) == "'another cell'"


@pytest.mark.slow
def test_an_output_follows_while_its_cell_has_the_focus(server: Server, browser: Any, stored: Key) -> None:
    with open_page(browser, server, ["", "'another cell'"], lab=True) as notebook:
        type_into(notebook, 0, f'print("seen:", "{stored.reveal()}")\n"{stored.reveal()}"')
        notebook.page.keyboard.press("Control+Enter")
        notebook.wait_done(0)
        notebook.cell(0).locator(".cm-content").click()
        assert notebook.output(0).count(stored.reveal()) == 2
        save(notebook)
        notebook.wait(lambda: notebook.output(0).count(MARKER) == 2)
        assert stored.reveal() in source(notebook, 0)
        notebook.cell(1).locator(".cm-content").click()
        notebook.wait(lambda: source(notebook, 0).count(MARKER) == 2)
        assert stored.reveal() not in notebook.page.evaluate(HISTORY) + notebook.page.content()
        assert "1]" in notebook.cell(0).locator(".jp-InputPrompt").inner_text()  # it need not be run again


@pytest.mark.slow
def test_a_literal_in_code_is_replaced_by_a_call(server: Server, browser: Any, stored: Key) -> None:
    with open_page(browser, server, ["", "'another cell'"], lab=True) as notebook:
        type_into(notebook, 0, code(stored))
        save(notebook)
        notebook.wait(lambda: notices(notebook))
        press(notebook, 'Use mistral_nb.key("dev")')
        replaced = 'import mistral_nb\nclient = Mistral(api_key=mistral_nb.key("dev"))'
        notebook.wait(lambda: source(notebook, 0) == replaced)
        notebook.cell(0).locator(".cm-content").click()
        notebook.page.keyboard.press("Control+z")
        assert source(notebook, 0) == code(stored).replace(stored.reveal(), MARKER)


@pytest.mark.slow
def test_show_leads_to_the_cell(server: Server, browser: Any, stored: Key) -> None:
    with open_page(browser, server, ["'a cell'"] * 40 + [code(stored)], lab=True) as notebook:
        notebook.cell(0).locator(".cm-content").click()
        notebook.page.keyboard.insert_text("#")
        save(notebook)
        notebook.wait(lambda: notices(notebook))
        press(notebook, "Show")
        notebook.wait(lambda: notebook.page.evaluate(f"() => {PANEL}.content.activeCellIndex") == 40)
        notebook.cell(40).locator(".cm-content", has_text=MARKER).wait_for()
        assert notices(notebook)  # it stays


@pytest.mark.slow
def test_a_text_file_follows_once_it_is_left(server: Server, browser: Any, stored: Key) -> None:
    file = server.folder / "settings.py"
    file.write_text("# empty\n")
    with open_page(browser, server, ["'a cell'"], lab=True) as notebook:
        page = notebook.page
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'settings.py'})")
        editor = page.locator(".jp-FileEditor .cm-content")
        editor.click()
        page.keyboard.insert_text(code(stored))
        notebook.save()
        [text] = notebook.wait(lambda: notices(notebook))
        assert "was kept out of settings.py (line 2)" in text
        assert stored.reveal() in editor.inner_text()
        page.locator(".lm-TabBar-tab", has_text=notebook.name).click()
        page.locator(".jp-Notebook .cm-content").click()
        page.locator(".lm-TabBar-tab", has_text="settings.py").click()
        notebook.wait(lambda: MARKER in editor.inner_text())
        assert (stored.reveal() in page.content(), MARKER in file.read_text()) == (False, True)


@pytest.mark.slow
def test_a_suspected_key_that_stays_in_a_text_file_is_told_once_and_can_be_kept(with_vault: Any, browser: Any) -> None:
    server, sandbox, index = with_vault
    key, file = sandbox.make_key(), server.folder / "app.py"
    file.write_text(f"{code(key)}\n")
    with open_page(browser, server, ["%load_ext mistral_nb"], lab=True) as notebook:
        notebook.run(0)
        notebook.wait_done(0)
        page = notebook.page
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', {path: 'app.py'})")
        left = page.locator(".Toastify__toast", has_text=f"…{key.tail} looks like a Mistral key and was left in app.py")
        for heard in (1, 2, 3):
            page.locator(".jp-FileEditor .cm-content").click()
            page.keyboard.insert_text("#")
            notebook.save()
            notebook.wait(lambda heard=heard: events(notebook) == heard)
            left.wait_for()
        assert (left.count(), key.reveal() in file.read_text()) == (1, True)
        page.keyboard.press("Control+Home")
        page.keyboard.press("Enter")
        notebook.save()
        left.filter(has_text="(line 2)").wait_for()
        assert left.count() == 1
        left.get_by_role("button", name="Keep it").click()
        page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
        notebook.wait(lambda: len(index.read().workspaces) == 1, 30)
        page.locator(".Toastify__toast--success").wait_for(timeout=40_000)
        use = page.locator(".Toastify__toast").get_by_role("button", name="Use mistral_nb.key")
        assert use.count() == 0  # the call would take the place of a key that is still in the file
        page.keyboard.insert_text("#")
        notebook.save()
        notebook.wait(lambda: MARKER in file.read_text())
        assert "It is stored on this machine." in notebook.wait(lambda: notices(notebook))[0]


@pytest.mark.slow
def test_an_upload_and_a_rename_are_told_to_a_page_that_shows_another_document(
    server: Server, browser: Any, stored: Key
) -> None:
    text = f"The key is {stored.reveal()}.\n"
    with open_page(browser, server, ["'a cell'"], lab=True) as notebook:
        server.ask("contents/up.md", "PUT", {"type": "file", "format": "text", "content": text})
        notebook.wait(lambda: "kept out of up.md (line 1)" in "".join(notices(notebook)))
        (server.folder / "old.dat").write_text(text)
        server.ask("contents/old.dat", "PATCH", {"path": "new.md"})
        notebook.wait(lambda: "kept out of new.md (line 1)" in "".join(notices(notebook)))
        assert "Insert marker" not in "".join(notices(notebook))
        notebook.page.locator(".Toastify__toast", has_text="up.md").get_by_role("button", name="Show").click()
        notebook.page.locator(".jp-FileEditor .cm-content", has_text=MARKER).wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("off", ["alignment", "notices", "plugin"])
def test_each_part_can_be_turned_off(server: Server, browser: Any, stored: Key, off: str) -> None:
    """Which is what the other tests find with it on."""
    disabled = server.settings.parents[1] / "labconfig/page_config.json"
    if off == "plugin":
        disabled.parent.mkdir(exist_ok=True)
        disabled.write_text('{"disabledExtensions": {"mistral-nb:removals": true}}')
    else:
        server.set(SETTINGS, **{off: False})
    try:
        with open_page(browser, server, ["", "'another cell'"], lab=True) as notebook:
            type_into(notebook, 0, code(stored))
            save(notebook) if off != "plugin" else notebook.save()
            notebook.cell(1).locator(".cm-content").click()
            if off == "notices":
                notebook.wait(lambda: MARKER in source(notebook, 0))
            elif off == "alignment":
                assert "Insert marker" in notebook.wait(lambda: notices(notebook))[0]
            assert (stored.reveal() in source(notebook, 0)) is (off != "notices")
            assert bool(notices(notebook)) is (off == "alignment")
            assert MARKER in notebook.file.read_text()
    finally:
        disabled.unlink(missing_ok=True)
        server.set(SETTINGS)


@pytest.mark.slow
def test_with_the_server_part_off_the_page_says_nothing_of_saves(browser: Any, tmp_path: Path) -> None:
    """And the file has the key: what the other tests find is found here too."""
    key, errors = make_key(), []
    off = "--ServerApp.jpserver_extensions={'mistral_nb': False}"
    with (
        start_server(clean_environment(tmp_path), tmp_path / "served", off) as server,
        open_page(browser, server, ["", "'another cell'"], lab=True) as notebook,
    ):
        notebook.page.on("pageerror", lambda error: errors.append(str(error)))
        type_into(notebook, 0, code(key))
        notebook.save()
        notebook.cell(1).locator(".cm-content").click()
        assert key.reveal() in notebook.file.read_text()
        assert (source(notebook, 0), notices(notebook), errors) == (code(key), [], [])
