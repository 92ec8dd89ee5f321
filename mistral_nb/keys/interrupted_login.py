"""Ctrl-C at a question after a key was verified: the key is kept all the same, and it is said where."""

from collections.abc import Mapping
from typing import Any, TypeVar

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, MistralNbError
from mistral_nb.keys import store_choice
from mistral_nb.keys.key_naming import free_name
from mistral_nb.report import Answer, Dialog
from mistral_nb.storage.store_protocol import MEMORY, store_name

_Result = TypeVar("_Result")


class QuestionInterrupted(Exception):
    """Ctrl-C or Ctrl-D was pressed at a question."""


def mark_interrupts(dialog: Dialog[_Result]) -> Dialog[_Result]:
    """``dialog``, with Ctrl-C at one of its questions raised as `QuestionInterrupted`; one elsewhere stays as it is."""
    answer: Answer = None
    refusal: CannotAsk | None = None
    try:
        while True:
            said = dialog.send(answer) if refusal is None else dialog.throw(refusal)
            answer, refusal = None, None
            try:
                answer = yield said
            except CannotAsk as error:
                refusal = error
            except KeyboardInterrupt:
                raise QuestionInterrupted from None
    except StopIteration as stop:
        result: _Result = stop.value
        return result
    finally:
        dialog.close()


def keep_anyway(context: Context, workspace: str, key: Key, details: Mapping[str, Any]) -> Cancelled:
    """Keep the key beside what is stored already, without a question; the error to raise."""
    old = context.stored_workspaces().get(workspace)
    name = workspace if old is None or old.fingerprint == key.fingerprint else free_name(context, workspace)
    open_store = store_choice.find_open_store(context)
    for store in (*((open_store,) if open_store else ()), *((MEMORY,) if context.in_notebook else ())):
        try:
            entry = context.key_manager.keep(name, key, details, store)
        except MistralNbError:
            continue
        kept = f"Cancelled; the key …{key.tail} is kept as {name} in {store_name(entry.store)}."
        return Cancelled(kept, f"To use it: {context.format_switch_command(name)}")
    todo = f"Run it again where it can be stored: {context.format_command('login')}"
    return Cancelled(f"Cancelled; the key …{key.tail} is not kept: no store is open here.", todo)
