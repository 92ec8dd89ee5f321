"""`completion`: a shell's completion script, made from the table of sub-commands by shtab.

The script asks for the names of workspaces by ``completion --workspaces``: that reads the index and opens no store.
"""

from typing import TYPE_CHECKING, Any

from mistral_nb.argument_parser import make_parser
from mistral_nb.command_context import Context
from mistral_nb.command_help import HIDDEN
from mistral_nb.command_table import CLI, RUN_COMMAND, SHELLS, commands_for
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.keys.workspace_choice import is_valid_name
from mistral_nb.report import Action, Report

if TYPE_CHECKING:
    import argparse

_CALL = "mistral-nb completion --workspaces 2>/dev/null"
_FUNCTION = "_mistral_nb_workspaces"
_WORKSPACES: dict[str, Any] = {
    "bash": _FUNCTION,
    "zsh": _FUNCTION,
    "fish": f"({_CALL})",
    "preamble": {
        "bash": f'{_FUNCTION}() {{ compgen -W "$({_CALL})" -- "$1"; }}',
        "zsh": f'{_FUNCTION}() {{ compadd -- ${{(f)"$({_CALL})"}} }}',
    },
}


def action(context: Context, shell: str | None = None, workspaces: bool = False) -> Action:
    yield from ()
    if workspaces:
        return Report("", notes=tuple(filter(is_valid_name, _stored_names(context))))
    if shell is None:
        raise WrongUsage("No shell was named.", f"Give one of: {', '.join(SHELLS)}.")
    return Report("", notes=tuple(make_script(shell).splitlines()))


def make_script(shell: str) -> str:
    """The completion script for ``shell``, one of `SHELLS`."""
    import shtab

    parser = make_parser(CLI)
    for sub_commands in parser._actions:
        for sub_parser in (sub_commands.choices or {}).values():  # type: ignore[attr-defined]
            for argument in sub_parser._actions:
                _set_candidates(argument, shtab.FILE)
    return str(shtab.complete(parser, shell))


def _set_candidates(argument: "argparse.Action", files: Any) -> None:
    """What completes an argument, by its name in the usage."""
    candidates = {"WORKSPACE": _WORKSPACES, RUN_COMMAND: _WORKSPACES, "FILE": files, "PATH": files, "PATH…": files}
    if argument.metavar in candidates and argument.dest != "words":  # curl's path is one of the API
        argument.complete = candidates[str(argument.metavar)]  # type: ignore[attr-defined]
    elif argument.metavar == "SUB-COMMAND":
        argument.choices = tuple(name for name, command in commands_for(CLI).items() if name not in HIDDEN)


def _stored_names(context: Context) -> list[str]:
    try:
        return list(context.stored_workspaces())
    except MistralNbError:
        return []
