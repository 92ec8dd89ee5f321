"""Index edits of a keeper, each in one step: entries, leftovers, retired keys."""

from collections.abc import Mapping
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.errors import ConcurrentChange, WrongUsage
from mistral_nb.storage.index import (
    COMPROMISED,
    LIVE,
    RETIRED,
    IndexData,
    PendingDeletion,
    RetiredKey,
    Workspace,
    make_remembered,
)
from mistral_nb.storage.store_protocol import CURRENT, NEXT

WorkspaceDetails = Workspace | Mapping[str, Any] | None  # what is noted on a key beside its place


def make_entry(key: Key, store: str, slot: str, entry: WorkspaceDetails) -> Workspace:
    """``entry`` with this key and place, whatever it had before."""
    place = {"store": store, "slot": slot, "fingerprint": key.fingerprint, "tail": key.tail}
    fields = entry._asdict() if isinstance(entry, Workspace) else dict(entry or {})
    return Workspace(**fields | place)


def announce_item(contents: IndexData, key: Key, target: PendingDeletion) -> None:
    """Record what is about to be stored where. What was to be dropped from ``seen`` stays if it comes back."""
    contents.remembered.setdefault(key.fingerprint, make_remembered(key))
    marked = (
        left._replace(forget_fingerprint="")
        for left in contents.pending_deletions
        if left.forget_fingerprint == key.fingerprint
    )
    others = [left for left in contents.pending_deletions if left.forget_fingerprint != key.fingerprint]
    contents.pending_deletions[:] = dict.fromkeys([*others, *marked, target])


def set_current(contents: IndexData, workspace: str, new: Workspace, key: Key) -> None:
    """Point the index to the new item; the old one, if any, is a leftover from here on."""
    old = contents.workspaces.get(workspace)
    contents.workspaces[workspace] = new
    contents.remembered.setdefault(key.fingerprint, make_remembered(key))
    contents.pending_deletions[:] = [
        left for left in contents.pending_deletions if not is_same_item(left, workspace, new)
    ]
    if old and not is_same_item(PendingDeletion(old.store, workspace, old.slot), workspace, new):
        schedule_deletion(contents, PendingDeletion(old.store, workspace, old.slot))
    if old and not is_stored(contents, old.fingerprint):
        set_state(contents, old.fingerprint, LIVE, RETIRED)
    set_state(contents, new.fingerprint, RETIRED, LIVE)  # taken back into use


def set_state(contents: IndexData, fingerprint: str, before: str, after: str) -> None:
    entry = contents.remembered.get(fingerprint)
    if entry and entry.state == before:
        contents.remembered[fingerprint] = entry._replace(state=after)


def mark_compromised(contents: IndexData, fingerprint: str) -> None:
    for state in (LIVE, RETIRED):
        set_state(contents, fingerprint, state, COMPROMISED)


def schedule_deletion(contents: IndexData, leftover: PendingDeletion) -> None:
    if leftover not in contents.pending_deletions:
        contents.pending_deletions.append(leftover)


def drop_pending(contents: IndexData, workspace: str) -> None:
    """Drop a pending key: its item becomes a leftover."""
    entry = contents.pending.pop(workspace, None)
    if entry:
        schedule_deletion(contents, PendingDeletion(entry.store, workspace, entry.slot))


def drop_retired_keys(contents: IndexData, workspace: str) -> set[str]:
    """Returns the names of the items that become leftovers."""
    gone = [retired for retired in contents.retired if retired.former_workspace == workspace]
    for retired in gone:
        contents.retired.remove(retired)
        schedule_deletion(contents, PendingDeletion(retired.store, retired.workspace, retired.slot))
    return {retired.workspace for retired in gone}


def drop_retired_in_slot(contents: IndexData, workspace: str, new: Workspace) -> None:
    """Drop a retired key from the slot that the new key is about to overwrite."""
    place = (new.store, workspace, new.slot)
    contents.retired[:] = [retired for retired in contents.retired if item_of(retired) != place]


def rename_workspace(contents: IndexData, workspace: str, name: str, new: Workspace) -> None:
    """``new``, whose item is stored, takes the place of ``workspace``; the old item is a leftover from here on."""
    old = contents.workspaces[workspace]
    items = [(name, new) if key == workspace else (key, value) for key, value in contents.workspaces.items()]
    contents.workspaces.clear()
    contents.workspaces.update(items)
    schedule_deletion(contents, PendingDeletion(old.store, workspace, old.slot))
    contents.pending_deletions[:] = [left for left in contents.pending_deletions if not is_same_item(left, name, new)]
    contents.retired[:] = [
        retired._replace(former_workspace=name) if retired.former_workspace == workspace else retired
        for retired in contents.retired
    ]


def free_slot(contents: IndexData, store: str, workspace: str) -> str:
    taken = {item_of(retired) for retired in contents.retired}
    return NEXT if (store, workspace, CURRENT) in taken else CURRENT


def make_revoked_record(of: str, what: Workspace | RetiredKey) -> RetiredKey:
    """The item for a compromised key: not a workspace's, so that no other key replaces it."""
    item = f"(revoked) {what.fingerprint}"
    return RetiredKey(of, what.fingerprint, what.tail, what.store, item, CURRENT, COMPROMISED, what.verified, what.kind)


def make_superseded_record(of: str, waiting: Workspace) -> RetiredKey:
    """The item for a pending key that another key superseded."""
    item = f"(aside) {waiting.fingerprint}"
    return RetiredKey(of, waiting.fingerprint, waiting.tail, waiting.store, item, CURRENT, RETIRED, kind=waiting.kind)


def make_replaced_record(of: str, old: Workspace) -> RetiredKey:
    """An old key stays where it is: its slot is the one that is not in use."""
    return RetiredKey(of, old.fingerprint, old.tail, old.store, of, old.slot, RETIRED, old.verified, old.kind)


def add_retired(contents: IndexData, retired: RetiredKey) -> None:
    """One item may be retired for several workspaces, whose key it was; for each of them once."""
    contents.pending_deletions[:] = [left for left in contents.pending_deletions if left[:3] != item_of(retired)]
    others = (
        a
        for a in contents.retired
        if (a.former_workspace, *item_of(a)) != (retired.former_workspace, *item_of(retired))
    )
    contents.retired[:] = [*others, retired]


def item_of(retired: RetiredKey) -> tuple[str, str, str]:
    return retired.store, retired.workspace, retired.slot


def check_expected(workspace: str, entry: Workspace | None, fingerprint: str | None) -> None:
    """Raises `ConcurrentChange` if the workspace's key is not the one with ``fingerprint``."""
    if fingerprint is None or fingerprint == (entry.fingerprint if entry else ""):
        return
    now = f"it now holds …{entry.tail}" if entry else "it no longer holds a key"
    raise ConcurrentChange(
        f"Workspace {workspace} was changed by another process; {now}.",
        "Nothing was changed here. See status for the current state.",
    )


def is_in_use(contents: IndexData, leftover: PendingDeletion) -> bool:
    entries = (contents.workspaces.get(leftover.workspace), contents.pending.get(leftover.workspace))
    if any(entry and is_same_item(leftover, leftover.workspace, entry) for entry in entries):
        return True
    aside = ((entry.store, entry.item, CURRENT) for entry in contents.set_aside)
    return leftover[:3] in map(item_of, contents.retired) or leftover[:3] in aside


def is_same_item(leftover: PendingDeletion, workspace: str, entry: Workspace) -> bool:
    return leftover[:3] == (entry.store, workspace, entry.slot)


def stored_fingerprints(contents: IndexData) -> frozenset[str]:
    """The fingerprints of the keys that a store keeps, in use or not."""
    return _workspace_fingerprints(contents) | {retired.fingerprint for retired in contents.retired}


def is_stored(contents: IndexData, fingerprint: str) -> bool:
    return fingerprint in stored_fingerprints(contents)


def is_in_workspace(contents: IndexData, fingerprint: str) -> bool:
    """Whether a workspace uses the key or has it pending; false for a retired one."""
    return fingerprint in _workspace_fingerprints(contents)


def _workspace_fingerprints(contents: IndexData) -> frozenset[str]:
    return frozenset(e.fingerprint for e in (*contents.workspaces.values(), *contents.pending.values()))


def rotation_pending_error(workspace: str) -> WrongUsage:
    return WrongUsage(
        f"The rotation of {workspace} is unfinished: its new key is pending.", f"First: rotate {workspace}"
    )


def unknown_workspace_error(workspace: str, todo: str = "Add one for it first.") -> WrongUsage:
    return WrongUsage(f"No key is stored for a workspace named {workspace}.", todo)
