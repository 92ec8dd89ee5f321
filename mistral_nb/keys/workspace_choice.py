"""Chooses the workspace, and confirms a project's choice."""

import re
from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.command_table import COMMANDS
from mistral_nb.errors import CannotAsk, WrongUsage
from mistral_nb.keys.saved_answers import read_answer, save_answer
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Ask, Dialog
from mistral_nb.sensitive_text import key_shaped_words
from mistral_nb.storage.index import ADMIN
from mistral_nb.storage.index_edits import unknown_workspace_error

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ANSWERS = ("yes", "no")  # where a name or yes is asked for, these are answers


class WorkspaceChoice(NamedTuple):
    """A workspace's name and the reason for it; ``name`` is None if none is stored yet."""

    name: str | None
    why: str = ""


def is_valid_name(name: str) -> bool:
    """Whether it has the characters of a workspace's name."""
    return bool(_NAME.fullmatch(name))


def validate_name(name: str, key: Key | None = None) -> str:
    """Validate a workspace name. Raises `WrongUsage` for an invalid one, or as `refuse_key_as_name`."""
    if name in _command_names():
        raise WrongUsage(f"A workspace can't be named {name}: that is a sub-command.", "Choose another name.")
    if name.lower() in _ANSWERS:
        raise WrongUsage(f"A workspace can't be named {name}: that is an answer.", "Choose another name.")
    refuse_key_as_name(name, key)
    if not is_valid_name(name):
        raise WrongUsage(
            "A workspace's name is at most 64 letters, digits, dots, dashes and underscores.",
            "Choose another name, such as dev or prod.",
        )
    return name


def confirm_near_miss(context: Context, name: str) -> Dialog[str]:
    """``name``, or the workspace that was meant: nobody is asked for a key because of a typing error.

    Raises `WrongUsage` if nobody can be asked.
    """
    import difflib

    manager, stored = context.key_manager, context.stored_workspaces()
    if context.index_problem or name in stored or name in manager.pending_keys() or manager.retired_keys(name):
        return name
    similar = difflib.get_close_matches(name, stored, n=1, cutoff=0.75)
    if not similar:
        return name
    missing = f"No key is stored for a workspace named {name}."
    unattended = WrongUsage(missing, f"Did you mean {similar[0]}?")
    question = f"{missing} Did you mean {similar[0]}?"
    meant = yield from confirm("near miss", question, default=True, unattended=unattended)
    return similar[0] if meant else name


def require_named(context: Context, command: str, name: str | None) -> str:
    """A workspace that has to be named: nobody deletes or edits the only one by leaving it out. Raises `WrongUsage`."""
    if name:
        return name
    raise WrongUsage("No workspace was named.", f"Try: {context.format_command(f'help {command}')}")


def refuse_key_as_name(name: str, key: Key | None = None) -> None:
    """Names are stored in plain text. Raises `WrongUsage` for what looks like a key, or contains the one just typed."""
    if key_shaped_words(name) or (key is not None and key.reveal() in name):
        raise WrongUsage("This looks like a key, not a name; it was discarded.", "Give a name, such as dev.")


def slugify(name: str | None) -> str:
    """A workspace's name here, from the one it has at Mistral: ``Team Research`` → ``team-research``."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", (name or "").lower()).strip("-._")[:64]
    return plain if plain and plain not in _command_names() and plain not in _ANSWERS else "default"


def _command_names() -> set[str]:
    return {command.name for command in COMMANDS}


def no_key_error(workspace: str | None, todo: str) -> WrongUsage:
    """The error for a workspace without a stored key, or for no workspace at all."""
    return unknown_workspace_error(workspace, todo) if workspace else WrongUsage("No keys are stored.", todo)


def choose_workspace(context: Context, named: str | None) -> Dialog[WorkspaceChoice]:
    """The workspace: the argument, this process's, the variable's, the project's, the only one, or ask."""
    if named:
        return WorkspaceChoice((yield from confirm_near_miss(context, validate_name(named))))
    active = context.active
    if active and active.workspace:
        return WorkspaceChoice(active.workspace, "in use in this process")
    if context.config.workspace:
        return WorkspaceChoice(validate_name(context.config.workspace), "from MISTRAL_NB_WORKSPACE")
    if context.config.project.table.get("workspace"):
        return (yield from _choose_from_project(context))
    kept = [name for name, entry in context.stored_workspaces().items() if entry.kind != ADMIN]
    if len(kept) > 1:
        return (yield from _ask_which_workspace(kept))
    return WorkspaceChoice(kept[0]) if kept else WorkspaceChoice(None)


def _choose_from_project(context: Context) -> Dialog[WorkspaceChoice]:
    project = context.config.project
    name = validate_name(str(project.table["workspace"]))
    question = f"project:{project.file}"
    if read_answer(context, question) != name:
        asked = f"{project.file} asks for the key of workspace {name}. Use it for this project?"
        unattended = CannotAsk(
            f"{project.file} asks for workspace {name}, which requires confirmation.",
            f"Choose it explicitly: {context.format_switch_command(name)}, or set MISTRAL_NB_WORKSPACE={name}.",
        )
        if not (yield from confirm("project", asked, unattended=unattended)):
            raise WrongUsage(
                f"Workspace {name} of {project.file} is not used.",
                f"Name the one you want: {context.format_switch_command('WORKSPACE')}.",
            )
        save_answer(context, question, name)
    return WorkspaceChoice(name, f"from {project.file}")


def _ask_which_workspace(kept: list[str]) -> Dialog[WorkspaceChoice]:
    try:
        answer = yield Ask("workspace", "Which workspace?", choices=tuple(kept))
    except CannotAsk:
        raise CannotAsk(
            f"There are several workspaces ({', '.join(kept)}); specify which one.",
            "Name one, or set MISTRAL_NB_WORKSPACE.",
        ) from None
    return WorkspaceChoice(str(answer))
