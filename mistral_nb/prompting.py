"""An action in a notebook: asked at a plain prompt, or by the card. The magic and `public` share it."""

import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mistral_nb.actions import drive, load
from mistral_nb.actions.context import Context
from mistral_nb.commands import MAGIC, commands
from mistral_nb.errors import MistralNbError
from mistral_nb.kernel.ask import answer, can_ask
from mistral_nb.kernel.card import Attempt, Card
from mistral_nb.kernel.conversation import Channel, NoCard, Timing
from mistral_nb.kernel.widget import open_on_page, why_no_card
from mistral_nb.report import Answer, Ask, Report

CARDED = ("use", "add")
_unattended_cards: dict[str, Card] = {}  # what is open, by workspace
LATER = "This cell does not wait: the next ones may run before the key is there. %mistral_key status tells."


class Outcome(NamedTuple):
    """``shown``: the card has left the report where it was. No report: the card is still open."""

    report: Report | None
    shown: bool = False


def perform(
    shell: Any,
    name: str,
    flags: Mapping[str, object],
    *,
    card: bool | None = None,
    wait: bool = True,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Run one sub-command; ``card`` says whether the card asks, None: as it is set.

    Without ``wait`` this returns as soon as the card is shown. Raises `MistralNbError`.
    """
    context = Context(host=MAGIC, interactive=can_ask(shell), say=say)

    def attempt(answer: Callable[[Ask], Answer], show: Callable[[str], None]) -> Report:
        return drive(load(commands(MAGIC)[name])(context, **flags), answer, show)

    def plainly(ask: Ask) -> Answer:
        context.form = False  # nobody likes to be asked what is optional, one by one
        return answer(shell, ask)

    if not _card_can_ask(shell, context, name, card, wait):
        return Outcome(attempt(plainly, say))
    context.form = True
    if wait:
        return _waited(Card(lambda: open_on_page(shell, wait), plainly, say), attempt)
    return _unattended(shell, attempt, say, str(flags.get("workspace") or ""))


def _card_can_ask(shell: Any, context: Context, name: str, wish: bool | None, wait: bool) -> bool:
    """Whether the card is wished for and possible; if only wished for, that is said in a sentence."""
    if name not in CARDED or not (context.config.prompt == "widget" if wish is None else wish):
        return False
    if getattr(shell, "kernel", None) is not None and not context.interactive:
        return False  # nobody is there at all: the action knows the ways out
    reason = why_no_card(shell, wait)
    if reason and (wish or getattr(shell, "kernel", None) is not None):
        print(f"{reason} So a plain prompt asks.")  # noqa: T201, said before the card's place is taken by a prompt
    return not reason


def _waited(card: Card, attempt: Attempt) -> Outcome:
    try:
        report = card.run(attempt)
        return Outcome(report, shown=card.left)
    finally:
        card.close()


def _unattended(shell: Any, attempt: Attempt, say: Callable[[str], None], workspace: str) -> Outcome:
    """In a thread; what comes of it before a card is shown is still this cell's.

    An earlier card for this workspace ends: most often this is its cell, run again.
    """
    came: list[Outcome | BaseException] = []
    turned = threading.Event()  # the card is shown, or nothing is left to do

    def open_channel() -> Channel:
        channel = open_on_page(shell, wait=False)
        turned.set()
        return channel

    def work() -> None:
        try:
            came.append(Outcome(card.run(attempt), shown=card.left))
        except BaseException as error:  # noqa: BLE001 - a thread has nowhere to raise to
            came.append(error)
            card.close(_last_words(error))
        finally:
            card.close()
            if _unattended_cards.get(workspace) is card:
                del _unattended_cards[workspace]
            turned.set()

    card = Card(open_channel, None, say, Timing(ready=None, gone=None))
    earlier, _unattended_cards[workspace] = _unattended_cards.get(workspace), card
    if earlier:
        earlier.withdraw()
    # In the cell's context, so that what is shown is shown below this cell.
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="mistral-nb-card", daemon=True).start()
    turned.wait()
    if card.is_open or not came:
        say(LATER)
        return Outcome(None)
    if isinstance(came[0], BaseException):
        raise came[0]
    return came[0]


def _last_words(error: BaseException) -> Report:
    if isinstance(error, NoCard):
        return Report(f"{error} Type %mistral_key, which asks at a plain prompt.")
    return Report(str(error) if isinstance(error, MistralNbError) else f"The card ended ({type(error).__name__}).")
