"""One file a sub-command. An action neither prints nor reads: a host drives it."""

import importlib
from collections.abc import Callable, Generator
from typing import TypeVar

from mistral_nb.commands import Command
from mistral_nb.errors import Cancelled, CannotAsk
from mistral_nb.report import Action, Answer, Ask, Step

_Outcome = TypeVar("_Outcome")


def load(command: Command) -> Callable[..., Action]:
    """A sub-command's action: a function of a Context and the flags, which returns a generator."""
    module = importlib.import_module(f"mistral_nb.actions.{command.action or command.name}")
    run: Callable[..., Action] = module.action
    return run


def drive(
    action: Generator[Ask | Step, Answer, _Outcome], answer: Callable[[Ask], Answer], show: Callable[[str], None]
) -> _Outcome:
    """Run an action to its outcome, usually a report: ``show`` gets each step's text, ``answer`` each question.

    ``answer`` returns what the person said, or raises `CannotAsk`: a question with a default is
    then answered by it, any other raises inside the action, which may know a way out.
    """
    try:
        said = next(action)
        while True:
            if isinstance(said, Step):
                show(said.text)
                said = action.send(None)
            else:
                said = _answer(action, said, answer)
    except StopIteration as stop:
        outcome: _Outcome = stop.value
        return outcome
    finally:
        action.close()


def _answer(action: Generator[Ask | Step, Answer, object], ask: Ask, answer: Callable[[Ask], Answer]) -> Ask | Step:
    try:
        given = answer(ask)
    except (KeyboardInterrupt, Cancelled) as stopped:
        return _interrupted(action, stopped)
    except CannotAsk as error:
        if ask.default is None:
            return action.throw(error)
        given = ask.default
    if ask.default is not None and given == "":
        given = ask.default
    return action.send(given)


def _interrupted(action: Generator[Ask | Step, Answer, object], stopped: BaseException) -> Ask | Step:
    """Ctrl-C or Ctrl-D at a question: an action that has changed something by then says how things stand."""
    try:
        return action.throw(KeyboardInterrupt())
    except KeyboardInterrupt:
        pass
    raise stopped if isinstance(stopped, Cancelled) else Cancelled("Cancelled; nothing was changed.") from None
