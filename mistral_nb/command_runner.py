"""One file per sub-command. An action neither prints nor reads: a host drives it."""

import importlib
from collections.abc import Callable
from typing import TypeVar

from mistral_nb.command_table import Command
from mistral_nb.errors import Cancelled, CannotAsk
from mistral_nb.printable import one_line
from mistral_nb.report import Action, Answer, Ask, Dialog, Step

_Outcome = TypeVar("_Outcome")


def load_action(command: Command) -> Callable[..., Action]:
    """A sub-command's action: a function of a Context and the flags, which returns a generator."""
    module = importlib.import_module(f"mistral_nb.commands.{command.name.replace('-', '_')}")
    run: Callable[..., Action] = module.action
    return run


def drive(action: Dialog[_Outcome], answer: Callable[[Ask], Answer], show: Callable[[str], None]) -> _Outcome:
    """Run an action to its result, usually a report: ``show`` gets each step's text, ``answer`` each question.

    ``answer`` returns what the person said, or raises `CannotAsk`: a question with a default is
    then answered by it; any other, and one that needs a person, raises inside the action, which may know a way out.
    """
    try:
        said = next(action)
        while True:
            if isinstance(said, Step):
                show(
                    said.text if said.text.startswith("\r") else one_line(said.text)
                )  # a progress bar draws over its line
                said = action.send(None)
            else:
                said = _send_answer(action, said, answer)
    except StopIteration as stop:
        outcome: _Outcome = stop.value
        return outcome
    finally:
        action.close()


def _send_answer(action: Dialog[object], ask: Ask, answer: Callable[[Ask], Answer]) -> Ask | Step:
    try:
        given = answer(ask)
    except (KeyboardInterrupt, Cancelled) as stopped:
        return _send_interrupt(action, stopped)
    except CannotAsk as error:
        if ask.default is None or ask.needs_person:
            return action.throw(error)
        given = ask.default
    if ask.default is not None and given == "":
        given = ask.default
    return action.send(given)


def _send_interrupt(action: Dialog[object], stopped: BaseException) -> Ask | Step:
    """Ctrl-C or Ctrl-D at a question: an action that has already changed something reports the current state."""
    try:
        return action.throw(KeyboardInterrupt())
    except KeyboardInterrupt:
        pass
    raise stopped if isinstance(stopped, Cancelled) else Cancelled("Cancelled; nothing was changed.") from None
