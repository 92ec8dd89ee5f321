"""Retired and compromised keys that are still stored, to ask Mistral whether they were deleted there.

A compromised key is stored under a name that no workspace has. Both go when Mistral refuses them.
"""

from mistral_nb.errors import StoreError
from mistral_nb.storage import index_edits
from mistral_nb.storage.index import COMPROMISED, PendingDeletion, RetiredKey, Workspace
from mistral_nb.storage.key_items import KeyItems


def drop(items: KeyItems, retired: RetiredKey) -> None:
    """Delete a retired key; its fingerprint stays."""
    with items.lock(retired.workspace):
        with items.index.edit() as contents:
            if retired in contents.retired:
                contents.retired.remove(retired)
                index_edits.schedule_deletion(contents, PendingDeletion(*index_edits.item_of(retired)))
        problems = items.run_deletions(retired.workspace)
    if problems:
        raise problems[0]


def take_out_compromised(items: KeyItems, workspace: str, expected: str | None = None) -> RetiredKey | None:
    """Take a compromised key out of its workspace; what is kept of it, if it could be read.

    The index notes it as compromised and the workspace is gone from it, also where the store can't be
    opened: then its item goes with the next deletions, and None is returned. Raises `ConcurrentChange` where the
    key is not the one with the fingerprint ``expected``.
    """
    entry = items.require_entry(workspace)
    index_edits.check_expected(workspace, entry, expected)
    target = index_edits.make_revoked_record(workspace, entry)
    with items.lock(workspace), items.lock(target.workspace):
        entry = items.require_entry(workspace)
        index_edits.check_expected(workspace, entry, target.fingerprint)
        copied = _try_copy(items, entry, workspace, target)
        with items.index.edit() as contents:
            contents.workspaces.pop(workspace, None)
            index_edits.schedule_deletion(contents, PendingDeletion(entry.store, workspace, entry.slot))
            index_edits.mark_compromised(contents, entry.fingerprint)
            if copied:
                index_edits.add_retired(contents, target)
        items.run_deletions(workspace)
    return target if copied else None


def mark_compromised(items: KeyItems, retired: RetiredKey) -> RetiredKey:
    """A retired key turns out to be compromised: its copy, as `take_out_compromised` leaves it."""
    if retired.state == COMPROMISED:
        return retired
    target = index_edits.make_revoked_record(retired.former_workspace, retired)
    with items.lock(retired.workspace), items.lock(target.workspace):
        if not _try_copy(items, retired, retired.workspace, target):
            target = retired._replace(state=COMPROMISED)
        with items.index.edit() as contents:
            index_edits.mark_compromised(contents, retired.fingerprint)
            if retired in contents.retired:
                contents.retired.remove(retired)
            index_edits.add_retired(contents, target)
            index_edits.schedule_deletion(contents, PendingDeletion(*index_edits.item_of(retired)))
        items.run_deletions(retired.workspace)
    return target


def _try_copy(items: KeyItems, what: Workspace | RetiredKey, workspace: str, target: RetiredKey) -> bool:
    try:
        items.copy(what, workspace, target)
    except StoreError:  # out of use all the same
        return False
    return True
