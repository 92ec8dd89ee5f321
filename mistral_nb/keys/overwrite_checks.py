"""Whether a key may be stored in a workspace: over its current key, over a pending one, or if it was revoked."""

from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, IndexUnreadable, KeyRefused, WrongUsage
from mistral_nb.keys import workspace_choice
from mistral_nb.keys.activation_report import format_key
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Ask, Dialog, Step
from mistral_nb.storage.index import COMPROMISED, Workspace


class StoreTarget(NamedTuple):
    """Where a new key goes; ``expected`` is the fingerprint of what was seen stored there, "" for none."""

    workspace: str
    expected: str


def choose_target(context: Context, workspace: str, key: Key, yes: bool) -> Dialog[StoreTarget]:
    """The workspace for the key: an occupied one is replaced if confirmed, else another name is asked for."""
    while True:
        stays = None if yes else (yield from _entry_to_keep(context, workspace, key))
        if stays is None:
            yield from confirm_replacing_pending(context, workspace, key, yes=yes)
            stored = stored_entry(context, workspace)
            return StoreTarget(workspace, stored.fingerprint if stored else "")
        answer = str((yield Ask("workspace", "Another name for the new key (Enter to cancel)", default="")) or "")
        if not answer:
            keeps = f"Workspace {format_key(workspace, stays.tail, stays)} was not changed."
            raise WrongUsage(keeps, "Choose another workspace name for the new key.")
        try:
            workspace = workspace_choice.validate_name(answer, key)
        except WrongUsage as error:
            yield Step(str(error))


def stored_entry(context: Context, workspace: str) -> Workspace | None:
    """What is kept under this name for every process; a key in this one's memory may hide it."""
    try:
        return context.read_index().workspaces.get(workspace)
    except IndexUnreadable:  # reported where it matters
        return None


def _entry_to_keep(context: Context, workspace: str, key: Key) -> Dialog[Workspace | None]:
    """The key that stays if replacing is declined; None if there is no other key, or it may be replaced."""
    olds = (context.stored_workspaces().get(workspace), stored_entry(context, workspace))
    for old in dict.fromkeys(old for old in olds if old and old.fingerprint != key.fingerprint):
        if not (yield from confirm_replacing(context, workspace, old, key)):
            return old
    return None


def confirm_replacing(context: Context, workspace: str, old: Workspace, key: Key, todo: str = "") -> Dialog[bool]:
    """An occupied workspace: show both tails, and ask. ``todo``: what to type if there is no way to ask."""
    protected = " (ask first)" if old.ask_first else ""
    question = f"Workspace {workspace}{protected} holds …{old.tail}. Replace it with …{key.tail}?"
    unattended = CannotAsk(
        f"Workspace {workspace}{protected} already holds …{old.tail}; replacing it requires confirmation.",
        todo or f"Use --yes: {context.format_command(f'login {workspace} --yes')}",
    )
    return (yield from confirm("replace", question, unattended=unattended))


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
    if not (yield from confirm("keep revoked", question, default=False)):
        raise KeyRefused(f"The key …{key.tail} was revoked here as leaked; it was not saved.", "Create a new one.")


def _read_pending(context: Context) -> dict[str, Workspace]:
    try:
        return context.key_manager.pending_keys()
    except IndexUnreadable:  # reported where it matters
        return {}
