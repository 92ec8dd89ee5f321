"""The yes/no question of a command, and how often a question is repeated."""

from mistral_nb.errors import CannotAsk, MistralNbError
from mistral_nb.report import Ask, Dialog

MAX_TRIES = 3  # times that a question is asked until the answer is usable
_DEFAULTS = {None: None, True: "yes", False: "no"}


def no_confirmation(todo: str) -> CannotAsk:
    """The error of a command that needs a yes where nobody can be asked. ``todo``: how to give it on the line."""
    return CannotAsk("Confirmation required, but no terminal is available.", todo)


def confirm(
    name: str, question: str, *, default: bool | None = None, unattended: MistralNbError | None = None
) -> Dialog[bool]:
    """Whether the person answers yes. ``default`` is the answer to Enter, and where nobody can be asked.

    Without a default, raises ``unattended`` where nobody can be asked, else `CannotAsk`.
    """
    try:
        answer = yield Ask(name, question, choices=("yes", "no"), default=_DEFAULTS[default])
    except CannotAsk:
        if unattended is None:
            raise
        raise unattended from None
    return answer == "yes"
