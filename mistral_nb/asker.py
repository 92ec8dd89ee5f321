"""Asking a person: `getpass` for what must not show, `input` for the rest. Both hosts use it."""

import getpass
import sys
import warnings

from mistral_nb.errors import Cancelled, CannotAsk
from mistral_nb.key import Secret, key_shaped
from mistral_nb.report import Answer, Ask
from mistral_nb.terminal import harmless

_SHOWN = (
    "This looks like a key, and it was not taken. This question shows what is typed: clear the screen or this "
    "output, and paste the key where it is asked for, masked.\n"
)


def ask_person(ask: Ask) -> Answer:
    """What the person says: a `Secret` for a masked question, else text, one of the choices if any.

    Raises `Cancelled` at Ctrl-D, and `CannotAsk` where typing would show on the screen.
    """
    try:
        return _masked(ask) if ask.masked else _plain(ask)
    except EOFError:
        raise Cancelled("Cancelled at the prompt; nothing was changed.") from None


def _masked(ask: Ask) -> Secret:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # its fallback shows what is typed
        try:
            return Secret(getpass.getpass(f"{harmless(ask.question)}: "))
        except getpass.GetPassWarning:
            raise CannotAsk("This terminal can't hide what is typed.") from None


def _plain(ask: Ask) -> str:
    while True:
        given = _read_line(_prompt(ask)).strip()
        if key_shaped(given):
            sys.stderr.write(_SHOWN)
            continue
        if not ask.choices or (not given and ask.default is not None):
            return given
        matches = [choice for choice in ask.choices if given and choice.startswith(given)]
        if given in ask.choices or len(matches) == 1:
            return given if given in ask.choices else matches[0]
        sys.stderr.write(f"Please answer {' or '.join(ask.choices)}.\n")


def _read_line(prompt: str) -> str:
    """As `input`; where standard output goes to a file, a person at the terminal still sees the question."""
    if sys.stdin is not None and sys.stdin.isatty() and not sys.stdout.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return input()
    return input(prompt)


def _prompt(ask: Ask) -> str:
    question = harmless(ask.question)
    if ask.choices:
        shown = "/".join(c.upper() if c == ask.default else c for c in ask.choices)
        return f"{question} [{shown}] "
    return f"{question} [{ask.default}]: " if ask.default else f"{question}: "
