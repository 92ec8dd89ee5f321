"""The new key of a rotation: *pending* from before it is stored until it is accepted.

Then one write of the index makes it the workspace's key and retires the old one, which stays where it is:
its slot is the one not in use.
"""

from mistral_nb.api_key import Key
from mistral_nb.errors import PassphraseNeeded, StoreError, WrongPassphrase
from mistral_nb.storage import index_edits
from mistral_nb.storage.index import LIVE, RETIRED, PendingDeletion, Workspace
from mistral_nb.storage.index_edits import WorkspaceDetails
from mistral_nb.storage.key_items import KeyItems
from mistral_nb.storage.store_protocol import other_slot


def add(
    items: KeyItems, workspace: str, key: Key, details: WorkspaceDetails = None, expected: str | None = None
) -> Workspace:
    """Store a new key beside the one in use, which stays in use until `accept`.

    Raises `ConcurrentChange` where the key in use is not the one with the fingerprint ``expected``.
    """
    with items.lock(workspace):
        items.run_deletions(workspace)
        old = items.index.read().workspaces.get(workspace)
        index_edits.check_expected(workspace, old, expected)
        if old is None:
            raise index_edits.unknown_workspace_error(workspace)
        new = index_edits.make_entry(key, old.store, other_slot(old.slot), details)
        with items.index.edit() as contents:
            index_edits.drop_retired_in_slot(contents, workspace, new)
            index_edits.announce_item(contents, key, PendingDeletion(new.store, workspace, new.slot))
            contents.pending_deletions[:] = [
                left for left in contents.pending_deletions if not index_edits.is_same_item(left, workspace, new)
            ]
            contents.pending[workspace] = new
        items.get_store(new.store).put(workspace, new.slot, key)
    return new


def read(items: KeyItems, workspace: str) -> Key | None:
    """The pending key; None if there is none, or if it never reached its store."""
    entry = items.index.read().pending.get(workspace)
    return items.read(entry.store, workspace, entry.slot, entry.fingerprint) if entry else None


def accept(items: KeyItems, workspace: str, fingerprint: str, details: WorkspaceDetails = None) -> Workspace:
    """The pending key with this fingerprint becomes the workspace's, in one step; the old one is retired.

    Raises `ConcurrentChange` where another key is pending, or none, by now.
    """
    fields = details._asdict() if isinstance(details, Workspace) else dict(details or {})
    with items.lock(workspace):
        waiting = items.index.read().pending.get(workspace)
        index_edits.check_expected(workspace, waiting, fingerprint)
        if read(items, workspace) is None:
            raise StoreError(f"The new key of workspace {workspace} is not in its store.", "Rotate it again.")
        with items.index.edit() as contents:
            new = contents.pending.pop(workspace)._replace(**fields)
            old = contents.workspaces.get(workspace)
            contents.workspaces[workspace] = new
            if old and old.fingerprint != new.fingerprint:
                contents.retired.append(index_edits.make_replaced_record(workspace, old))
                if not index_edits.is_in_workspace(contents, old.fingerprint):  # it may be kept under a second name
                    index_edits.set_state(contents, old.fingerprint, LIVE, RETIRED)
        items.run_deletions(workspace)
    return new


def drop(items: KeyItems, workspace: str) -> None:
    """Delete the pending key. The key in use stays."""
    with items.lock(workspace):
        with items.index.edit() as contents:
            index_edits.drop_pending(contents, workspace)
        items.run_deletions(workspace)


def supersede(items: KeyItems, workspace: str, key: Key, store: str) -> None:
    """A pending key is superseded by ``key``. If it is another key, it is retired: it may be the only copy.

    Its slot is the one that ``key`` goes to, so it is copied. The workspace's lock is held.
    """
    waiting = items.index.read().pending.get(workspace)
    if waiting is None:
        return
    target = index_edits.make_superseded_record(workspace, waiting)
    with items.lock(target.workspace):
        try:
            found = items.get_store(waiting.store).get(workspace, waiting.slot)
        except StoreError as error:
            if waiting.store == store or isinstance(error, (PassphraseNeeded, WrongPassphrase)):
                raise
            return  # its store can't be read, and nothing takes its place there: it stays pending
        retires = found is not None and found.fingerprint == waiting.fingerprint and found != key
        if found and retires:
            with items.index.edit() as contents:
                index_edits.announce_item(contents, found, PendingDeletion(*index_edits.item_of(target)))
            items.put_announced(target.store, target.workspace, target.slot, found)
        with items.index.edit() as contents:
            index_edits.drop_pending(contents, workspace)
            if retires:
                index_edits.add_retired(contents, target)
                if not index_edits.is_in_workspace(contents, target.fingerprint):
                    index_edits.set_state(contents, target.fingerprint, LIVE, RETIRED)
