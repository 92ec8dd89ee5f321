"""The status item and the commands in JupyterLab and Notebook 7, with the server's part."""

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from mistral_nb.storage.index import Index
from support.browsers import Server, open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import vault_environment
from support.key_traces import traces
from support.keys import make_key
from support.sandboxes import start_sandbox

pytestmark = pytest.mark.slow
CELLS = ("%load_ext mistral_nb", "x = ''", "import os; os.environ.pop('MISTRAL_API_KEY')", "'the last'")
LOAD, CODE, UNSET, LAST = range(len(CELLS))
SETTINGS = "mistral-nb/plugin.jupyterlab-settings"
STATUS = ".mistral-nb-status"
NOTICE = ".Toastify__toast"
LABELS = ("Enter a Mistral Key…", "Switch Mistral Workspace…", "Mistral Key Status", "Scan This Notebook for Keys")


class World:
    def __init__(self, browser: Any, server: Server, sandbox: Any, env: dict[str, str]) -> None:
        self.browser, self.server, self.sandbox, self.env = browser, server, sandbox, env


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("status")
    with start_sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_server(env, folder / "a folder") as server:
            yield World(browser, server, sandbox, env)


@pytest.fixture(autouse=True)
def nothing_stored(world) -> None:
    shutil.rmtree(world.env["MISTRAL_NB_HOME"], ignore_errors=True)


@pytest.fixture
def lab(world) -> Iterator[Desk]:
    with open_notebook(world.browser, world.server, CELLS, lab=True) as notebook:
        yield Desk(notebook)


@pytest.fixture(params=["lab", "notebook"])
def desk(request, world) -> Iterator[Desk]:
    with open_notebook(world.browser, world.server, CELLS, lab=request.param == "lab") as notebook:
        yield Desk(notebook)


def status(desk: Desk) -> str:
    item = desk.page.locator(STATUS)
    return str(item.inner_text()) if item.is_visible() else ""


def enter(desk: Desk, key: str, workspace: str) -> None:
    desk.execute("mistral-nb:enter-key")
    desk.dialog.get_by_label("Key", exact=True).fill(key)
    desk.dialog.get_by_label("Workspace").fill(workspace)
    desk.page.keyboard.press("Enter")


def test_a_key_is_entered_shown_switched_and_unset(desk, world):
    first, second = world.sandbox.make_key(), world.sandbox.make_key()
    desk.load(LOAD)
    assert status(desk) == ""  # nothing of Mistral is here
    refused = make_key()
    enter(desk, refused.reveal(), "dev")
    desk.dialog.get_by_role("button", name="Keep it anyway").wait_for()
    desk.dialog.get_by_label("Key", exact=True).fill(first.reveal())
    desk.dialog.get_by_label("Workspace").fill("no name")
    desk.page.keyboard.press("Enter")
    desk.dialog.get_by_text("A workspace's name is").wait_for()  # and the key need not be entered again
    desk.dialog.get_by_label("Workspace").fill("dev")
    desk.page.keyboard.press("Enter")
    desk.notebook.wait(lambda: status(desk) == f"Mistral: dev …{first.tail} · saves covered")
    enter(desk, second.reveal(), "prod")
    desk.notebook.wait(lambda: status(desk) == f"Mistral: prod …{second.tail} · saves covered")
    assert desk.source(CODE) == "%mistral_key dev"  # one such cell is enough
    desk.execute("mistral-nb:switch")
    desk.dialog.locator("select").select_option(f"dev …{first.tail}")
    desk.dialog.get_by_role("button", name="Switch").click()
    desk.notebook.wait(lambda: status(desk) == f"Mistral: dev …{first.tail} · saves covered")
    desk.notebook.run(UNSET + 1)
    desk.notebook.wait(lambda: status(desk) == "Mistral: 2 keys stored, none set · saves covered")
    for key in (refused, first):
        assert traces(key.reveal(), desk.watch.everywhere()) == []
    assert traces(first.reveal(), {"control": first.reveal().encode()}) == ["control"]


def test_the_status_opens_by_a_click_and_can_be_read_aloud(lab, world):
    key = world.sandbox.make_key()
    Index(world.env["MISTRAL_NB_HOME"]).remember(key)
    lab.wait_reach("absent")
    lab.execute("mistral-nb:status")
    lab.dialog.get_by_text("mistral_nb is not loaded in this notebook's kernel").wait_for()
    lab.dialog.get_by_role("button", name="Close").click()
    lab.load(LOAD)
    lab.execute("mistral-nb:enter-key")
    lab.dialog.get_by_role("button", name="Save").wait_for()
    assert _violations(lab) == []
    for _ in range(12):  # more than it has places
        lab.page.keyboard.press("Tab")
        assert lab.page.evaluate("() => document.activeElement.closest('.jp-Dialog') !== null")
    lab.page.keyboard.press("Escape")
    lab.dialog.wait_for(state="detached")
    enter(lab, key.reveal(), "dev")
    lab.notebook.wait(lambda: "dev" in status(lab))
    lab.page.locator(STATUS).click()
    lab.dialog.get_by_text(f"Active: dev …{key.tail}").wait_for()
    assert _violations(lab) == []
    lab.page.keyboard.press("Escape")
    lab.dialog.wait_for(state="detached")
    lab.wait_remembered(key)
    lab.paste(f"key = '{key.reveal()}'", LAST)
    lab.dialog.get_by_text("This is a Mistral API key").wait_for()  # though nothing here names Mistral
    assert _violations(lab) == []
    lab.page.keyboard.press("Escape")


def test_the_notices_can_be_read_aloud(lab):
    key = make_key()
    lab.insert_cell(f"Mistral(api_key='{key.reveal()}')")
    early = lab.notice(f"A Mistral key, …{key.tail}, is in")
    assert early.get_by_role("button", name="Keep it and take it out").count() == 1
    assert _violations(lab) == []
    lab.save()
    saved = lab.notice("was kept out of")
    assert saved.get_by_role("button", name="Show").count() == 1
    assert _violations(lab) == []


def _violations(desk: Desk) -> list[Any]:
    """What axe finds in the dialog, the notices and the status item, and not in what is JupyterLab's own."""
    for part in (".jp-Dialog-content", NOTICE, STATUS):
        if desk.page.locator(part).count():
            found = Axe().run(desk.page, part)
            ours = [one for one in found.response["violations"] if one["id"] not in ("region", "color-contrast")]
            if ours:
                return [(one["id"], [node["html"] for node in one["nodes"]]) for one in ours]
    return []


def test_palette_menu_and_scan(lab):
    key = make_key()
    lab.insert_cell("from mistralai import Mistral")
    lab.insert_cell(f"Mistral(api_key='{key.reveal()}')")
    lab.execute("mistral-nb:scan")
    lab.notice(f"…{key.tail} (suspected)")
    lab.page.get_by_role("menuitem", name="Kernel").click()
    lab.page.locator(".lm-Menu-item", has_text="Mistral Key").first.click()
    for label in LABELS:
        lab.page.locator(".lm-Menu-item", has_text=label).wait_for()
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("Control+Shift+C")
    lab.page.locator(".lm-CommandPalette-input").fill("mistral")
    for label in LABELS:
        lab.page.locator(".lm-CommandPalette-item", has_text=re.compile(re.escape(label))).first.wait_for()


def test_each_feature_is_off_by_its_setting(world):
    key = world.sandbox.make_key()
    world.server.set(SETTINGS, statusItem=False, pasteGuard=False)
    with open_notebook(world.browser, world.server, CELLS, lab=True) as notebook:
        desk = Desk(notebook)
        desk.load(LOAD)
        enter(desk, key.reveal(), "dev")
        desk.notice(f"…{key.tail}")
        desk.paste(key.reveal(), CODE + 1, 1)
        desk.notebook.wait(lambda: key.reveal() in desk.source(CODE + 1))
        assert desk.dialog.count() == 0
        assert status(desk) == ""
    world.server.set(SETTINGS)
