"""Whether a key may be stored in a workspace: over its current key, over a pending one, or if it was revoked."""

from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, IndexUnreadable, KeyRefused, WrongUsage
from mistral_nb.keys import workspace_choice
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.key_naming import free_name
from mistral_nb.prompts.confirm import MAX_TRIES, confirm
from mistral_nb.report import Ask, Dialog, Step
from mistral_nb.storage.index import COMPROMISED, Workspace


class StoreTarget(NamedTuple):
    """Where a new key goes; ``expected`` is the fingerprint of what was seen stored there, "" for none."""

    workspace: str
    expected: str


def choose_target(context: Context, workspace: str, key: Key, yes: bool) -> Dialog[StoreTarget]:
    """The workspace for the key. One that is occupied: is its key replaced, or does the new one get another name?"""
    for _ in range(MAX_TRIES):
        wanted = workspace if yes else (yield from _confirm_or_rename(context, workspace, key))
        if wanted == workspace:
            break
        workspace = wanted
    else:
        workspace = free_name(context, workspace)
    yield from confirm_replacing_pending(context, workspace, key, yes=yes)
    stored = stored_entry(context, workspace)
    return StoreTarget(workspace, stored.fingerprint if stored else "")


def stored_entry(context: Context, workspace: str) -> Workspace | None:
    """What is kept under this name for every process; a key in this one's memory may hide it."""
    try:
        return context.read_index().workspaces.get(workspace)
    except IndexUnreadable:  # reported where it matters
        return None


def _confirm_or_rename(context: Context, workspace: str, key: Key) -> Dialog[str]:
    """``workspace`` if there is no other key in it or it may be replaced, else another name for the new key."""
    olds = (context.stored_workspaces().get(workspace), stored_entry(context, workspace))
    for old in dict.fromkeys(old for old in olds if old and old.fingerprint != key.fingerprint):
        ask = _ask_in_form if context.has_form else _ask_name_or_yes
        name = yield from ask(context, workspace, old, key)
        if name != workspace:
            return name
    return workspace


def _ask_in_form(context: Context, workspace: str, old: Workspace, key: Key) -> Dialog[str]:
    if (yield from confirm_replacing(context, workspace, old, key)):
        return workspace
    for _ in range(MAX_TRIES):
        answer = str((yield Ask("workspace", "Another name for the new key (Enter to cancel)", default="")) or "")
        if not answer:
            break
        try:
            return _parse_other_name(answer, workspace, key)
        except WrongUsage as error:
            yield Step(str(error))
    keeps = f"Workspace {format_key(workspace, old.tail, old)} was not changed."
    raise WrongUsage(keeps, "Choose another workspace name for the new key.")


def _ask_name_or_yes(context: Context, workspace: str, old: Workspace, key: Key) -> Dialog[str]:
    """One question: yes, or the other name. A no is not the end of a key that was just typed."""
    other = free_name(context, workspace)
    held = f"Workspace {format_key(workspace, old.tail, old)} holds a key already."
    question = f"{held} Replace it with …{key.tail} (yes), or store the new key as [{other}]"
    for _ in range(MAX_TRIES):
        try:
            answer = str((yield Ask("replace", question)) or "").strip()
        except CannotAsk:
            raise _cannot_replace_error(context, workspace, old) from None
        if answer.lower() in ("y", "yes"):
            return workspace
        if answer.lower() in ("", "n", "no"):
            return other
        try:
            return _parse_other_name(answer, workspace, key)
        except WrongUsage as error:
            yield Step(str(error))
    return other


def _parse_other_name(answer: str, workspace: str, key: Key) -> str:
    """The name, which is another than ``workspace``: naming that one is not a yes to replacing its key."""
    name = workspace_choice.validate_name(answer, key)
    if name == workspace:
        raise WrongUsage(f"Workspace {workspace} holds another key.", "Choose another name.")
    return name


def confirm_replacing(context: Context, workspace: str, old: Workspace, key: Key) -> Dialog[bool]:
    """An occupied workspace: show both tails, and ask."""
    question = f"Workspace {workspace}{_ask_first_mark(old)} holds …{old.tail}. Replace it with …{key.tail}?"
    unattended = _cannot_replace_error(context, workspace, old)
    return (yield from confirm("replace", question, unattended=unattended))


def _cannot_replace_error(context: Context, workspace: str, old: Workspace) -> CannotAsk:
    return CannotAsk(
        f"Workspace {workspace}{_ask_first_mark(old)} already holds …{old.tail}; replacing it requires confirmation.",
        f"Use --yes: {context.format_command(f'login {workspace} --yes')}, "
        f"or another name: {context.format_command(f'login {free_name(context, workspace)}')}",
    )


def _ask_first_mark(entry: Workspace) -> str:
    return " (ask first)" if entry.ask_first else ""


def confirm_replacing_pending(context: Context, workspace: str, key: Key, *, yes: bool = False) -> Dialog[None]:
    """Confirm replacing a pending key, which Mistral shows only once. Raises `WrongUsage` if declined, `CannotAsk`."""
    waiting = _read_pending(context).get(workspace)
    if waiting is None or waiting.fingerprint == key.fingerprint or yes:
        return
    finish = f"Finish it first: {context.format_command(f'rotate {workspace}')}"
    begun = f"The rotation of {workspace} is unfinished: the new key …{waiting.tail} is pending"
    question = f"{begun}. Retire …{waiting.tail} and keep …{key.tail}?"
    todo = f"{finish}, or retire it: {context.format_command(f'login {workspace} --yes')}"
    unattended = CannotAsk(f"{begun}; replacing it requires confirmation.", todo)
    if not (yield from confirm("retire pending", question, unattended=unattended)):
        raise WrongUsage(f"{begun}; nothing was changed.", finish)


def refuse_while_rotating(context: Context, *workspaces: str) -> None:
    """Raises `WrongUsage` if a new key is pending: it would be orphaned."""
    for workspace in workspaces:
        waiting = _read_pending(context).get(workspace)
        if waiting:
            raise WrongUsage(
                f"The rotation of {workspace} is unfinished: the new key …{waiting.tail} is pending.",
                f"Finish it first: {context.format_command(f'rotate {workspace}')}",
            )


def confirm_revoked_key(context: Context, key: Key) -> Dialog[None]:
    """Confirm a key that was revoked here before it is used again. Raises `KeyRefused`."""
    try:
        noted = context.read_index().remembered.get(key.fingerprint)
    except IndexUnreadable:
        return
    if noted is None or noted.state != COMPROMISED:
        return
    question = f"The key …{key.tail} was revoked here as leaked. Keep it anyway?"
    if not (yield from confirm("keep revoked", question)):
        raise KeyRefused(f"The key …{key.tail} was revoked here as leaked; it was not saved.", "Create a new one.")


def _read_pending(context: Context) -> dict[str, Workspace]:
    try:
        return context.key_manager.pending_keys()
    except IndexUnreadable:  # reported where it matters
        return {}
