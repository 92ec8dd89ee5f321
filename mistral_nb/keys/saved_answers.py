"""What a person was asked once and not again: the answers in the index."""

import contextlib

from mistral_nb.command_context import Context
from mistral_nb.errors import IndexNotWritten, IndexTooNew, IndexUnreadable


def read_answer(context: Context, question: str) -> str | None:
    """An answer given earlier; nothing if the index can't be read, so it is asked again."""
    try:
        return context.read_index().choices.get(question)
    except IndexUnreadable as error:
        context.index_problem = str(error)
        return None


def save_answer(context: Context, question: str, answer: str) -> None:
    """Record an answer so that it is not asked again; a failure to do so is ignored."""
    with contextlib.suppress(IndexUnreadable, IndexTooNew, IndexNotWritten), context.index.edit() as contents:
        contents.choices[question] = answer
