"""Runs a sub-command in a notebook, with a plain prompt or the card, for the magic and for `python_api`."""

import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive, load_action
from mistral_nb.command_table import MAGIC, commands_for
from mistral_nb.errors import MistralNbError
from mistral_nb.prompts.ipython import ask_in_ipython, can_ask
from mistral_nb.prompts.widget.anywidget_channel import open_channel, unavailable_reason
from mistral_nb.prompts.widget.card import Card, PromptedAction
from mistral_nb.prompts.widget.conversation import Channel, Timing, WidgetUnavailable
from mistral_nb.report import Answer, Ask, Report

CARD_COMMANDS = ("switch", "login")
_unattended_cards: dict[str, Card] = {}  # what is open, by workspace
NO_WAIT_NOTE = "This cell does not wait; later cells may run before the key is set. To check: %mistral_key status"


class PromptResult(NamedTuple):
    """``shown``: the card was replaced by the report. No report: the card is still open."""

    report: Report | None
    already_shown: bool = False


def run_command(
    shell: Any,
    name: str,
    flags: Mapping[str, object],
    *,
    card: bool | None = None,
    wait: bool = True,
    say: Callable[[str], None] = print,
) -> PromptResult:
    """Run one sub-command; ``card`` says whether to use the card, None: as configured.

    Without ``wait`` this returns as soon as the card is shown. Raises `MistralNbError`.
    """
    context = Context(host=MAGIC, interactive=can_ask(shell), say=say, has_magic=shell is not None)

    def attempt(answer: Callable[[Ask], Answer], show: Callable[[str], None]) -> Report:
        return drive(load_action(commands_for(MAGIC)[name])(context, **flags), answer, show)

    def plainly(ask: Ask) -> Answer:
        context.has_form = False  # no separate question for each optional detail
        return ask_in_ipython(shell, ask)

    if not _can_use_card(shell, context, name, card, wait):
        return PromptResult(attempt(plainly, say))
    context.has_form = True
    if wait:
        return _wait_for_card(Card(lambda: open_channel(shell, wait), plainly, say), attempt)
    return _show_unattended_card(shell, attempt, say, str(flags.get("workspace") or ""))


def _can_use_card(shell: Any, context: Context, name: str, wish: bool | None, wait: bool) -> bool:
    """Whether the card is requested and possible; if it is only requested, say why it is not possible."""
    if name not in CARD_COMMANDS or not (context.config.prompt == "widget" if wish is None else wish):
        return False
    if getattr(shell, "kernel", None) is not None and not context.interactive:
        return False  # no way to prompt at all: the action knows the alternatives
    reason = unavailable_reason(shell, wait)
    if reason and (wish or getattr(shell, "kernel", None) is not None):
        print(f"{reason} Using a plain prompt instead.")  # noqa: T201, said before the card's place is taken by a prompt
    return not reason


def _wait_for_card(card: Card, attempt: PromptedAction) -> PromptResult:
    try:
        report = card.run(attempt)
        return PromptResult(report, already_shown=card.has_left_report)
    finally:
        card.close()


def _show_unattended_card(
    shell: Any, attempt: PromptedAction, say: Callable[[str], None], workspace: str
) -> PromptResult:
    """Run in a thread; output before a card is shown still belongs to this cell.

    An earlier card for this workspace is closed: usually this is its cell, run again.
    """
    came: list[PromptResult | BaseException] = []
    turned = threading.Event()  # the card is shown, or nothing is left to do

    def open_and_tell() -> Channel:
        channel = open_channel(shell, wait=False)
        turned.set()
        return channel

    def work() -> None:
        try:
            came.append(PromptResult(card.run(attempt), already_shown=card.has_left_report))
        except BaseException as error:  # noqa: BLE001 - a thread has nowhere to raise to
            came.append(error)
            card.close(_failure_report(error))
        finally:
            card.close()
            if _unattended_cards.get(workspace) is card:
                del _unattended_cards[workspace]
            turned.set()

    card = Card(open_and_tell, None, say, Timing(ready_seconds=None, gone_seconds=None))
    earlier, _unattended_cards[workspace] = _unattended_cards.get(workspace), card
    if earlier:
        earlier.withdraw()
    # In the cell's context, so that what is shown is shown below this cell.
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="mistral-nb-card", daemon=True).start()
    turned.wait()
    if card.is_open or not came:
        say(NO_WAIT_NOTE)
        return PromptResult(None)
    if isinstance(came[0], BaseException):
        raise came[0]
    return came[0]


def _failure_report(error: BaseException) -> Report:
    if isinstance(error, WidgetUnavailable):
        return Report(f"{error} Run %mistral_key for a plain prompt.")
    return Report(str(error) if isinstance(error, MistralNbError) else f"The widget failed ({type(error).__name__}).")
