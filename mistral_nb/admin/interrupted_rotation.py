"""What an interrupted rotation by Admin key left at Mistral: looked up, and deleted or named.

A key whose text is lost can't be recovered: it is shown only once. A pending key in its store can.
"""

import contextlib
from datetime import UTC, datetime, timedelta

from mistral_nb.admin.client import AdminClient
from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed, MistralNbError, StoreTimedOut
from mistral_nb.keys.rotation_state import is_new_key_active, is_new_key_pending, workspaces_with_key
from mistral_nb.report import Dialog, Step
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.rotation_journal import RotationEntry

_ANSWER_TIMEOUT = timedelta(hours=1)  # a request that seemed lost may still be carried out


def recover_interrupted_rotations(
    context: Context, admin: AdminClient, locked_workspace: str | None = None
) -> Dialog[None]:
    """Finish what needs no confirmation, for every workspace not being rotated; ``held``: the one we are rotating."""
    for intention in rotation_journal.read_entries(context.index):
        try:
            ours = intention.workspace == locked_workspace
            with contextlib.nullcontext() if ours else context.key_manager.hold_rotation_lock(intention.workspace):
                yield from _recover_rotation(context, admin, intention)
        except StoreTimedOut:
            continue
        except AdminFailed as error:  # it stays noted
            yield Step(str(error))


def _recover_rotation(context: Context, admin: AdminClient, intention: RotationEntry) -> Dialog[None]:
    if (
        intention.step == rotation_journal.DELETE
        or is_new_key_active(context, intention)
        or is_new_key_pending(context, intention)
    ):
        return
    if workspaces_with_key(context, intention.fingerprint):  # under another name by now
        rotation_journal.remove_entry(context.index, intention)
        return
    if intention.key_id:
        yield from delete_orphaned_key(context, admin, intention, intention.key_id)
        return
    left = admin.find_keys(intention.name, lambda key: key.name == intention.name)
    for key in left:
        yield from delete_orphaned_key(context, admin, intention, key.key_id)
    if not left and _is_answer_lost(intention):
        rotation_journal.remove_entry(context.index, intention)


def delete_orphaned_key(context: Context, admin: AdminClient, intention: RotationEntry, key_id: str) -> Dialog[None]:
    """Delete the new key, whose text is lost, at Mistral; then drop the intention."""
    admin.delete_key(key_id)
    rotation_journal.remove_entry(context.index, intention)
    yield Step(
        f"The key {intention.name}, created by a rotation of {intention.workspace} but not in any store, "
        "is deleted at Mistral."
    )


def undo_creation(context: Context, admin: AdminClient, intention: RotationEntry, key_id: str | None) -> str:
    """After a failure, delete the new key at Mistral if possible; returns a sentence on the result."""
    try:
        named = [] if key_id else admin.find_keys(intention.name, lambda key: key.name == intention.name)
        found = [key_id] if key_id else [key.key_id for key in named]
        for each in found:
            admin.delete_key(each)
        if found:
            rotation_journal.remove_entry(context.index, intention)
            return "The key created for it was deleted at Mistral."
    except MistralNbError:
        pass
    return (
        f"A key named {intention.name} may still exist at Mistral: "
        f"{context.format_command(f'rotate {intention.workspace}')} looks for it and deletes it."
    )


def _is_answer_lost(intention: RotationEntry) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(intention.since) > _ANSWER_TIMEOUT
    except (ValueError, TypeError):
        return True
