"""Keeping, reading and forgetting keys, so that a kill at any moment leaves the old or the new one.

An item is in a store before the index points to it, and the index points elsewhere before an item is
deleted. In between, the index lists it as unfinished, and `Keeper.finish` deletes it later. A lock for
each workspace tells what was left behind from what is being done.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mistral_nb.errors import (
    IndexNotWritten,
    MistralNbError,
    PassphraseNeeded,
    StoreError,
    StoreTimedOut,
    StoreUnavailable,
    WrongPassphrase,
)
from mistral_nb.files import locked_with_children, make_private_folder, sweep
from mistral_nb.key import Key
from mistral_nb.store.base import CURRENT, KEYRING, MEMORY, Store, other
from mistral_nb.store.entries import (
    Details,
    announce,
    check_expected,
    drop_asides,
    drop_pending,
    free_slot,
    is_in_use,
    is_kept,
    make_room,
    no_such_workspace,
    note_leftover,
    placed,
    point_to,
)
from mistral_nb.store.index import Index, Leftover, Workspace
from mistral_nb.store.memory import MemoryStore

LOCK_SECONDS = 5.0
_PLACES = {KEYRING: "the keyring", "file": "the encrypted file", MEMORY: "memory"}


class Keeper:
    """The operations over an index and its stores (by name)."""

    def __init__(self, index: Index, stores: Mapping[str, Store]) -> None:
        self.index = index
        self.stores = stores

    def workspaces(self) -> dict[str, Workspace]:
        """Every workspace with a kept key; one in memory stands before one of the same name in the index."""
        return self.index.read().workspaces | self.in_memory()

    def read(self, workspace: str) -> Key:
        """The key of a workspace, checked against its fingerprint in the index.

        Raises `WrongUsage` for a name without a key, and a `StoreError` for one whose key is not
        where it should be.
        """
        entry = self._entry(workspace)
        for _ in range(3):  # another process may replace the key between our two looks
            found = self._look(entry, workspace)
            before, entry = entry, self._entry(workspace)
            if found or entry == before:
                break
        if found:
            return found
        place = _PLACES.get(entry.store, entry.store)
        raise StoreError(
            f"The key of workspace {workspace} (…{entry.tail}) is not in {place} any more.",
            "Add it again.",
        )

    def keep(
        self,
        workspace: str,
        key: Key,
        entry: Details = None,
        store: str = KEYRING,
        expected: str | None = None,
    ) -> Workspace:
        """Keep ``key`` in ``store``; a key that was kept there under this name is retired.

        ``entry`` says more of it (name, expires, …). Raises a `StoreError` or `IndexNotWritten`: what
        was kept before is then kept still, and the caller has the key. With ``expected``, a
        fingerprint or "" for none, raises `Overtaken` where another key is kept by now.
        """
        if store == MEMORY:
            return self._keep_in_memory(workspace, key, entry)
        self.index.remember(key)
        with self._busy(workspace, LOCK_SECONDS):
            self._finish(workspace)
            now = self.index.read()
            old = now.workspaces.get(workspace)
            check_expected(workspace, old, expected)
            slot = other(old.slot) if old and old.store == store else free_slot(now, store, workspace)
            new = placed(key, store, slot, entry)
            with self.index.edit() as contents:
                drop_pending(contents, workspace)
                make_room(contents, workspace, new)
                announce(contents, key, Leftover(store, workspace, slot))
            self._put(store, workspace, slot, key)
            with self.index.edit() as contents:
                point_to(contents, workspace, new, key)
            self._finish(workspace)
        self._drop_from_memory(workspace)
        return new

    def forget(self, workspace: str, trace: bool = False) -> Workspace | None:
        """Delete a workspace's key here; with ``trace`` also drop its fingerprint from ``seen``.

        What it was, as `workspaces` lists it; None when there was none. A `StoreError` means that the
        workspace is gone from the index and its item goes at the next `finish`.
        """
        gone = self._drop_from_memory(workspace)
        if gone:  # a stored key of the same name was hidden by it, and is not what was meant
            if trace:
                self._drop_trace(gone.fingerprint)
            return gone
        with self._busy(workspace, LOCK_SECONDS):
            with self.index.edit() as contents:
                entry = contents.workspaces.pop(workspace, None)
                if entry:
                    mark = entry.fingerprint if trace else ""
                    note_leftover(contents, Leftover(entry.store, workspace, entry.slot, mark))
                    drop_pending(contents, workspace)
                    drop_asides(contents, workspace)
            problems = self._finish(workspace)
        if problems:
            raise problems[0]
        return entry

    def update(self, workspace: str, **fields: Any) -> Workspace:
        """Change what is noted on a kept key: name, organisation, expires, verified, …"""
        memory = self.in_memory()
        if workspace in memory:
            memory[workspace] = memory[workspace]._replace(**fields)
            return memory[workspace]
        with self.index.edit() as contents:
            if workspace not in contents.workspaces:
                raise no_such_workspace(workspace)
            contents.workspaces[workspace] = contents.workspaces[workspace]._replace(**fields)
            return contents.workspaces[workspace]

    def finish(self) -> list[StoreError]:
        """Delete what earlier operations left behind; what could not be deleted, and why.

        Passes over the workspaces that another process is at work on. Raises as `Index.edit`.
        """
        problems: list[StoreError] = []
        for workspace in dict.fromkeys(leftover.workspace for leftover in self.index.read().unfinished):
            try:
                with self._busy(workspace, 0):
                    problems += self._finish(workspace)
            except StoreTimedOut:
                continue
        return problems

    def _finish(self, workspace: str) -> list[StoreError]:
        """As `finish`, for the workspace whose lock is held."""
        problems: list[StoreError] = []
        contents = self.index.read()
        for leftover in [left for left in contents.unfinished if left.workspace == workspace]:
            try:
                if not is_in_use(contents, leftover):
                    self._store(leftover.store).delete(workspace, leftover.slot)
            except StoreError as error:
                problems.append(error)
                continue
            with self.index.edit() as now:
                sweep(self.index.path)
                now.unfinished[:] = [left for left in now.unfinished if left != leftover]
                if leftover.trace and not is_kept(now, leftover.trace):
                    now.seen.pop(leftover.trace, None)
        return problems

    def _put(self, store: str, workspace: str, slot: str, key: Key) -> None:
        """Put it there, as was announced; what a closed vault did not take is announced no longer."""
        try:
            self._store(store).put(workspace, slot, key)
        except (PassphraseNeeded, WrongPassphrase):
            with self.index.edit() as contents:
                contents.unfinished[:] = [left for left in contents.unfinished if left[:3] != (store, workspace, slot)]
            raise

    def _look(self, entry: Workspace, workspace: str) -> Key | None:
        """The key that ``entry`` means: in its slot, or in the other one if that is what a crash left."""
        store = self._store(entry.store)
        for slot in (entry.slot, other(entry.slot)):
            key = store.get(workspace, slot)
            if key and key.fingerprint == entry.fingerprint:
                return key
        return None

    def _entry(self, workspace: str) -> Workspace:
        entry = self.in_memory().get(workspace) or self.index.read().workspaces.get(workspace)
        if not entry:
            raise no_such_workspace(workspace)
        return entry

    def _store(self, name: str) -> Store:
        if name not in self.stores:
            raise StoreUnavailable(
                f"The key is in a store named {name}, which this version does not know.",
                "Update mistral_nb here: pip install -U mistral_nb.",
            )
        return self.stores[name]

    def _keep_in_memory(self, workspace: str, key: Key, entry: Details) -> Workspace:
        """Kept whether or not its fingerprint can be noted: a key is never lost to a full disk."""
        new = placed(key, MEMORY, CURRENT, entry)
        self._store(MEMORY).put(workspace, CURRENT, key)
        self.in_memory()[workspace] = new
        with contextlib.suppress(MistralNbError):
            self.index.remember(key)
        return new

    def in_memory(self) -> dict[str, Workspace]:
        """The workspaces whose keys are in this process alone: no index is needed for them."""
        memory = self.stores.get(MEMORY)
        return memory.entries if isinstance(memory, MemoryStore) else {}

    def _drop_from_memory(self, workspace: str) -> Workspace | None:
        entry = self.in_memory().pop(workspace, None)
        if entry:
            self._store(MEMORY).delete(workspace, entry.slot)
        return entry

    def _drop_trace(self, fingerprint: str) -> None:
        with self.index.edit() as contents:
            if not is_kept(contents, fingerprint):
                contents.seen.pop(fingerprint, None)

    def _busy(self, workspace: str, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Hold the workspace's lock. Raises `StoreTimedOut`, `IndexNotWritten`."""
        busy = StoreTimedOut(
            f"Another process is changing the key of workspace {workspace}.",
            "Wait for it to finish, and try again.",
        )
        return self._held(workspace, "", seconds, busy)

    @contextlib.contextmanager
    def _held(self, workspace: str, what: str, seconds: float, busy: StoreTimedOut) -> Iterator[None]:
        """Hold the lock on one thing that is done to a workspace; raises ``busy`` where another holds it."""
        import hashlib  # 8 ms, OpenSSL with it: not for those who only read

        folder = os.path.join(self.index.home, "locks")
        name = hashlib.blake2b(workspace.encode(), digest_size=8).hexdigest() + what
        with contextlib.ExitStack() as held:
            try:
                make_private_folder(folder)
                held.enter_context(locked_with_children(os.path.join(folder, name), seconds))
            except TimeoutError:
                raise busy from None
            except OSError as error:
                raise IndexNotWritten(
                    f"The folder {folder} could not be written: {error.strerror or type(error).__name__}.",
                    "Make room or set MISTRAL_NB_HOME to a folder that can be written, and try again.",
                ) from None
            yield
