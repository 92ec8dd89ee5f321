"""The yes/no question of a command, and how often a question is repeated."""

from mistral_nb.errors import CannotAsk, MistralNbError
from mistral_nb.report import Ask, Dialog

MAX_TRIES = 3  # times that a question is asked until the answer is usable


def no_confirmation(todo: str) -> CannotAsk:
    """The error of a command that needs a yes where nobody can be asked. ``todo``: how to give it on the line."""
    return CannotAsk("Confirmation required, but no terminal is available.", todo)


def confirm(
    name: str, question: str, *, default: bool = False, unattended: MistralNbError | None = None
) -> Dialog[bool]:
    """Whether the person answers yes. ``default`` is the answer to Enter.

    Where nobody can be asked it is the answer as well, unless there is an error for that, ``unattended``.
    """
    ask = Ask(
        name, question, choices=("yes", "no"), default="yes" if default else "no", needs_person=unattended is not None
    )
    try:
        answer = yield ask
    except CannotAsk:
        if unattended is None:
            raise
        raise unattended from None
    return answer == "yes"
