"""Every screen of the notebook, drawn one after the other."""

from collections.abc import Iterator
from typing import Any

from mistral_nb.sandbox.sandbox import Sandbox
from support.keyboard import QUESTION, Keyboard
from support.keys import make_key

CARD = ".mistral-nb-card .card"
DRAWN = ".jp-OutputArea-output"  # of all that was drawn before
THEMES = ("Light", "Dark")


def draw_screens(hand: Keyboard, sandbox: Sandbox) -> Iterator[tuple[str, Any]]:
    """The name of each screen, and the part of the page that shows it; on the way, a key is entered, replaced,
    revoked, and deleted. In an empty notebook whose person has no key yet."""
    first, second = sandbox.make_key("dev"), sandbox.make_key("dev")
    hand.run("%load_ext mistral_nb")
    yield from _draw(hand, "status-without-a-key", "status")
    yield from _draw_card(hand, sandbox)
    yield "question", _ask(hand, "%mistral_key")
    hand.answer(first.reveal())
    hand.wait_done()
    yield "key-set", _shown(hand)
    hand.run("import os; print(os.environ['MISTRAL_API_KEY'])")
    yield "redacted-output", _shown(hand)
    for line in ("status", "list", "list --long", "verify", "doctor", "help", "help rotate", "protect --status"):
        yield from _draw(hand, line.replace(" --", "-").replace(" ", "-"), line)
    yield from _draw(hand, "rotate", "rotate", second.reveal(), "")
    yield from _draw(hand, "edit", "edit dev --expires 5d")
    yield from _draw(hand, "status-warning", "status")
    yield from _draw(hand, "revoke", "revoke dev", "yes", "no")
    yield from _draw(hand, "status-revoked", "status")
    yield from _draw(hand, "error", "verify nowhere")
    hand.run(f"MISTRAL_API_KEY = '{make_key().reveal()}'")
    yield "key-in-a-cell", _shown(hand)
    yield from _draw(hand, "logout", "logout --all", "yes")


def _draw(hand: Keyboard, name: str, line: str, *answers: str) -> Iterator[tuple[str, Any]]:
    hand.run(f"%mistral_key {line}", *answers)
    yield name, _shown(hand)


def _draw_card(hand: Keyboard, sandbox: Sandbox) -> Iterator[tuple[str, Any]]:
    hand.write("%mistral_key login dev --widget")
    hand.page.keyboard.press("Shift+Enter")
    card = hand.page.locator(CARD)
    card.wait_for()
    yield "card", card
    card.get_by_label("Key", exact=True).fill(make_key().reveal())
    card.get_by_label("Key", exact=True).press("Enter")
    card.get_by_text("does not accept the key").wait_for()
    yield "card-refused", card
    card.get_by_role("button", name="Cancel").press("Enter")
    hand.wait_done()
    yield "card-cancelled", _shown(hand)


def _ask(hand: Keyboard, source: str) -> Any:
    hand.write(source)
    hand.page.keyboard.press("Shift+Enter")
    hand.page.locator(f"{QUESTION}:focus").wait_for()
    return _shown(hand)


def _shown(hand: Keyboard) -> Any:
    return hand.notebook.cell(hand.cells - 1).locator(".jp-Cell-outputArea")


def choose_theme(page: Any, name: str) -> None:
    """Light or Dark, from now on."""
    change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
    page.evaluate(change, f"JupyterLab {name}")
    light = "true" if name == "Light" else "false"
    page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached")
