"""The card in JupyterLab and Notebook 7, as a person meets it; after each scene, nothing anywhere holds the key.

With MISTRAL_NB_SCREENSHOTS set to a folder, pictures of every state are written there.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting import PASSPHRASE
from browsers import Notebook, open_notebook, start_browser, start_server, visit
from kernels import vault_environment
from keys import make_text
from traces import traces

import mistral_nb
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.key import fingerprint, key_shaped

PICTURES = os.environ.get("MISTRAL_NB_SCREENSHOTS")
CARD = ".mistral-nb-card .card"
SCENES = (
    "%load_ext mistral_nb",
    "%mistral_key add typed --widget",
    "%mistral_key add --widget",
    "%mistral_key add cancelled --widget",
    "%mistral_key add empty --widget",
    "%mistral_key add refused --widget",
    "%mistral_key add offline --widget",
    "import mistral_nb; mistral_nb.prompt('first')",
    "mistral_nb.prompt('second')",
    "import os; from mistral_nb.key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))",
    "import ipywidgets; ipywidgets.Password()",
    "%mistral_key status",
    "%mistral_key doctor",
    "import mistral_nb; mistral_nb.prompt('again')",
    "'the last cell'",  # after it, a notebook adds one and puts the cursor there
)
(
    LOAD,
    TYPED,
    PASTED,
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
def world(tmp_path_factory) -> Iterator[tuple[Any, Any, Sandbox]]:
    """A server, a browser and an API for all scenes."""
    folder = tmp_path_factory.mktemp("browser")
    with Sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        # Without the save hook, which would hide a leak by taking it out again.
        no_hook = "--ServerApp.jpserver_extensions={'mistral_nb': False}"
        with start_server(env, folder / "notebooks", no_hook) as server:
            yield server, browser, sandbox


@pytest.fixture(scope="module", params=["lab", "notebook"])
def stage(request, world) -> Iterator["Stage"]:
    """One page with a cell for each scene, the extension loaded."""
    server, browser, sandbox = world
    shutil.rmtree(server.folder.parent / "mistral-nb", ignore_errors=True)
    with open_notebook(browser, server, SCENES, lab=request.param == "lab") as notebook:
        notebook.run(LOAD)
        notebook.wait_done(LOAD)
        yield Stage(notebook, sandbox, request.param)


@pytest.fixture(autouse=True)
def ends(stage) -> Iterator[None]:
    """A scene that fails leaves no card to the next one."""
    yield
    stage.sandbox.fail(None)
    for session in stage.notebook.server.ask("sessions"):
        if session["kernel"]["execution_state"] == "busy":
            stage.notebook.server.ask(f"kernels/{session['kernel']['id']}/interrupt", "POST")


class Stage:
    def __init__(self, notebook: Notebook, sandbox: Sandbox, host: str) -> None:
        self.notebook, self.sandbox, self.host = notebook, sandbox, host
        self.page = notebook.page

    def card(self, cell: int) -> Any:
        return self.notebook.cell(cell).locator(CARD)

    def opens(self, cell: int) -> Any:
        """Run a cell; its card, ready to be typed into."""
        self.notebook.run(cell)
        card = self.card(cell)
        card.locator("input[type=password]").wait_for(timeout=15_000)
        self.notebook.wait(
            lambda: card.get_by_label("Key", exact=True).evaluate("node => node === document.activeElement")
        )
        return card

    def has_focus(self, cell: int) -> bool:
        return self.notebook.cell(cell).evaluate("node => node.contains(document.activeElement)")

    def says(self, card: Any, text: str) -> None:
        card.get_by_text(text).first.wait_for(timeout=15_000)

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
        self.page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached", timeout=10_000)
        self.page.wait_for_timeout(200)


def violations(page: Any, where: str = ".mistral-nb-card") -> list[str]:
    """What axe-core finds wrong within the card."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=where).response["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


def test_a_key_is_typed_and_sent_with_enter(stage):
    key = stage.sandbox.make_key(workspace="Research", organisation="Acme")
    card = stage.opens(TYPED)
    stage.picture(card, "1-empty")
    stage.page.keyboard.type(key.reveal())
    stage.says(card, f"32 characters, ends with …{key.tail}")
    assert card.get_by_label("Workspace").input_value() == "typed"
    card.get_by_label("Name (optional)").fill("laptop")
    card.get_by_label("Expires (optional)").select_option("in 90 days")
    stage.picture(card, "2-typed")
    card.get_by_label("Key", exact=True).press("Enter")
    stage.says(card, "The API accepts the key. It belongs to workspace Research of organisation Acme.")
    stage._shoot(card, f"{stage.host}-3-accepted")
    stage.closes(TYPED, f"MISTRAL_API_KEY is set: typed …{key.tail}")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


def test_a_key_is_pasted_and_sent_with_a_click(stage):
    key = stage.sandbox.make_key(workspace=f"Pasted {stage.host}")
    card = stage.opens(PASTED)
    stage.page.evaluate("text => navigator.clipboard.writeText(text)", f"export MISTRAL_API_KEY={key.reveal()}\n")
    stage.page.keyboard.press("Control+V")
    stage.page.evaluate("() => navigator.clipboard.writeText('')")
    stage.says(card, f"ends with …{key.tail}")
    card.get_by_label("Workspace").fill("typed")
    stage.says(card, "it will be replaced, once you agree")
    stage.picture(card, "4-known-workspace")
    card.get_by_label("Workspace").fill("")
    card.get_by_label("Expires (optional)").select_option("on a date …")
    card.get_by_label("Date of expiry").fill("2099-01-31")
    card.get_by_role("button", name="Save").click()
    stage.closes(PASTED, f"MISTRAL_API_KEY is set: pasted-{stage.host} …{key.tail}")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


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


def test_a_key_in_another_field_is_refused_in_the_page_and_leaves_it_nowhere(stage):
    key, name = make_text(), f"{make_text()[:15]}-{make_text()[:15]}"
    card = stage.opens(PASTED)
    stage.page.keyboard.type(make_text())
    for label in ("Workspace", "Name (optional)"):
        field = card.get_by_label(label)
        field.fill(f" {key} ")
        field.press("Enter")
        stage.says(card, "That looks like a key, not like a name")
        assert field.input_value() == "" and field.evaluate("node => node === document.activeElement")
        field.fill(key)
        card.get_by_label("Key", exact=True).focus()
        assert field.input_value() == ""
    stage.picture(card, "4-misplaced")
    card.get_by_label("Name (optional)").fill(name)
    card.get_by_label("Name (optional)").press("Enter")
    stage.says(card, "The API does not accept the key")
    assert stage.leaks(key) == []
    assert "frames" in stage.leaks(name)  # the draft comes back in clear, and the search finds it
    card.get_by_role("button", name="Cancel").click()
    stage.notebook.wait_done(PASTED)


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
    source = (Path(mistral_nb.__file__).parent / "kernel" / "card.js").read_text("utf-8")
    ask = """async ([source, texts]) => {
      const page = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      return texts.map(page.keyShaped);
    }"""
    assert stage.page.evaluate(ask, [source, texts]) == [bool(key_shaped(text)) for text in texts]


def test_saving_works_from_inside_the_card(stage):
    stage.opens(CANCELLED)
    before = stage.notebook.file.stat().st_mtime_ns
    stage.page.keyboard.press("Control+S")
    stage.notebook.wait(lambda: stage.notebook.file.stat().st_mtime_ns > before)
    stage.page.keyboard.press("Escape")
    stage.notebook.wait_done(CANCELLED)


def test_an_enter_too_many_does_not_cancel(stage):
    card = stage.opens(CANCELLED)
    stage.page.keyboard.type(make_text())
    stage.sandbox.fail("silent")
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
    stage.says(card, "Cancelling, once the kernel is done")
    stage.notebook.wait(lambda: stage.has_focus(CANCELLED))
    stage.notebook.wait(lambda: "Cancelled; nothing was kept." in stage.notebook.output(CANCELLED))


def test_a_date_that_is_not_whole_is_asked_for(stage):
    card = stage.opens(CANCELLED)
    stage.page.keyboard.type(make_text())
    card.get_by_label("Expires (optional)").select_option("on a date …")
    sent = len(stage.notebook.frames)
    for typed in ("", "01"):
        stage.page.keyboard.type(typed)
        card.get_by_role("button", name="Save").click()
        stage.says(card, "The date of expiry is incomplete")
        assert card.get_by_label("Date of expiry").evaluate("node => node === document.activeElement")
    stage.picture(card, "4-date")
    assert not any(b'"answer"' in frame for frame in stage.notebook.frames[sent:])
    stage.page.keyboard.press("Escape")
    stage.notebook.wait_done(CANCELLED)


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


def test_a_refused_key_stays_in_the_form_and_may_be_kept(stage):
    text = make_text()
    card = stage.opens(REFUSED)
    stage.page.keyboard.type(text)
    card.get_by_label("Name (optional)").fill("mine")
    stage.page.keyboard.press("Enter")
    stage.says(card, "The API does not accept the key")
    assert card.get_by_label("Name (optional)").input_value() == "mine"
    assert card.get_by_label("Key", exact=True).input_value() == ""
    assert card.get_by_label("Key", exact=True).get_attribute("placeholder") == f"…{text[-4:]}, typed before"
    stage.picture(card, "5-refused")
    card.get_by_role("button", name="Keep it anyway").click()
    stage.closes(REFUSED, f"MISTRAL_API_KEY is set: refused …{text[-4:]}")
    assert stage.leaks(text) == []


def test_a_network_that_is_gone_is_said_and_loses_nothing(stage):
    key = stage.sandbox.make_key()
    stage.sandbox.fail("silent" if stage.host == "lab" else "hang up")
    card = stage.opens(OFFLINE)
    stage.page.keyboard.type(key.reveal())
    stage.page.keyboard.press("Enter")
    if stage.host == "lab":
        stage.says(card, "Asking Mistral about it")
        stage.picture(card, "6-asking")
    stage.says(card, "This says nothing about the key")
    stage.says(card, "MISTRAL_API_KEY is set")
    stage._shoot(card, f"{stage.host}-6-outcome")
    good = card.locator(".line.ok").inner_text()
    assert "MISTRAL_API_KEY is set" in good and "This says nothing" not in good
    stage.closes(OFFLINE, f"MISTRAL_API_KEY is set: offline …{key.tail}")
    stage.sandbox.fail(None)
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


def test_a_question_of_the_action_is_asked_in_the_card(stage):
    key = stage.sandbox.make_key()
    card = stage.opens(TYPED)  # its workspace is kept by now
    stage.page.keyboard.type(key.reveal())
    stage.page.keyboard.press("Enter")
    stage.says(card, f"Replace it by …{key.tail}?")
    stage.picture(card, "9-question")
    card.get_by_role("button", name="No").click()
    card.get_by_label("Another name for the new key").fill(f"other-{stage.host}")
    stage.picture(card, "9-text")
    stage.page.keyboard.press("Enter")
    stage.closes(TYPED, f"MISTRAL_API_KEY is set: other-{stage.host} …{key.tail}")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []


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


def test_the_search_finds_what_is_typed_into_a_password_field_of_ipywidgets(stage):
    text = make_text()
    stage.notebook.run(PASSWORD)
    field = stage.notebook.cell(PASSWORD).locator(".jp-Cell-outputArea input[type=password]")
    field.fill(text)
    stage.page.wait_for_timeout(500)
    found = stage.leaks(text)
    assert {"frames", "fields", str(stage.notebook.file), str(stage.notebook.checkpoint)} <= set(found)


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


def test_a_restart_of_the_kernel_leaves_no_dead_field(stage):
    text = make_text()
    stage.notebook.run(LOAD)
    card = stage.opens(EMPTY)
    stage.page.keyboard.type(text)
    stage.notebook.restart_kernel()
    stage.says(card, "The kernel was restarted")
    assert card.locator("input, button").count() == 0
    stage._shoot(card, f"{stage.host}-8-restarted")
    assert stage.leaks(text) == []


def test_a_card_of_an_earlier_kernel_says_so(stage):
    stage.notebook.wait(lambda: stage.notebook.server.ask("sessions")[0]["kernel"]["execution_state"] == "idle")
    stage.notebook.run(LOAD)
    stage.opens(AGAIN)
    stage.notebook.save()
    stage.page.wait_for_timeout(500)
    assert "application/vnd.jupyter.widget-view+json" in stage.notebook.file.read_text()
    stage.page.goto("about:blank")
    stage.notebook.server.shut_down_kernels()
    visit(stage.notebook, stage.host == "lab")
    card = stage.card(AGAIN)
    stage.says(card, "this card is from an earlier kernel of the notebook. Run the cell again.")
    assert card.locator("input, button").count() == 0
    stage._shoot(card, f"{stage.host}-8-earlier")


def test_where_no_front_end_tells_a_card_without_a_kernel_says_so_after_a_while(stage):
    page = stage.page.context.new_page()
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://localhost/")
    page.clock.install()
    source = (Path(mistral_nb.__file__).parent / "kernel" / "card.js").read_text("utf-8")
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


def test_a_page_that_is_reloaded_shows_the_card_again_and_then_only_text(stage):
    key = stage.sandbox.make_key()
    stage.notebook.wait(lambda: stage.notebook.server.ask("sessions")[0]["kernel"]["execution_state"] == "idle")
    stage.notebook.run(LOAD)
    card = stage.opens(AGAIN)
    stage.page.keyboard.type(make_text()[:12])
    stage.notebook.save()
    visit(stage.notebook, stage.host == "lab")
    card = stage.card(AGAIN)
    card.locator("input[type=password]").wait_for(timeout=15_000)
    assert card.get_by_label("Key", exact=True).input_value() == ""
    card.get_by_label("Key", exact=True).fill(key.reveal())
    card.get_by_label("Key", exact=True).press("Enter")
    stage.says(card, f"MISTRAL_API_KEY is set: again …{key.tail}")
    assert stage.key_in_kernel() == key.fingerprint
    assert stage.leaks(key.reveal()) == []
    visit(stage.notebook, stage.host == "lab")
    stage.says(stage.card(AGAIN), f"MISTRAL_API_KEY is set: again …{key.tail}")
    assert stage.page.locator(".mistral-nb-card input").count() == 0
