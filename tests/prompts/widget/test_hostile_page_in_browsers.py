"""What a script in the page can send to the card, over the page's own connection to the kernel, in a real browser.

The script is the output of a cell. It sees every question of the card, seals as the card's own code does, and sends
what it likes: the control in each test is an honest answer that goes the same way, and is taken.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.prompts.widget.anywidget_channel import card_source
from mistral_nb.sandbox.sandbox import Sandbox
from support.browsers import Notebook, open_notebook, start_browser, start_server, visit
from support.commands import PASSPHRASE
from support.kernels import vault_environment
from support.keys import make_text
from support.patience import PATIENCE
from support.sandboxes import start_sandbox
from support.widget_page import form

SCRIPT = """
const panel = [...window.jupyterapp.shell.widgets('main')].find((widget) => widget.sessionContext);
const kernel = panel.sessionContext.session.kernel;
window.hostile = {
  asks: [],  // {comm, content}: the card's questions, each once
  kernel,
  listen(connection) {
    connection.iopubMessage.connect((_, message) => {
      const content = message.header.msg_type === 'comm_msg' ? message.content.data?.content : null;
      if (content?.kind === 'ask' && !this.asks.some((one) => one.content.to === content.to))
        this.asks.push({ comm: message.content.comm_id, content });
    });
  },
  send(connection, comm, content) {
    const header = {
      date: new Date().toISOString(), msg_id: crypto.randomUUID(), msg_type: 'comm_msg', version: '5.3',
      session: connection.clientId, username: connection.username,
    };
    const data = { method: 'custom', content };
    const message = { channel: 'shell', header, parent_header: {}, metadata: {}, content: { comm_id: comm, data } };
    connection.sendShellMessage({ ...message, buffers: [] }, false, true);
    return true;
  },
};
window.hostile.listen(kernel);
"""
SHOWS_SCRIPT = f"from IPython.display import Javascript; Javascript({SCRIPT!r})"
FINGERPRINT = "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))"
CELLS = (
    "%load_ext mistral_nb",
    SHOWS_SCRIPT,
    "%mistral_key login attacked --yes --widget",
    FINGERPRINT,
    "'the last cell'",
)
LOAD, INSTALL, LOGIN, SHOW, _ = range(len(CELLS))
CARD = ".mistral-nb-card .card"


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[tuple[Any, Any, Sandbox]]:
    folder = tmp_path_factory.mktemp("hostile")
    with start_sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_server(env, folder / "notebooks", "--ServerApp.jpserver_extensions={'mistral_nb': False}") as server:
            yield server, browser, sandbox


class HostilePage:
    """A page whose notebook shows the script."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page

    def install(self) -> None:
        for cell in (LOAD, INSTALL):
            self.notebook.run(cell)
            self.notebook.wait_done(cell)
        self.load_sealing()

    def load_sealing(self) -> None:
        """The card's own code, as any script of the page can load it."""
        self.notebook.wait(lambda: self.page.evaluate("() => Boolean(window.hostile)"))
        self.page.evaluate(
            """async (source) => {
              const code = new Blob([source], { type: 'text/javascript' });
              window.hostile.seal = (await import(URL.createObjectURL(code))).seal;
            }""",
            card_source(),
        )

    def connect_to(self, kernel: str) -> None:
        """Send, from now on, over a connection to another kernel of the server; and hear what it says."""
        self.page.evaluate(
            """async (id) => {
              const connection = window.jupyterapp.serviceManager.kernels.connectTo({ model: { id, name: 'python3' } });
              window.hostile.kernel = connection;
              window.hostile.listen(connection);
              await connection.info;
            }""",
            kernel,
        )

    def open_card(self) -> dict[str, Any]:
        """Run the cell that shows the card; its first question."""
        self.notebook.run(LOGIN)
        self.notebook.cell(LOGIN).locator(f"{CARD} input[type=password]").wait_for(timeout=15_000 * PATIENCE)
        return self.wait_for_asks(1)

    def asks(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("() => window.hostile.asks"))

    def wait_for_asks(self, count: int) -> dict[str, Any]:
        return dict(self.notebook.wait(lambda: self.asks()[count - 1 :] or None)[0])

    def seal(self, key: str, to: str, widget: str) -> dict[str, str]:
        return dict(self.page.evaluate("(given) => window.hostile.seal(...given)", [form(key), to, widget]))

    def seal_for(self, ask: dict[str, Any], key: str) -> dict[str, str]:
        return self.seal(key, ask["content"]["to"], ask["content"]["widget"])

    def make_public_key(self) -> str:
        """A point of the curve whose private half the script has."""
        ask = self.asks()[0]["content"]
        return self.seal("x", ask["to"], ask["widget"])["public"]

    def send(self, comm: str, content: Any) -> None:
        assert self.page.evaluate(
            "([comm, content]) => window.hostile.send(window.hostile.kernel, comm, content)", [comm, content]
        )

    def answer(self, comm: str, sealed: dict[str, Any]) -> None:
        self.send(comm, {"kind": "answer", **sealed})

    def closes(self, text: str) -> None:
        cell = self.notebook.cell(LOGIN)
        self.notebook.wait(lambda: text in self.notebook.output(LOGIN) and not cell.locator(CARD).count())

    def key_in_kernel(self) -> str:
        self.notebook.run(SHOW)
        return str(self.notebook.wait(lambda: re.search(r"[0-9a-f]{32}", self.notebook.output(SHOW)))[0])


@contextlib.contextmanager
def open_page(world, host: str) -> Iterator[HostilePage]:
    server, browser, _ = world
    with open_notebook(browser, server, CELLS, lab=host == "lab") as notebook:
        page = HostilePage(notebook)
        page.install()
        yield page


@pytest.fixture(params=["lab", "notebook"])
def host(request) -> str:
    return str(request.param)


@pytest.fixture
def hostile(world, host) -> Iterator[HostilePage]:
    with open_page(world, host) as page:
        yield page


def _forged(page: HostilePage, ask: dict[str, Any], text: str) -> dict[str, Any]:
    """Messages that the card did not make, and whether it asks again for each: the others are not even read."""
    good, content = page.seal_for(ask, text), ask["content"]
    return {
        "not sealed": ({"to": content["to"], "key": text}, True),
        "sealed for a page's own key": ({**good, "to": page.make_public_key()}, True),
        "sealed for another question": (page.seal(text, page.make_public_key(), content["widget"]), True),
        "sealed for another card": (page.seal(text, content["to"], "0" * 32), True),
        "altered": ({**good, "sealed": good["sealed"][:-8] + "AAAAAAA="}, True),
        "a point that is none": ({**good, "public": good["iv"]}, True),
        "oversized": ({**good, "sealed": "A" * 3_000_000}, False),
        "many parts": ({**good, **{str(number): "x" for number in range(1000)}}, False),
        "nested": ({**good, "sealed": [[[good["sealed"]]]]}, False),
    }


@pytest.mark.slow
def test_forged_replayed_late_and_oversized_messages_of_a_script_are_refused(hostile, world):
    key, forged = world[2].make_key(), make_text()
    first = hostile.open_card()
    old = hostile.seal_for(first, forged)
    count = 1
    for kind in _forged(hostile, first, forged):
        message, is_asked_again = _forged(hostile, hostile.wait_for_asks(count), forged)[kind]
        hostile.answer(first["comm"], message)
        if is_asked_again:
            count += 1
            assert "Enter it again" in hostile.wait_for_asks(count)["content"]["lines"][0], kind
    hostile.answer(first["comm"], old)  # sealed in time, sent too late
    count += 1
    assert "earlier question" in hostile.wait_for_asks(count)["content"]["lines"][0]
    assert len(hostile.asks()) == count, "what is oversized, nested or has many parts is not read"
    honest = hostile.seal_for(hostile.wait_for_asks(count), key.reveal())
    hostile.answer(first["comm"], honest)  # negative control: the same way, and as the card itself would send it
    hostile.closes(f"attacked …{key.tail} · MISTRAL_API_KEY is set")
    for replayed in (honest, hostile.seal_for(hostile.asks()[-1], forged)):
        hostile.answer(first["comm"], replayed)  # the card is gone
    assert hostile.key_in_kernel() == key.fingerprint
    assert forged not in hostile.notebook.output(LOGIN)


@pytest.mark.slow
def test_a_person_can_still_answer_after_forged_messages(hostile, world):
    key, forged = world[2].make_key(), make_text()
    ask = hostile.open_card()
    hostile.answer(ask["comm"], {"to": ask["content"]["to"], "key": forged})
    hostile.wait_for_asks(2)
    card = hostile.notebook.cell(LOGIN).locator(CARD)
    card.get_by_text("The answer is not what the widget encrypted.").wait_for(timeout=15_000 * PATIENCE)
    card.get_by_label("Key", exact=True).fill(key.reveal())
    card.get_by_label("Key", exact=True).press("Enter")
    hostile.closes(f"attacked …{key.tail} · MISTRAL_API_KEY is set")
    assert hostile.key_in_kernel() == key.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("first", ["the page that shows it first", "the second page"])
def test_of_two_pages_of_a_kernel_the_first_answer_counts(hostile, world, host, first):
    server, _, sandbox = world
    taken, refused = sandbox.make_key(), sandbox.make_key()
    ask = hostile.open_card()
    hostile.notebook.wait(lambda: hostile.notebook.saves_widget(LOGIN))
    other = Notebook(hostile.page.context.new_page(), server, hostile.notebook.name)
    visit(other, host == "lab")
    other.cell(LOGIN).locator(f"{CARD} input[type=password]").wait_for(timeout=15_000 * PATIENCE)
    pages = [hostile.notebook, other] if first.startswith("the page") else [other, hostile.notebook]
    fields = [page.cell(LOGIN).locator(CARD).get_by_label("Key", exact=True) for page in pages]
    for field, key in zip(fields, (taken, refused), strict=True):
        field.fill(key.reveal())
    late = hostile.seal_for(ask, refused.reveal())
    fields[0].press("Enter")
    hostile.answer(ask["comm"], late)  # what the other page sends at that moment
    for page in pages:
        page.wait(lambda page=page: f"attacked …{taken.tail}" in page.output(LOGIN))
        page.wait(lambda page=page: page.cell(LOGIN).locator(f"{CARD} input").count() == 0)
    hostile.answer(ask["comm"], late)
    assert hostile.key_in_kernel() == taken.fingerprint
    assert refused.tail not in hostile.notebook.output(LOGIN)


@pytest.mark.slow
def test_a_page_of_another_kernel_can_not_answer(hostile, world, host):
    server, _, sandbox = world
    key, forged = sandbox.make_key(), make_text()
    ask = hostile.open_card()
    kernels = {session["path"]: session["kernel"]["id"] for session in server.ask("sessions")}
    with open_page(world, host) as stranger:
        own = stranger.open_card()
        assert own["content"]["widget"] != ask["content"]["widget"]
        stranger.answer(ask["comm"], stranger.seal_for(ask, forged))  # to its own kernel, for the other's card
        stranger.answer(own["comm"], stranger.seal_for(ask, forged))  # its own kernel asks again: the message came
        stranger.wait_for_asks(2)
        assert len(hostile.asks()) == 1
        stranger.connect_to(kernels[hostile.notebook.name])  # a page of the same server may: then it is a second page
        stranger.answer(ask["comm"], stranger.seal_for(own, forged))  # sealed for its own kernel's card
        assert "earlier question" in hostile.wait_for_asks(2)["content"]["lines"][0]
        again = hostile.wait_for_asks(2)
        moved = {**stranger.seal_for(own, forged), "to": again["content"]["to"]}
        stranger.answer(ask["comm"], moved)
        assert "not what the widget encrypted" in hostile.wait_for_asks(3)["content"]["lines"][0]
        stranger.answer(ask["comm"], stranger.seal_for(hostile.wait_for_asks(3), key.reveal()))  # negative control
        hostile.closes(f"attacked …{key.tail} · MISTRAL_API_KEY is set")
        assert hostile.key_in_kernel() == key.fingerprint  # here: both kernels end with the stranger's page
