"""What Tab offers after ``%mistral_key``: a matcher of IPython's completer, before all others and in their place."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mistral_nb import config
from mistral_nb.command_table import MAGIC, WORKSPACE_OPTION, Command, Flag, commands_for
from mistral_nb.errors import MistralNbError
from mistral_nb.magic.line_magic import MAGIC_NAME
from mistral_nb.storage.index import Index

_LINE = re.compile(rf"(?P<start>%%|(?:[^%#'\"]*=)?\s*%|\s*){MAGIC_NAME}[ \t]+(?P<words>.*)")
_ARGUMENTS = re.compile(r"[\w-]|$")  # anything else makes a line without % Python's, as in mistral_key = …
_FIRST = 1.0  # IPython's own matchers have 0
_CELL_FLAGS = ("--force", "--yes")


class Offer(NamedTuple):
    """``kind``: command, workspace, flag or value; front ends show it."""

    text: str
    kind: str


def install(shell: Any) -> None:
    """Add the matcher to this shell's completer; idempotent."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier=MAGIC_NAME, priority=_FIRST)  # type: ignore[untyped-decorator]
    def match(context: Any) -> dict[str, Any]:
        text = context.text_until_cursor
        offers = complete_line(text, automagic=_has_automagic(shell, context.full_text))
        return {
            "completions": [SimpleCompletion(text=offer.text, type=offer.kind) for offer in offers],
            "matched_fragment": _last_word(text),
            "ordered": True,
            "suppress": True,  # what else there is, if there is any: Python's keywords, files
        }

    uninstall(shell)
    shell.Completer.custom_matchers.append(match)


def uninstall(shell: Any) -> None:
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != MAGIC_NAME]


def _has_automagic(shell: Any, cell: str) -> bool:
    """Whether a line of this cell may be the magic's without ``%``: IPython allows it in cells of one line alone."""
    return bool(shell.automagic) and MAGIC_NAME not in shell.user_ns and len(cell.lstrip().splitlines()) <= 1


def complete_line(text: str, *, automagic: bool = True) -> list[Offer]:
    """What may stand at the end of this line of a cell; nothing if the line is not the magic's.

    ``automagic``: whether a line without ``%`` may be.
    """
    line = _LINE.fullmatch(text)
    if not line or (not line["start"].strip() and not (automagic and _ARGUMENTS.match(line["words"]))):
        return []
    last = _last_word(text)
    before = line["words"].split()[: -1 if last else None]
    table, stored = commands_for(MAGIC), _stored_workspaces()
    offers = _for_cell(table, stored) if line["start"] == "%%" else _for_line(before, table, stored)
    return [offer for offer in offers if offer.text.startswith(last) and offer.text not in before]


def _last_word(text: str) -> str:
    return re.split(r"\s", text)[-1]


def _for_cell(table: Mapping[str, Command], stored: list[Offer]) -> list[Offer]:
    flags = [flag for flag in table["switch"].flags if flag.names[0] in _CELL_FLAGS]
    return [*stored, *_flag_offers(flags)]


def _for_line(before: Sequence[str], table: Mapping[str, Command], stored: list[Offer]) -> list[Offer]:
    commands = [Offer(name, "command") for name in table]
    if not before:
        return [*commands, *stored, *_flag_offers(table["switch"].flags)]
    command = table.get(before[0], table["switch"])
    flags = [flag for flag in command.flags_for(MAGIC) if not flag.is_internal]
    if before[-1] in WORKSPACE_OPTION.names:
        return stored
    for flag in flags:
        if before[-1] in flag.names and flag.argparse_options.get("nargs", "") != "?" and _takes_value(flag):
            choices = flag.argparse_options.get("choices", ())
            return stored if flag.metavar == "WORKSPACE" else [Offer(choice, "value") for choice in choices]
    positional = {flag.names[0] for flag in flags} if before[0] in table else set()
    values = stored if "workspace" in positional else commands if "command" in positional else []
    return [*values, *_flag_offers(flags)]


def _takes_value(flag: Flag) -> bool:
    return "action" not in flag.argparse_options


def _flag_offers(flags: Sequence[Flag]) -> Iterator[Offer]:
    return (Offer(name, "flag") for flag in flags for name in flag.names if name.startswith("-"))


def _stored_workspaces() -> list[Offer]:
    try:
        return [Offer(name, "workspace") for name in Index(config.data_folder(os.environ)).read().workspaces]
    except MistralNbError:
        return []
