"""Stores, reads, rotates and deletes keys so that a kill at any moment leaves the old or the new one.

What is done to a key is the same on this machine and in this process's memory; the manager chooses between the two.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.errors import IndexUnreadable, MistralNbError, StoreError, StoreTimedOut, StoreUnavailable, WrongUsage
from mistral_nb.storage import index_edits, pending_keys, retired_keys, rotation_journal, set_aside
from mistral_nb.storage.index import RETIRED, Index, PendingDeletion, RetiredKey, Workspace
from mistral_nb.storage.index_edits import WorkspaceDetails
from mistral_nb.storage.key_items import KeyItems
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.store_protocol import KEYRING, MEMORY, Store, other_slot, store_name


class KeyManager:
    """The keys of an index and its stores (by name), and those in the memory of this process.

    A name that is stored is refused in memory. One that another process stores later is hidden by it here.
    """

    def __init__(self, index: Index, stores: Mapping[str, Store]) -> None:
        self.index = index
        self.stores = stores
        memory = stores.get(MEMORY)
        memory = memory if isinstance(memory, MemoryStore) else MemoryStore()
        self._stored = KeyItems(index, stores)
        self._in_memory = KeyItems(memory.index, {MEMORY: memory})

    def workspaces(self) -> dict[str, Workspace]:
        """Every workspace with a key, in a store or in memory."""
        return self.index.read().workspaces | self.memory_workspaces()

    def memory_workspaces(self) -> dict[str, Workspace]:
        """The workspaces whose keys are in this process alone: readable also where the index is not."""
        return self._in_memory.index.read().workspaces

    def read(self, workspace: str) -> Key:
        """The key of a workspace, checked against its fingerprint in the index.

        Raises `WrongUsage` for a name without a key, and a `StoreError` for one whose key is not
        where it should be.
        """
        items = self._items_of(workspace)
        entry = items.require_entry(workspace)
        for _ in range(3):  # another process may replace the key between our two reads
            try:
                found = items.find(entry, workspace)
            except StoreUnavailable as error:
                if entry.store == KEYRING:
                    raise _wrong_keyring_error(workspace, entry, error) from None
                raise
            before, entry = entry, items.require_entry(workspace)
            if found or entry == before:
                break
        if found:
            return found
        elsewhere = "Another environment or user may have stored it in a keyring of its own. "
        raise StoreError(
            f"The key of workspace {workspace} (…{entry.tail}) is not in {store_name(entry.store)}.",
            f"{elsewhere if entry.store == KEYRING else ''}Add it again.",
        )

    def keep(
        self,
        workspace: str,
        key: Key,
        entry: WorkspaceDetails = None,
        store: str = KEYRING,
        expected: str | None = None,
    ) -> Workspace:
        """Store ``key`` in ``store``; a key stored under this name before is retired.

        ``entry`` says more of it (name, expires, …). Raises a `StoreError` or `IndexNotWritten`: what
        was kept before is then kept still, and the caller has the key. With ``expected``, a
        fingerprint or "" for none, raises `ConcurrentChange` where another key is kept by now. The new key of
        a rotation that was not finished is retired. Raises `WrongUsage` for a name in memory that is stored.
        """
        if store == MEMORY:
            self._refuse_stored_name(workspace)
        self._remember(key, must=store != MEMORY)
        items = self._in_memory if store == MEMORY else self._stored
        with items.lock(workspace):
            items.run_deletions(workspace)
            now = items.index.read()
            old = now.workspaces.get(workspace)
            index_edits.check_expected(workspace, old, expected)
            same_store = old is not None and old.store == store
            slot = other_slot(old.slot) if old and same_store else index_edits.free_slot(now, store, workspace)
            new = index_edits.make_entry(key, store, slot, entry)
            pending_keys.supersede(items, workspace, key, store)
            with items.index.edit() as contents:
                index_edits.drop_retired_in_slot(contents, workspace, new)
                index_edits.announce_item(contents, key, PendingDeletion(store, workspace, slot))
            items.put_announced(store, workspace, slot, key)
            with items.index.edit() as contents:
                index_edits.set_current(contents, workspace, new, key)
            items.run_deletions(workspace)
        if items is self._stored:
            self._leave_memory(workspace, key)
            with contextlib.suppress(MistralNbError):  # the key is stored
                set_aside.drop(items, key.fingerprint)
        self._drop_retired_copies(items, new.fingerprint)
        return new

    def forget(
        self, workspace: str, forget_fingerprint: bool = False, expected: tuple[str, str] | None = None
    ) -> Workspace | None:
        """Delete a workspace's key here; with ``forget_fingerprint`` also drop it from what is remembered.

        What it was, as `workspaces` lists it; None when there was none. A `StoreError` means that the
        workspace is gone from the index and its item goes with the next deletions. With ``expected``, the
        fingerprints of the key in use and of the pending one ("" for none), raises `ConcurrentChange`
        where another is in use or pending by now.
        """
        items = self._items_of(workspace)
        elsewhere: set[str] = set()
        with items.lock(workspace):
            with items.index.edit() as contents:
                for there, mark in zip((contents.workspaces, contents.pending), expected or (), strict=False):
                    index_edits.check_expected(workspace, there.get(workspace), mark)
                entry = contents.workspaces.pop(workspace, None)
                if entry:
                    mark = entry.fingerprint if forget_fingerprint else ""
                    leftover = PendingDeletion(entry.store, workspace, entry.slot, mark)
                    index_edits.schedule_deletion(contents, leftover)
                    index_edits.drop_pending(contents, workspace)
                    elsewhere = index_edits.drop_retired_keys(contents, workspace) - {workspace}
            problems = items.run_deletions(workspace)
        for item in elsewhere:
            with items.lock(item):
                problems += items.run_deletions(item)
        if entry and forget_fingerprint and items is self._in_memory:
            with self.index.edit() as contents:
                if not index_edits.is_stored(contents, entry.fingerprint):
                    contents.remembered.pop(entry.fingerprint, None)
        if problems:
            raise problems[0]
        return entry

    def update(self, workspace: str, **fields: Any) -> Workspace:
        """Change the details of a stored key: name, organisation, expires, verified, …"""
        with self._items_of(workspace).index.edit() as contents:
            if workspace not in contents.workspaces:
                raise index_edits.unknown_workspace_error(workspace)
            contents.workspaces[workspace] = contents.workspaces[workspace]._replace(**fields)
            return contents.workspaces[workspace]

    def move(self, workspace: str, store: str) -> Workspace:
        """Move a workspace's key to another store; the old store's item is deleted."""
        entry = self._items_of(workspace).require_entry(workspace)
        if entry.store == store:
            return entry
        with self.hold_rotation_lock(workspace):
            if workspace in self.pending_keys():
                raise index_edits.rotation_pending_error(workspace)
            stored = self.index.read().workspaces.get(workspace)  # one in memory may hide it
            expected = entry.fingerprint if stored and stored.fingerprint == entry.fingerprint else ""
            return self.keep(workspace, self.read(workspace), entry, store, expected)

    def rename(self, workspace: str, name: str) -> Workspace:
        """Rename a workspace. Raises `WrongUsage` if the name is taken."""
        items = self._items_of(workspace)
        items.require_entry(workspace)
        if name in self.workspaces():
            raise _taken_error(name)
        for either in (workspace, name):
            if either in self.pending_keys():
                raise index_edits.rotation_pending_error(either)
        first, second = sorted((workspace, name))
        with self.hold_rotation_lock(workspace), items.lock(first), items.lock(second):
            renamed = self._rename(items, workspace, name)
        if items is self._in_memory:  # a rotation by Admin key is noted in the index of this machine
            with contextlib.suppress(MistralNbError), self.index.edit() as contents:
                rotation_journal.rename_workspace(contents, workspace, name)
        return renamed

    def _rename(self, items: KeyItems, workspace: str, name: str) -> Workspace:
        items.run_deletions(workspace)
        items.run_deletions(name)
        now = items.index.read()
        for either in (workspace, name):
            if either in now.pending:
                raise index_edits.rotation_pending_error(either)
        entry = items.require_entry(workspace)
        new = entry._replace(slot=index_edits.free_slot(now, entry.store, name))
        target = RetiredKey(name, entry.fingerprint, entry.tail, entry.store, name, new.slot)
        items.copy(entry, workspace, target)
        with items.index.edit() as contents:
            if name in contents.workspaces:
                raise _taken_error(name)
            index_edits.rename_workspace(contents, workspace, name, new)
            rotation_journal.rename_workspace(contents, workspace, name)
        items.run_deletions(workspace)
        return new

    def run_pending_deletions(self) -> list[StoreError]:
        """Delete what earlier operations left behind; what could not be deleted, and why. Raises as `Index.edit`."""
        return self._stored.run_all_deletions()

    # A rotation

    def hold_rotation_lock(self, workspace: str) -> contextlib.AbstractContextManager[None]:
        """Lock this workspace for a rotation, a move or a new name. Raises `StoreTimedOut` if another process does
        one of these."""
        busy = StoreTimedOut(
            f"Another process is rotating or editing the key of workspace {workspace}.",
            "Finish or cancel it there; nothing was changed here.",
        )
        return self.index.hold_workspace_lock(workspace, ".rotate", 0, busy)

    def pending_keys(self) -> dict[str, Workspace]:
        """The pending keys, by workspace."""
        return self.index.read().pending | self._in_memory.index.read().pending

    def add_pending(
        self, workspace: str, key: Key, details: WorkspaceDetails = None, expected: str | None = None
    ) -> Workspace:
        """As `pending_keys.add`."""
        items = self._items_of(workspace)
        self._remember(key, must=items is self._stored)
        return pending_keys.add(items, workspace, key, details, expected)

    def read_pending(self, workspace: str) -> Key | None:
        return pending_keys.read(self._items_of(workspace), workspace)

    def accept_pending(self, workspace: str, fingerprint: str, details: WorkspaceDetails = None) -> Workspace:
        """As `pending_keys.accept`."""
        return pending_keys.accept(self._items_of(workspace), workspace, fingerprint, details)

    def drop_pending(self, workspace: str) -> None:
        pending_keys.drop(self._items_of(workspace), workspace)

    # Keys that are out of use

    def retired_keys(self, workspace: str | None = None) -> list[RetiredKey]:
        """The retired and compromised keys, of one workspace or of all."""
        every = [*self.index.read().retired, *self._in_memory.index.read().retired]
        return [retired for retired in every if workspace in (None, retired.former_workspace)]

    def read_retired(self, retired: RetiredKey) -> Key | None:
        items = self._items_in(retired.store)
        return items.read(retired.store, retired.workspace, retired.slot, retired.fingerprint)

    def drop_retired(self, retired: RetiredKey) -> None:
        """Delete a retired key; its fingerprint stays."""
        retired_keys.drop(self._items_in(retired.store), retired)

    def keep_retired(self, retired: RetiredKey, workspace: str, entry: Workspace) -> Workspace:
        """Give a retired key its own workspace. Raises `ConcurrentChange` if that is taken."""
        key = self.read_retired(retired)
        if key is None:
            raise StoreError(f"The old key …{retired.tail} is no longer in its store.", "Nothing was changed.")
        kept = self.keep(workspace, key, entry, retired.store, expected="")
        self.drop_retired(retired)
        return kept

    def take_out_compromised(self, workspace: str, expected: str | None = None) -> RetiredKey | None:
        """As `retired_keys.take_out_compromised`."""
        return retired_keys.take_out_compromised(self._items_of(workspace), workspace, expected)

    def mark_compromised(self, fingerprint: str) -> list[RetiredKey]:
        """Mark a retired key as compromised: its copies, as `take_out_compromised` leaves them."""
        copies = [retired for retired in self.retired_keys() if retired.fingerprint == fingerprint]
        return [retired_keys.mark_compromised(self._items_in(copy.store), copy) for copy in copies]

    # Between the two

    def _items_of(self, workspace: str) -> KeyItems:
        here = self._in_memory.index.read()
        return self._in_memory if workspace in here.workspaces or workspace in here.pending else self._stored

    def _items_in(self, store: str) -> KeyItems:
        return self._in_memory if store == MEMORY else self._stored

    def _remember(self, key: Key, *, must: bool) -> None:
        """Into the index of this machine. A key in memory is kept also if that fails: a full disk loses no key."""
        with contextlib.nullcontext() if must else contextlib.suppress(MistralNbError):
            self.index.remember(key)

    def _refuse_stored_name(self, workspace: str) -> None:
        try:
            entry = self.index.read().workspaces.get(workspace)
        except IndexUnreadable:  # reported elsewhere; a key that was just typed is not lost to it
            return
        if entry is None:
            return
        raise WrongUsage(
            f"Workspace {workspace} (…{entry.tail}) is stored in {store_name(entry.store)}; "
            "a key in memory can't take its name.",
            "Choose another name for it.",
        )

    def _leave_memory(self, workspace: str, key: Key) -> None:
        """``key`` is stored under this name now: what memory had there goes, and its pending key is retired."""
        items = self._in_memory
        pending_keys.supersede(items, workspace, key, MEMORY)
        with items.index.edit() as contents:
            entry = contents.workspaces.pop(workspace, None)
            if entry:
                index_edits.schedule_deletion(contents, PendingDeletion(entry.store, workspace, entry.slot))
        items.run_deletions(workspace)

    def _drop_retired_copies(self, items: KeyItems, fingerprint: str) -> None:
        """A key that is in use again is retired no longer; one in memory alone keeps its stored copy."""
        with contextlib.suppress(MistralNbError):  # the key is kept
            for retired in self.retired_keys() if items is self._stored else items.index.read().retired:
                if retired.fingerprint == fingerprint and retired.state == RETIRED:
                    self.drop_retired(retired)


def _wrong_keyring_error(workspace: str, entry: Workspace, error: StoreUnavailable) -> StoreUnavailable:
    kept = f"The key of workspace {workspace} (…{entry.tail}) is in a keyring that can't be used from here."
    return StoreUnavailable(f"{kept} {error.failed}", error.todo)


def _taken_error(name: str) -> WrongUsage:
    return WrongUsage(f"Workspace {name} already exists.", "Choose another name.")
