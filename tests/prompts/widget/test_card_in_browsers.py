"""The card in JupyterLab and Notebook 7, as a person meets it; after each scene, nothing anywhere holds the key.

Each scene makes the state that it needs. What is typed by `page.keyboard` follows at once when a field has the focus:
a change of theme or a look by axe may move it, so pictures are tests of their own.

With MISTRAL_NB_SCREENSHOTS set to a folder, pictures of every state are written there.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.api_key import Key, fingerprint
from mistral_nb.prompts.widget.anywidget_channel import card_source
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.sensitive_text import key_shaped_words
from support.browsers import Notebook, open_notebook, start_browser, start_server, visit
from support.commands import PASSPHRASE
from support.kernels import vault_environment
from support.key_traces import traces
from support.keys import make_text
from support.patience import PATIENCE
from support.sandboxes import start_sandbox

PICTURES = os.environ.get("MISTRAL_NB_SCREENSHOTS")
CARD = ".mistral-nb-card .card"
SCENES = (
    "%load_ext mistral_nb",
    "%mistral_key login typed --widget",
    "%mistral_key login --widget",
    "%mistral_key login kept --widget",
    "%mistral_key login cancelled --widget",
    "%mistral_key login empty --widget",
    "%mistral_key login refused --widget",
    "%mistral_key login offline --widget",
    "%mistral_key switch first --widget --no-wait",
    "%mistral_key switch second --widget --no-wait",
    "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))",
    "import ipywidgets; ipywidgets.Password()",
    "%mistral_key status",
    "%mistral_key doctor",
    "%mistral_key switch again --widget --no-wait",
    "'the last cell'",  # after it, a notebook adds one and puts the cursor there
)
(
    LOAD,
    TYPED,
    PASTED,
    KEPT,
    CANCELLED,
    EMPTY,
    REFUSED,
    OFFLINE,
    FIRST,
    SECOND,
    FINGERPRINT,
    PASSWORD,
    STATUS,
    DOCTOR,
    AGAIN,
    _,
) = range(len(SCENES))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[tuple[Any, Any, Sandbox, dict[str, str]]]:
    """A server, a browser and an API for all scenes."""
    folder = tmp_path_factory.mktemp("browser")
    with start_sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        # Without the save hook, which would hide a leak by taking it out again.
        no_hook = "--ServerApp.jpserver_extensions={'mistral_nb': False}"
        with start_server(env, folder / "notebooks", no_hook) as server:
            yield server, browser, sandbox, env


@pytest.fixture(scope="module", params=["lab", "notebook"])
def stage(request, world) -> Iterator["Stage"]:
    """One page with a cell for each scene, the extension loaded."""
    server, browser, sandbox, env = world
    shutil.rmtree(server.folder.parent / "mistral-nb", ignore_errors=True)
    with open_notebook(browser, server, SCENES, lab=request.param == "lab") as notebook:
        yield Stage(notebook, sandbox, request.param, env)


@pytest.fixture(autouse=True)
def begins_and_ends(stage) -> Iterator[None]:
    """A scene begins in an idle kernel that has loaded the extension, and one that fails leaves no card behind."""
    stage.load()
    yield
    stage.sandbox.set_fault(None)
    stage.end_cells()


class Stage:
    def __init__(self, notebook: Notebook, sandbox: Sandbox, host: str, env: dict[str, str]) -> None:
        self.notebook, self.sandbox, self.host, self.env = notebook, sandbox, host, env
        self.page = notebook.page
        self._loaded_in: str | None = None
        self.restarts = 0

    def load(self) -> None:
        """Load the extension, unless this kernel has it."""
        kernel = f"{self._kernels()[0]['id']} {self.restarts}"
        if self._loaded_in != kernel:
            self.notebook.run(LOAD)
            self.notebook.wait_done(LOAD)
            self._loaded_in = kernel

    def end_cells(self) -> None:
        for kernel in self._kernels():
            if kernel["execution_state"] == "busy":
                self.notebook.server.ask(f"kernels/{kernel['id']}/interrupt", "POST")
        self.notebook.wait(lambda: all(kernel["execution_state"] == "idle" for kernel in self._kernels()))

    def _kernels(self) -> list[Any]:
        return [session["kernel"] for session in self.notebook.server.ask("sessions")]

    def keep(self, workspace: str) -> Key:
        """A key is stored for this workspace, by the command line."""
        key = self.sandbox.make_key()
        words = [sys.executable, "-m", "mistral_nb", "login", workspace, "--yes"]
        given = key.reveal().encode()
        subprocess.run(words, env=self.env, input=given, capture_output=True, timeout=60 * PATIENCE, check=True)
        return key

    def card(self, cell: int) -> Any:
        return self.notebook.cell(cell).locator(CARD)

    def opens(self, cell: int) -> Any:
        """Run a cell; its card, ready to be typed into."""
        self.notebook.run(cell)
        card = self.card(cell)
        card.locator("input[type=password]").wait_for(timeout=15_000 * PATIENCE)
        self.notebook.wait(
            lambda: card.get_by_label("Key", exact=True).evaluate("node => node === document.activeElement")
        )
        return card

    def has_focus(self, cell: int) -> bool:
        return self.notebook.cell(cell).evaluate("node => node.contains(document.activeElement)")

    def says(self, card: Any, text: str) -> None:
        card.get_by_text(text).first.wait_for(timeout=15_000 * PATIENCE)

    def closes(self, cell: int, text: str) -> None:
        """The card is a line of text, and no field is left."""
        self.notebook.wait(lambda: text in self.notebook.output(cell) and not self.card(cell).count())
        assert self.notebook.cell(cell).locator(".jp-Cell-outputArea input").count() == 0

    def key_in_kernel(self) -> str:
        self.notebook.run(FINGERPRINT)
        return self.notebook.wait(lambda: re.search(r"[0-9a-f]{32}", self.notebook.output(FINGERPRINT)))[0]

    def leaks(self, text: str) -> list[str]:
        self.notebook.save()
        return traces(text, self.notebook.everywhere())

    def picture(self, card: Any, name: str) -> None:
        """The card in both themes, wide and narrow; and no violation that axe knows of in either theme."""
        for theme in ("Light", "Dark"):
            self._theme(theme)
            assert violations(self.page) == []
            for width in (1200, 560) if PICTURES else ():
                self.page.set_viewport_size({"width": width, "height": 900})
                self._shoot(card, f"{self.host}-{name}-{theme.lower()}-{width}")
        self.page.set_viewport_size({"width": 1200, "height": 900})
        self._theme("Light")

    def _shoot(self, card: Any, name: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.page.wait_for_timeout(150)
            card.screenshot(path=f"{PICTURES}/{name}.png")

    def _theme(self, name: str) -> None:
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        light = "true" if name == "Light" else "false"
        if self.page.locator(f"body[data-jp-theme-light={light}]").count():
            return
        self.page.evaluate(change, f"JupyterLab {name}")
        self.page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached", timeout=10_000 * PATIENCE)
        self.page.wait_for_timeout(200)


def violations(page: Any, where: str = ".mistral-nb-card") -> list[str]:
    """What axe-core finds wrong within the card."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=where).response["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.slow
def test_a_key_is_typed_and_sent_with_enter(stage):
    key = stage.sandbox.make_key(workspace="Research", organisation="Acme")
    card = stage.opens(TYPED)
    stage.page.keyboard.type(key.reveal())
    stage.says(card, f"32 characters, ends with …{key.tail}")
    assert card.get_by_label("Workspace").input_value() == "typed"
    card.get_by_label("Name (optional)").fill("laptop")
    card.get_by_label("Expires (optional)").select_option("in 90 days")
    card.get_by_label("Key", exact=True).press("Enter")
    stage.says(card, "The API accepts the key. It belongs to workspace Research of organisation Acme.")
    stage._shoot(card, f"{stage.host}-3-accepted")
    stage.closes(TYPED, f"typed …{key.tail} · MISTRAL_API_KEY is set")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


@pytest.mark.slow
def test_a_key_is_pasted_and_sent_with_a_click(stage):
    stage.keep("kept")
    key = stage.sandbox.make_key(workspace=f"Pasted {stage.host}")
    card = stage.opens(PASTED)
    stage.page.evaluate("text => navigator.clipboard.writeText(text)", f"export MISTRAL_API_KEY={key.reveal()}\n")
    stage.page.keyboard.press("Control+V")
    stage.page.evaluate("() => navigator.clipboard.writeText('')")
    stage.says(card, f"ends with …{key.tail}")
    card.get_by_label("Workspace").fill("kept")
    stage.says(card, "it will be replaced once you confirm")
    card.get_by_label("Workspace").fill("")
    card.get_by_label("Expires (optional)").select_option("on a date …")
    card.get_by_label("Expiry date").fill("2099-01-31")
    card.get_by_role("button", name="Save").click()
    stage.closes(PASTED, f"pasted-{stage.host} …{key.tail} · MISTRAL_API_KEY is set")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


@pytest.mark.slow_except("[lab")
def test_escape_cancels_and_the_notebooks_keys_stay_out(stage):
    text = make_text()
    cells = stage.page.locator(".jp-Cell").count()
    card = stage.opens(CANCELLED)
    stage.page.keyboard.type("dd")
    assert card.get_by_label("Key", exact=True).input_value() == "dd"
    card.get_by_role("button", name="Save").focus()
    stage.page.keyboard.type("dd")
    assert stage.page.locator(".jp-Cell").count() == cells
    stage.page.keyboard.type("a")
    for text_of_the_card in ("Mistral API key", "Name (optional)", "What you type is encrypted"):
        card.get_by_text(text_of_the_card).first.click()
        stage.page.keyboard.type("ddab")
    assert stage.page.locator(".jp-Cell").count() == cells
    card.get_by_label("Key", exact=True).fill(text)
    stage.page.keyboard.press("Escape")
    stage.notebook.wait_done(CANCELLED)
    stage.notebook.wait(lambda: stage.has_focus(CANCELLED))
    stage.notebook.wait(lambda: "Cancelled; nothing was changed." in stage.notebook.output(CANCELLED))
    assert stage.page.locator(".jp-Cell").count() == cells
    assert stage.leaks(text) == []


@pytest.mark.slow
def test_the_key_is_hidden_until_a_person_shows_it_and_hidden_again_when_it_is_sent(stage):
    text = make_text()
    card = stage.opens(REFUSED)
    key = card.get_by_label("Key", exact=True)
    hidden = {"type": "password", "autocomplete": "new-password"}
    attributes = "node => ({type: node.type, autocomplete: node.autocomplete})"
    stage.page.keyboard.type(text)
    assert key.evaluate(attributes) == hidden
    card.get_by_role("button", name="Show key", pressed=False).press("Enter")
    card.get_by_role("button", name="Show key", pressed=True).wait_for()
    assert key.evaluate(attributes) == {"type": "text", "autocomplete": "off"}
    places = stage.notebook.everywhere()
    assert traces(text, {"fields": places.pop("fields")})  # negative control: it is there to be read
    assert traces(text, places) == []
    card.get_by_role("button", name="Show key").press("Space")
    assert key.evaluate(attributes) == hidden
    card.get_by_role("button", name="Show key").click()
    assert key.evaluate("node => [node.type, node.value]") == ["text", text]
    card.get_by_role("button", name="Save").click()
    stage.says(card, "The API does not accept the key")
    card.get_by_role("button", name="Show key", pressed=False).wait_for()
    assert key.evaluate(attributes) == hidden
    assert stage.leaks(text) == []


def _typed(stage: Stage) -> Any:
    card = stage.opens(CANCELLED)
    card.get_by_label("Key", exact=True).fill(make_text())
    card.get_by_label("Name (optional)").fill("laptop")
    card.get_by_label("Expires (optional)").select_option("in 90 days")
    return card


def _known_workspace(stage: Stage) -> Any:
    stage.keep("kept")
    card = stage.opens(PASTED)
    card.get_by_label("Workspace").fill("kept")
    stage.says(card, "it will be replaced once you confirm")
    return card


def _misplaced(stage: Stage) -> Any:
    card = stage.opens(PASTED)
    field = card.get_by_label("Name (optional)")
    field.fill(make_text())
    field.press("Enter")
    stage.says(card, "That looks like a key, not a name")
    return card


def _date(stage: Stage) -> Any:
    card = stage.opens(CANCELLED)
    card.get_by_label("Key", exact=True).fill(make_text())
    card.get_by_label("Expires (optional)").select_option("on a date …")
    card.get_by_role("button", name="Save").click()
    stage.says(card, "The expiry date is incomplete")
    return card


def _refused(stage: Stage) -> Any:
    card = stage.opens(CANCELLED)
    card.get_by_label("Key", exact=True).fill(make_text())
    card.get_by_role("button", name="Save").click()
    stage.says(card, "The API does not accept the key")
    return card


def _question(stage: Stage) -> Any:
    stage.keep("kept")
    key = stage.sandbox.make_key()
    card = stage.opens(KEPT)
    card.get_by_label("Key", exact=True).fill(key.reveal())
    card.get_by_role("button", name="Save").click()
    stage.says(card, f"Replace it with …{key.tail}?")
    return card


def _text(stage: Stage) -> Any:
    card = _question(stage)
    card.get_by_role("button", name="No").click()
    card.get_by_label("Another name for the new key").wait_for()
    return card


def _shown(stage: Stage) -> Any:
    card = stage.opens(CANCELLED)
    card.get_by_label("Key", exact=True).fill(make_text())
    card.get_by_role("button", name="Show key", pressed=False).click()
    card.get_by_role("button", name="Show key", pressed=True).wait_for()
    return card


STATES: dict[str, Callable[[Stage], Any]] = {
    "1-empty": lambda stage: stage.opens(CANCELLED),
    "2-typed": _typed,
    "2-shown": _shown,
    "4-known-workspace": _known_workspace,
    "4-misplaced": _misplaced,
    "4-date": _date,
    "5-refused": _refused,
    "9-question": _question,
    "9-text": _text,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STATES)
def test_the_card_is_accessible_in_both_themes(stage, name):
    stage.picture(STATES[name](stage), name)


@pytest.mark.slow
def test_the_card_is_accessible_while_mistral_is_asked(stage):
    stage.sandbox.set_fault("silent")
    card = stage.opens(CANCELLED)
    card.get_by_label("Key", exact=True).fill(make_text())
    card.get_by_role("button", name="Save").click()
    stage.says(card, "Asking Mistral about it")
    stage._shoot(card, f"{stage.host}-6-asking")
    assert violations(stage.page) == []  # in one theme: Mistral is asked for five seconds only


@pytest.mark.slow
def test_a_key_in_another_field_is_refused_and_never_leaves_the_page(stage):
    key, name = make_text(), f"{make_text()[:15]}-{make_text()[:15]}"
    card = stage.opens(PASTED)
    stage.page.keyboard.type(make_text())
    for label in ("Workspace", "Name (optional)"):
        field = card.get_by_label(label)
        field.fill(f" {key} ")
        field.press("Enter")
        stage.says(card, "That looks like a key, not a name")
        assert field.input_value() == "" and field.evaluate("node => node === document.activeElement")
        field.fill(key)
        card.get_by_label("Key", exact=True).focus()
        assert field.input_value() == ""
    card.get_by_label("Name (optional)").fill(name)
    card.get_by_label("Name (optional)").press("Enter")
    stage.says(card, "The API does not accept the key")
    assert stage.leaks(key) == []
    assert "frames" in stage.leaks(name)  # the draft comes back in clear, and the search finds it
    card.get_by_role("button", name="Cancel").click()
    stage.notebook.wait_done(PASTED)


@pytest.mark.slow
def test_the_page_and_the_kernel_agree_on_what_looks_like_a_key(stage):
    texts = [make_text() for _ in range(20)]
    texts += [
        f"name {texts[0]}!",
        texts[0][:19],
        texts[0][:24].lower(),
        fingerprint(texts[0]),
        "a-b" * 12,
        "A" * 32,
        "",
    ]
    source = card_source()
    ask = """async ([source, texts]) => {
      const page = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      return texts.map(page.keyShaped);
    }"""
    assert stage.page.evaluate(ask, [source, texts]) == [bool(key_shaped_words(text)) for text in texts]


@pytest.mark.slow
def test_saving_works_from_inside_the_card(stage):
    stage.opens(CANCELLED)
    before = stage.notebook.file.stat().st_mtime_ns
    stage.page.keyboard.press("Control+S")
    stage.notebook.wait(lambda: stage.notebook.file.stat().st_mtime_ns > before)
    stage.page.keyboard.press("Escape")
    stage.notebook.wait_done(CANCELLED)


@pytest.mark.slow
def test_an_extra_enter_does_not_cancel(stage):
    card = stage.opens(CANCELLED)
    stage.page.keyboard.type(make_text())
    stage.sandbox.set_fault("silent")
    stage.page.keyboard.press("Enter")
    stage.says(card, "Asking Mistral about it")
    stage.page.wait_for_timeout(200)
    stage.page.keyboard.press("Enter")
    for _ in range(5):  # held down
        stage.page.keyboard.down("Enter")
    stage.page.keyboard.up("Enter")
    stage.page.keyboard.press("d")
    stage.page.keyboard.press("d")
    assert card.get_by_text("Asking Mistral about it").count() and not card.get_by_text("Cancelling").count()
    card.get_by_role("button", name="Cancel").click()
    stage.says(card, "Cancelling once the kernel has finished")
    stage.notebook.wait(lambda: stage.has_focus(CANCELLED))
    stage.notebook.wait(lambda: "Cancelled; nothing was saved." in stage.notebook.output(CANCELLED))


@pytest.mark.slow
def test_an_incomplete_date_is_asked_for(stage):
    card = stage.opens(CANCELLED)
    stage.page.keyboard.type(make_text())
    card.get_by_label("Expires (optional)").select_option("on a date …")
    sent = len(stage.notebook.frames)
    for typed in ("", "01"):
        stage.page.keyboard.type(typed)
        card.get_by_role("button", name="Save").click()
        stage.says(card, "The expiry date is incomplete")
        assert card.get_by_label("Expiry date").evaluate("node => node === document.activeElement")
    assert not any(b'"answer"' in frame for frame in stage.notebook.frames[sent:])
    stage.page.keyboard.press("Escape")
    stage.notebook.wait_done(CANCELLED)


@pytest.mark.slow
def test_an_empty_field_does_nothing_and_the_cell_below_waits(stage):
    card = stage.opens(EMPTY)
    sent = len(stage.notebook.frames)
    stage.page.keyboard.press("Enter")
    card.get_by_role("button", name="Save").click()
    assert not any(b'"answer"' in frame for frame in stage.notebook.frames[sent:])
    stage.notebook.run(STATUS)
    stage.page.wait_for_timeout(300)
    assert "[*]" in stage.notebook.cell(STATUS).locator(".jp-InputPrompt").inner_text()
    card.get_by_role("button", name="Cancel").click()
    stage.notebook.wait_done(EMPTY)


@pytest.mark.slow
def test_a_refused_key_stays_in_the_form_and_may_be_saved(stage):
    text = make_text()
    card = stage.opens(REFUSED)
    stage.page.keyboard.type(text)
    card.get_by_label("Name (optional)").fill("mine")
    stage.page.keyboard.press("Enter")
    stage.says(card, "The API does not accept the key")
    assert card.get_by_role("link", name=OWN_KEYS_URL).get_attribute("href") == OWN_KEYS_URL
    assert card.get_by_label("Name (optional)").input_value() == "mine"
    assert card.get_by_label("Key", exact=True).input_value() == ""
    assert card.get_by_label("Key", exact=True).get_attribute("placeholder") == f"…{text[-4:]}, entered before"
    card.get_by_role("button", name="Keep it anyway").click()
    stage.closes(REFUSED, f"refused …{text[-4:]} · MISTRAL_API_KEY is set")
    assert stage.leaks(text) == []


@pytest.mark.slow
def test_a_lost_network_is_reported_and_loses_nothing(stage):
    key = stage.sandbox.make_key()
    stage.sandbox.set_fault("silent" if stage.host == "lab" else "hang up")
    card = stage.opens(OFFLINE)
    stage.page.keyboard.type(key.reveal())
    stage.page.keyboard.press("Enter")
    if stage.host == "lab":
        stage.says(card, "Asking Mistral about it")
    stage.says(card, "This says nothing about the key")
    stage.says(card, "MISTRAL_API_KEY is set")
    stage._shoot(card, f"{stage.host}-6-outcome")
    good = card.locator(".line.ok").inner_text()
    assert "MISTRAL_API_KEY is set" in good and "This says nothing" not in good
    stage.closes(OFFLINE, f"offline …{key.tail} · MISTRAL_API_KEY is set")
    stage.sandbox.set_fault(None)
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


@pytest.mark.slow
def test_a_question_of_the_action_is_asked_in_the_card(stage):
    stage.keep("kept")
    key = stage.sandbox.make_key()
    card = stage.opens(KEPT)
    stage.page.keyboard.type(key.reveal())
    stage.page.keyboard.press("Enter")
    stage.says(card, f"Replace it with …{key.tail}?")
    card.get_by_role("button", name="No").click()
    card.get_by_label("Another name for the new key").fill(f"other-{stage.host}")
    stage.page.keyboard.press("Enter")
    stage.closes(KEPT, f"other-{stage.host} …{key.tail} · MISTRAL_API_KEY is set")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


@pytest.mark.slow
def test_two_cards_at_once_are_two_prompts(stage):
    first, second = stage.sandbox.make_key(), stage.sandbox.make_key()
    for cell in (FIRST, SECOND):
        stage.opens(cell)
        assert "This cell does not wait" in stage.notebook.output(cell)
    for cell, key in ((SECOND, second), (FIRST, first)):
        stage.card(cell).get_by_label("Key", exact=True).fill(key.reveal())
        stage.card(cell).get_by_role("button", name="Save").click()
        stage.closes(cell, key.tail)
    assert stage.key_in_kernel() == first.fingerprint
    assert stage.leaks(first.reveal()) == stage.leaks(second.reveal()) == []


@pytest.mark.slow
def test_the_search_finds_what_is_typed_into_a_password_field_of_ipywidgets(stage):
    text = make_text()
    stage.notebook.run(PASSWORD)
    field = stage.notebook.cell(PASSWORD).locator(".jp-Cell-outputArea input[type=password]")
    field.fill(text)
    stage.notebook.wait(lambda: text.encode() in b"".join(stage.notebook.frames))
    found = stage.leaks(text)
    assert {"frames", "fields", str(stage.notebook.file), str(stage.notebook.checkpoint)} <= set(found)


@pytest.mark.slow
def test_reports_share_the_look(stage):
    for cell in (STATUS, DOCTOR):
        stage.notebook.run(cell)
        stage.notebook.wait_done(cell)
        output = stage.notebook.cell(cell).locator(".jp-RenderedHTMLCommon").last
        output.wait_for()
        for theme in ("Light", "Dark"):
            stage._theme(theme)
            stage._shoot(output, f"{stage.host}-7-{'status' if cell == STATUS else 'doctor'}-{theme.lower()}")
        assert violations(stage.page, ".jp-RenderedHTMLCommon[data-mime-type='text/html']") == []
        stage._theme("Light")


@pytest.mark.slow
def test_a_restart_of_the_kernel_leaves_no_dead_field(stage):
    text = make_text()
    card = stage.opens(EMPTY)
    stage.page.keyboard.type(text)
    stage.restarts += 1
    stage.notebook.restart_kernel()
    stage.says(card, "The kernel was restarted")
    assert card.locator("input, button").count() == 0
    stage._shoot(card, f"{stage.host}-8-restarted")
    assert stage.leaks(text) == []


@pytest.mark.slow
def test_a_card_of_an_earlier_kernel_says_so(stage):
    stage.opens(AGAIN)
    stage.notebook.wait(lambda: stage.notebook.saves_widget(AGAIN))
    stage.page.goto("about:blank")
    stage.notebook.server.shut_down_kernels()
    visit(stage.notebook, stage.host == "lab")
    card = stage.card(AGAIN)
    stage.says(card, "this form belongs to an earlier kernel of the notebook. Run the cell again.")
    assert card.locator("input, button").count() == 0
    stage._shoot(card, f"{stage.host}-8-earlier")


@pytest.mark.slow
def test_a_card_without_a_kernel_says_so_after_a_timeout(stage):
    page = stage.page.context.new_page()
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://localhost/")
    page.clock.install()
    source = card_source()
    page.evaluate(
        """async (source) => {
          const card = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
          const model = { on() {}, off() {}, get() {}, send() {} };
          document.body.append(document.createElement("div"));
          card.default.render({ model, el: document.body.lastChild });
        }""",
        source,
    )
    assert "Getting ready" in page.locator("body").inner_text()
    page.clock.fast_forward(11_000)
    assert "Run the cell again." in page.locator("body").inner_text()
    page.close()


@pytest.mark.slow
def test_a_page_that_is_reloaded_shows_the_card_again_and_then_only_text(stage):
    key = stage.sandbox.make_key()
    card = stage.opens(AGAIN)
    stage.page.keyboard.type(make_text()[:12])
    stage.notebook.save()
    visit(stage.notebook, stage.host == "lab")
    card = stage.card(AGAIN)
    card.locator("input[type=password]").wait_for(timeout=15_000 * PATIENCE)
    assert card.get_by_label("Key", exact=True).input_value() == ""
    card.get_by_label("Key", exact=True).fill(key.reveal())
    card.get_by_label("Key", exact=True).press("Enter")
    stage.says(card, f"again …{key.tail} · MISTRAL_API_KEY is set")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []
    visit(stage.notebook, stage.host == "lab")
    stage.says(stage.card(AGAIN), f"again …{key.tail} · MISTRAL_API_KEY is set")
    assert stage.page.locator(".mistral-nb-card input").count() == 0
