"""A host's parser, made from the table of sub-commands; and what is said of a word that is none of them."""

from typing import TYPE_CHECKING, NoReturn

from mistral_nb.commands import CLI, MAGIC, commands
from mistral_nb.errors import WrongUsage

if TYPE_CHECKING:
    import argparse


def parser(host: str) -> "argparse.ArgumentParser":
    """A parser of the host's sub-commands that raises `WrongUsage` in place of exiting."""
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
    for command in commands(host).values():
        part = parts.add_parser(command.name, add_help=host == CLI, description=command.does)
        for flag in command.taken(host):
            part.add_argument(*flag.names, help=flag.help, **flag.more)
    return top


def no_such(host: str, word: str) -> WrongUsage:
    """There is no sub-command of that name in a host; perhaps one that reads like it."""
    import difflib

    typed = "%mistral_key" if host == MAGIC else "mistral-nb"
    meant = difflib.get_close_matches(word, commands(host), n=1, cutoff=0.75)
    return WrongUsage(f"There is no sub-command {word}.", f"Try: {typed} {meant[0] if meant else 'help'}")
