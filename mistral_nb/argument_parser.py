"""Argument parsers built from the table of sub-commands, and the error for an unknown sub-command."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from mistral_nb.command_help import HIDDEN
from mistral_nb.command_table import CLI, MAGIC, RUN_COMMAND, WORKSPACE_OPTION, Command, commands_for
from mistral_nb.errors import WrongUsage

if TYPE_CHECKING:
    import argparse

OTHER_WORDS = {  # what people may type instead of a sub-command's name
    "add": "login",
    "use": "switch",
    "forget": "logout",
    "move": "edit WORKSPACE --store STORE",
    "rename": "edit WORKSPACE --rename NAME",
    "backup": "doctor",
    "restore": "doctor",
    "whoami": "status",
    "auth": "login",
    "ls": "list",
    "rm": "logout",
    "refresh": "rotate",
}
_TERMINAL_WORDS = {"exec": "run", "version": "--version"}  # likewise, on the command line alone


def parse_words(host: str, words: Sequence[str]) -> dict[str, Any]:
    """The flags of a line by name, the sub-command's name as ``sub_command``. Raises `WrongUsage`.

    A workspace may be given by position or as ``-w``; here it is one.
    """
    flags = vars(make_parser(host).parse_args(list(words)))
    if _OPTION_NAME in flags:
        named = flags.pop(_OPTION_NAME)
        if named and flags.get("workspace") not in (None, named):
            raise WrongUsage("Two workspaces were given.", "Give one, by position or with -w.")
        flags["workspace"] = named or flags.get("workspace")
    return flags


_OPTION_NAME = "workspace_option"


def _takes_option(command: Command) -> bool:
    """Whether the workspace, which it takes by position, may also be given as ``-w``."""
    return any(flag.names == ("workspace",) or flag.metavar == RUN_COMMAND for flag in command.flags)


def make_parser(host: str) -> "argparse.ArgumentParser":
    """A parser for the host's sub-commands that raises `WrongUsage` instead of exiting."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            typed, _, command = self.prog.partition(" ")
            raise WrongUsage(
                f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"Try: {typed} help {command}".rstrip()
            )

    prog = "%mistral_key" if host == MAGIC else "mistral-nb"
    top = Parser(prog=prog, add_help=False)
    parts = top.add_subparsers(dest="sub_command", required=True, metavar="COMMAND", parser_class=Parser)
    for command in commands_for(host).values():
        listed: dict[str, Any] = (
            {} if command.name in HIDDEN else {"help": command.summary_for(host)}
        )  # what has no help is not completed
        part = parts.add_parser(command.name, add_help=False, description=command.summary_for(host), **listed)
        for flag in command.flags_for(host):
            part.add_argument(*flag.names, help=flag.help, **flag.argparse_options)
        if _takes_option(command):
            flag = WORKSPACE_OPTION
            part.add_argument(*flag.names, help=flag.help, dest=_OPTION_NAME, **flag.argparse_options)
    return top


def unknown_command_error(host: str, word: str) -> WrongUsage:
    """The error for an unknown sub-command, with a suggestion if one is similar."""
    import difflib

    if host == CLI and "switch" in (word, OTHER_WORDS.get(word)):
        return WrongUsage(
            "A command can't set another process's environment.",
            "Try: mistral-nb run WORKSPACE -- CMD…, or in a notebook: %load_ext mistral_nb",
        )
    typed = "%mistral_key" if host == MAGIC else "mistral-nb"
    similar = difflib.get_close_matches(word, commands_for(host), n=1, cutoff=0.75)
    others = OTHER_WORDS | (_TERMINAL_WORDS if host == CLI else {})
    meant = others.get(word) or (similar[0] if similar else "help")
    hint = (
        "To copy the stored keys, copy vault and workspaces.json together. Their folder" if meant == "doctor" else "Try"
    )
    return WrongUsage(f"There is no sub-command {word}.", f"{hint}: {typed} {meant}")
