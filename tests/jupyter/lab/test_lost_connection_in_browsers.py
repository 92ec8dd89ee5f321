"""A page that has lost its server: it still asks before a key is pasted, says what it can't do, and loses nothing."""

from collections.abc import Iterator

import pytest

from support.browsers import open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import vault_environment
from support.keys import make_key, make_text
from support.removals import code, hold_notices, notices, press, save, source, type_into
from support.sandboxes import start_sandbox

pytestmark = pytest.mark.slow
CELLS = ("%load_ext mistral_nb", "import mistralai\nkey = ''", "", "'the last'")
LOAD, CODE, TYPED, LAST = range(len(CELLS))
CONNECTION = """() => [...window.jupyterapp.shell.widgets("main")].find((widget) => widget.sessionContext)
  .sessionContext.session.kernel.connectionStatus"""
RECONNECT = """() => {
  const panel = [...window.jupyterapp.shell.widgets("main")].find((widget) => widget.sessionContext);
  panel.sessionContext.session.kernel.reconnect().catch(() => undefined);
}"""
REFRESH = "() => { window.jupyterapp.serviceManager.sessions.refreshRunning().catch(() => undefined); }"
LOST = "This page has lost its connection to the kernel."


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    with start_sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(tmp_path, sandbox.url, PASSPHRASE)
        with (
            start_server(env, tmp_path / "served") as server,
            open_notebook(browser, server, CELLS, lab=True) as notebook,
        ):
            hold_notices(notebook)
            yield Desk(notebook)


def kill_server(desk: Desk) -> None:
    """And wait until the page has seen it, and JupyterLab has said so for the last time."""
    desk.notebook.server.kill()
    desk.notebook.wait(lambda: desk.page.evaluate(CONNECTION) != "connected")
    desk.page.evaluate(REFRESH)
    said = desk.dialog.filter(has_text="Server Connection Error")
    said.get_by_role("checkbox").check()
    said.get_by_role("button", name="Close").click()
    desk.dialog.wait_for(state="detached")


def test_it_asks_and_says_what_failed(desk):
    """A notice was shown before: JupyterLab fetches what draws notices from its server when it needs it first."""
    removed, pasted, other = make_key(), make_text(), make_text()
    desk.load(LOAD)
    type_into(desk.notebook, TYPED, code(removed))
    save(desk.notebook)
    desk.notebook.wait(lambda: notices(desk.notebook))
    kill_server(desk)
    desk.paste(pasted, CODE, 1)
    desk.dialog.get_by_text(LOST).wait_for()
    assert desk.dialog.get_by_role("button", name="Keep it").count() == 0
    assert desk.search(pasted) == []
    desk.press("Cancel")
    assert desk.source(CODE) == CELLS[CODE]
    press(desk.notebook, "Keep it")
    notices_of_it = desk.page.locator(".Toastify__toast", has_text=LOST)
    notices_of_it.first.wait_for()
    desk.execute("mistral-nb:enter-key")
    desk.notebook.wait(lambda: notices_of_it.count() == 2)
    assert desk.dialog.count() == 0  # the key is not asked for in vain
    assert source(desk.notebook, TYPED) == code(removed)
    assert desk.search(pasted) == []
    assert "console" not in desk.search(removed.reveal())
    desk.paste(other, CODE, 1)
    desk.press("Paste anyway")
    desk.notebook.wait(lambda: other in desk.source(CODE))
    desk.page.evaluate("(text) => console.log(text)", other)
    desk.notebook.wait(lambda: {"models", "page", "console"} <= set(desk.search(other)))  # negative control


def test_a_browser_that_is_offline_offers_nothing_until_it_is_online_again(desk):
    """Chromium keeps a websocket open when it goes offline, as if nobody had noticed yet; a new one can't be opened."""
    key = make_key()
    desk.load(LOAD)
    desk.can_keep(key, CODE, 1)  # negative control, and the dialog's parts are loaded
    desk.page.unroute_all()
    desk.page.context.set_offline(True)
    try:
        desk.page.evaluate(RECONNECT)
        desk.notebook.wait(lambda: desk.page.evaluate(CONNECTION) != "connected")
        desk.paste(key.reveal(), CODE, 1)
        desk.dialog.get_by_text(LOST).wait_for()
        assert desk.dialog.get_by_role("button", name="Keep it").count() == 0
        desk.press("Cancel")
    finally:
        desk.page.context.set_offline(False)
    desk.page.evaluate(RECONNECT)
    desk.notebook.wait(lambda: desk.page.evaluate(CONNECTION) == "connected", timeout=40)
    desk.can_keep(key, CODE, 1)
    assert desk.source(CODE) == CELLS[CODE]
