"""How far a rotation is: which key is active, which is pending, which workspaces keep a key."""

from mistral_nb.api.console_pages import ORGANISATION_KEYS
from mistral_nb.command_context import Context
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.rotation_journal import RotationEntry


def is_new_key_active(context: Context, intention: RotationEntry) -> bool:
    """Whether the new key has become the workspace's."""
    entry = context.key_manager.workspaces().get(intention.workspace)
    return bool(entry and intention.fingerprint and entry.fingerprint == intention.fingerprint)


def is_new_key_pending(context: Context, intention: RotationEntry) -> bool:
    """Whether the new key is stored and pending."""
    entry = context.key_manager.pending_keys().get(intention.workspace)
    return bool(entry and intention.fingerprint and entry.fingerprint == intention.fingerprint)


def workspaces_with_key(context: Context, fingerprint: str | None, key_id: str | None = None) -> list[str]:
    """The workspaces that hold a key or have it pending, so it must not be deleted. Also those that memory hides."""
    stored = context.read_index()
    places = (context.key_manager.workspaces(), context.key_manager.pending_keys(), stored.workspaces, stored.pending)
    entries = (item for place in places for item in place.items())
    same = (
        name
        for name, entry in entries
        if (fingerprint and entry.fingerprint == fingerprint) or (key_id and entry.key_id == key_id)
    )
    return list(dict.fromkeys(same))


def rotations_awaiting_deletion(context: Context, workspace: str) -> list[RotationEntry]:
    """The rotations of a workspace in which only the old key remains to be deleted."""
    return [
        intention
        for intention in rotation_journal.read_entries(context.index)
        if intention.workspace == workspace
        and (intention.step == rotation_journal.DELETE or is_new_key_active(context, intention))
    ]


def abandon_rotations(context: Context, begun: list[RotationEntry]) -> tuple[str, ...]:
    """Abandon rotations whose workspace is gone; returns sentences on what they leave at Mistral."""
    for intention in begun:
        rotation_journal.remove_entry(context.index, intention)
    return tuple(
        f"A rotation of {intention.workspace} was not finished: its old key …{intention.old_tail} may still be at "
        f"Mistral. Delete it there: {ORGANISATION_KEYS}"
        for intention in begun
        if not workspaces_with_key(context, intention.old_fingerprint)
    )
