"""``%mistral_key``: runs a sub-command from one line in a notebook and shows its report."""

import contextlib
import os
import re
from collections.abc import Callable
from typing import Any

from mistral_nb import config, environment
from mistral_nb import report as drawing
from mistral_nb.api_key import Secret, key_or_none
from mistral_nb.argument_parser import OTHER_WORDS, parse_words, unknown_command_error
from mistral_nb.command_context import Context
from mistral_nb.command_table import CLI, MAGIC, commands_for
from mistral_nb.errors import Cancelled, MistralNbError, WrongUsage
from mistral_nb.prompts.ipython import can_ask
from mistral_nb.report import Report
from mistral_nb.sensitive_text import key_shaped_words
from mistral_nb.storage.index import Index
from mistral_nb.wording import split_words

MAGIC_NAME = "mistral_key"
COMMANDS_WITH_RESULT = ("status", "list", "verify", "doctor", "usage")  # what they return, IPython shows
DRAWN_COMMANDS = ("help", "rotate", "revoke", "logout")  # shown wherever they stand in a cell; the others print


def make_line_magic(shell: Any) -> Callable[[str], Report | None]:
    """The function that IPython registers; ``%mistral_key?`` shows its docstring."""

    def mistral_key(line: str = "") -> Report | None:
        """Mistral API keys: stored outside the notebook, and kept out of what it shows and saves.

            %mistral_key                     set MISTRAL_API_KEY in this kernel; asks for a key if none is stored
            %mistral_key WORKSPACE           set this workspace's key
            %mistral_key login WORKSPACE     store another key
            %mistral_key status              which key is set, and what is protected
            %mistral_key verify              ask Mistral whether it accepts the key
            %mistral_key rotate WORKSPACE    replace a key with a new one
            %mistral_key logout WORKSPACE    delete a key from this machine

            %%mistral_key WORKSPACE          as a cell's first line: this key for this cell only

        After it, `Mistral()` finds the key. A key is never typed into a cell: the prompt hides it.
        All sub-commands: %mistral_key help. The options of one: %mistral_key help rotate. Tab completes all of them.
        """
        return run_line(shell, line)

    return mistral_key


def run_line(shell: Any, line: str) -> Report | None:
    """Run one line of the magic: a sub-command, a workspace's name, or nothing for `switch`."""
    from mistral_nb.prompts.notebook import run_command

    refuse_key_argument(shell, line)
    context = make_context(shell)
    flags = parse_words(MAGIC, split_line(line, context))
    name, as_json = flags.pop("sub_command"), flags.pop("json", False)
    wait = not flags.pop("no_wait", False)
    card = flags.pop("widget", False) or not wait or None
    try:
        outcome = run_command(shell, name, flags, card=card, wait=wait)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled; nothing was changed.") from None
    if outcome.report is None or outcome.already_shown:
        return None
    return _show_report(outcome.report, name, as_json=as_json)


def split_line(line: str, context: Context) -> list[str]:
    """The words of a line; a first word that is not a sub-command is a workspace to use."""
    try:
        words = split_words(_strip_comment(line))
    except ValueError:
        raise WrongUsage("Unbalanced quote.", "Try: %mistral_key help") from None
    if not words:
        return ["switch"]
    if words[0] in ("-h", "--help"):
        return ["help"]
    if {"-h", "--help"} & set(words):
        return ["help", words[0]]
    if words[0] in commands_for(CLI) and words[0] not in commands_for(MAGIC):
        raise WrongUsage(f"{words[0]} is for a terminal.", f"Try: !mistral-nb {words[0]} …")
    if words[0] in commands_for(MAGIC) or words[0].startswith("-"):
        return words if words[0] in commands_for(MAGIC) else ["switch", *words]
    kept = context.key_manager.workspaces()
    if words[0] in OTHER_WORDS and words[0] not in kept:
        raise unknown_command_error(MAGIC, words[0])
    import difflib  # %load_ext does not need it

    meant = difflib.get_close_matches(words[0], [*commands_for(MAGIC), *kept], n=1, cutoff=0.75)
    if words[0] not in kept and meant:
        raise WrongUsage(
            f"There is no sub-command or workspace named {words[0]}.",
            f"Did you mean: %mistral_key {meant[0]}? For a new workspace: %mistral_key switch {words[0]}",
        )
    return ["switch", *words]


def _strip_comment(line: str) -> str:
    """The line up to a ``#`` that begins a word, as in Python and in a shell; IPython passes all of it."""
    for comment in re.finditer(r"(?:^|\s)#", line):
        with contextlib.suppress(ValueError):  # inside a quote: not a comment
            split_words(line[: comment.start()])
            return line[: comment.start()]
    return line


def make_context(shell: Any) -> Context:
    return Context(host=MAGIC, interactive=can_ask(shell), say=print)


def _show_report(report: Report, command: str, as_json: bool) -> Report | None:
    if as_json:
        print(drawing.as_json(report))  # noqa: T201, a host prints
    elif command in COMMANDS_WITH_RESULT:
        return report
    elif command in DRAWN_COMMANDS:
        from IPython.display import display

        display(report)  # type: ignore[no-untyped-call]
    else:
        print(report)  # noqa: T201, a host prints
    return None


def refuse_key_argument(shell: Any, line: str) -> None:
    """A key is never an argument: remove it from the history, remember it, and report it."""
    words = key_shaped_words(line)
    if not words:
        return
    from mistral_nb.guard.ipython_history import remove_from_history

    left = ""
    for word in words:
        key = key_or_none(word)
        if key:
            environment.register_key(key, Index(config.data_folder(os.environ)))
        try:
            remove_from_history(shell, key or Secret(word))
        except MistralNbError as error:
            left = f" {error}"
    history = "It was removed from the history but is still in this cell." if not left else "It is still in this cell."
    raise WrongUsage(
        f"An argument looks like a key. {history}{left}",
        f"Delete it from the cell, and type %{MAGIC_NAME} alone: it asks for the key, masked.",
    )
