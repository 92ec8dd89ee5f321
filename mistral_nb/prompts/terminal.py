"""The terminal: text that is safe to print there, and prompts: `getpass` for secrets, `input` for the rest."""

from __future__ import annotations

import sys

from mistral_nb.errors import Cancelled, CannotAsk
from mistral_nb.printable import one_line, safe_lines

_MAX_ANSWERS = 3
# Importing typing costs 10 ms, and hooks call us once a file: what only prompts need is imported there.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from mistral_nb.api_key import Secret
    from mistral_nb.report import Answer, Ask

_KEY_TYPED_IN_CLEAR = (
    "This looks like a key and was discarded. This prompt shows what is typed: clear the screen or this "
    "output, and paste the key at the masked prompt.\n"
)


def write_line(stream: TextIO, text: str, paint: Callable[[str], str] | None = None) -> None:
    """Print a line, also where the terminal's encoding lacks a tick or an ellipsis; ``paint`` adds the colours."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = safe_lines(text).encode(encoding, "replace").decode(encoding)
    print(paint(shown) if paint else shown, file=stream, flush=True)


def ask_person(ask: Ask) -> Answer:
    """The answer: a `Secret` for a masked question, otherwise text, one of the choices if there are any.

    Raises `Cancelled` on Ctrl-D and after three answers that are no choice, and `CannotAsk` if typing would be visible.
    """
    try:
        return _ask_masked(ask) if ask.masked else _ask_visible(ask)
    except EOFError:
        raise Cancelled("Cancelled at the prompt; nothing was changed.") from None


def _ask_masked(ask: Ask) -> Secret:
    import getpass
    import warnings

    from mistral_nb.api_key import Secret

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # its fallback shows what is typed
        try:
            return Secret(getpass.getpass(f"{one_line(ask.question)}: "))
        except getpass.GetPassWarning:
            raise CannotAsk("This terminal can't hide input.") from None


def _ask_visible(ask: Ask) -> str:
    from mistral_nb.sensitive_text import key_shaped_words

    for _ in range(_MAX_ANSWERS):
        given = _read_line(_format_prompt(ask)).strip()
        if key_shaped_words(given):
            sys.stderr.write(_KEY_TYPED_IN_CLEAR)
            continue
        if not ask.choices or (not given and ask.default is not None):
            return given
        chosen = _find_choice(given, ask.choices)
        if chosen:
            return chosen
        sys.stderr.write(f"Please answer {' or '.join(map(one_line, ask.choices))}.\n")
    raise Cancelled("No valid answer was given; cancelled.")


def _find_choice(given: str, choices: Sequence[str]) -> str:
    """The choice that was typed: its name, its number, or a beginning that only it has; "" for none."""
    if given in choices:
        return given
    if given.isdecimal() and 1 <= int(given) <= len(choices) and not _is_yes_or_no(choices):
        return choices[int(given) - 1]
    matches = [choice for choice in choices if given and choice.startswith(given)]
    return matches[0] if len(matches) == 1 else ""


def _is_yes_or_no(choices: Sequence[str]) -> bool:
    return tuple(choices) == ("yes", "no")


def _read_line(prompt: str) -> str:
    """Like `input`, but the prompt is visible on the terminal even if standard output goes to a file."""
    if sys.stdin is not None and sys.stdin.isatty() and not sys.stdout.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return input()
    return input(prompt)


def _format_prompt(ask: Ask) -> str:
    question = one_line(ask.question)
    if _is_yes_or_no(ask.choices):
        return f"{question} [{'/'.join(c.upper() if c == ask.default else c for c in ask.choices)}] "
    if ask.choices:
        numbered = ", ".join(f"{number} {choice}" for number, choice in enumerate(ask.choices, 1))
        enter = f"; Enter = {ask.default}" if ask.default else ""
        return f"{question} [{one_line(numbered + enter)}] "
    return f"{question} [{one_line(ask.default)}]: " if ask.default else f"{question}: "
