"""One index and the stores it points to: finding, storing and deleting keys under a lock for each workspace.

An item is in a store before the index points to it, and the index points elsewhere before an item is
deleted. In between the index lists it as a pending deletion, which `KeyItems.run_deletions` carries out: now, or
after a kill. The lock of a workspace tells what was left behind from what is in progress.
"""

import contextlib
from collections.abc import Mapping

from mistral_nb.api_key import Key
from mistral_nb.errors import PassphraseNeeded, StoreError, StoreTimedOut, StoreUnavailable, WrongPassphrase
from mistral_nb.file_io import LOCK_SECONDS
from mistral_nb.storage.index import Index, PendingDeletion, RetiredKey, Workspace
from mistral_nb.storage.index_edits import announce_item, is_in_use, is_stored, item_of, unknown_workspace_error
from mistral_nb.storage.memory_store import MemoryIndex
from mistral_nb.storage.store_protocol import Store, other_slot


class KeyItems:
    """The keys of this machine, or with a `MemoryIndex` those of this process: what is done to them is the same."""

    def __init__(self, index: Index | MemoryIndex, stores: Mapping[str, Store]) -> None:
        self.index = index
        self.stores = stores

    def get_store(self, name: str) -> Store:
        if name not in self.stores:
            raise StoreUnavailable(
                f"The key is in a store named {name}, which this version does not know.",
                "Update mistral_nb here: pip install -U mistral_nb.",
            )
        return self.stores[name]

    def lock(self, workspace: str, seconds: float = LOCK_SECONDS) -> contextlib.AbstractContextManager[None]:
        """Hold the workspace's lock. Raises `StoreTimedOut`, `IndexNotWritten`."""
        busy = StoreTimedOut(
            f"Another process is changing the key of workspace {workspace}.",
            "Wait for it to finish, and try again.",
        )
        return self.index.hold_workspace_lock(workspace, "", seconds, busy)

    def require_entry(self, workspace: str) -> Workspace:
        entry = self.index.read().workspaces.get(workspace)
        if not entry:
            raise unknown_workspace_error(workspace)
        return entry

    def find(self, entry: Workspace | RetiredKey, workspace: str) -> Key | None:
        """The key of ``entry``: in its slot, or in the other one if a crash left it there."""
        slots = (entry.slot, other_slot(entry.slot))
        found = (self.read(entry.store, workspace, slot, entry.fingerprint) for slot in slots)
        return next(filter(None, found), None)

    def read(self, store: str, workspace: str, slot: str, fingerprint: str) -> Key | None:
        key = self.get_store(store).get(workspace, slot)
        return key if key and key.fingerprint == fingerprint else None

    def put_announced(self, store: str, workspace: str, slot: str, key: Key) -> None:
        """Store it as announced; if a locked vault refuses it, withdraw the announcement."""
        try:
            self.get_store(store).put(workspace, slot, key)
        except (PassphraseNeeded, WrongPassphrase):
            with self.index.edit() as contents:
                contents.pending_deletions[:] = [
                    left for left in contents.pending_deletions if left[:3] != (store, workspace, slot)
                ]
            raise

    def copy(self, entry: Workspace | RetiredKey, workspace: str, target: RetiredKey) -> None:
        """Copy the key into a second item, which is announced as a pending deletion until the index points to it."""
        key = self.find(entry, workspace)
        if key is None:
            raise StoreError(f"The key of workspace {workspace} (…{entry.tail}) is no longer in its store.", "")
        with self.index.edit() as contents:
            announce_item(contents, key, PendingDeletion(*item_of(target)))
        self.get_store(target.store).put(target.workspace, target.slot, key)

    def run_all_deletions(self) -> list[StoreError]:
        """Delete what earlier operations left behind; what could not be deleted, and why.

        Skips the workspaces that another process is working on. Raises as `Index.edit`.
        """
        problems: list[StoreError] = []
        for workspace in dict.fromkeys(leftover.workspace for leftover in self.index.read().pending_deletions):
            try:
                with self.lock(workspace, 0):
                    problems += self.run_deletions(workspace)
            except StoreTimedOut:
                continue
        return problems

    def run_deletions(self, workspace: str) -> list[StoreError]:
        """As `run_all_deletions`, for the workspace whose lock is held."""
        problems: list[StoreError] = []
        contents = self.index.read()
        for leftover in [left for left in contents.pending_deletions if left.workspace == workspace]:
            try:
                if not is_in_use(contents, leftover):
                    self.get_store(leftover.store).delete(workspace, leftover.slot)
            except StoreError as error:
                problems.append(error)
                continue
            with self.index.edit() as now:
                self.index.remove_stale_temp_files()
                now.pending_deletions[:] = [left for left in now.pending_deletions if left != leftover]
                if leftover.forget_fingerprint and not is_stored(now, leftover.forget_fingerprint):
                    now.remembered.pop(leftover.forget_fingerprint, None)
        return problems
