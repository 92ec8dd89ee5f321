"""Keeping, reading and forgetting keys, so that a kill at any moment leaves the old or the new one.

An item is in a store before the index points to it, and the index points elsewhere before an item is
deleted. In between, the index lists it as unfinished, and `Keeper.finish` deletes it later. A lock for
each workspace tells what was left behind from what is being done.
"""

import contextlib
from typing import Any

from mistral_nb.errors import (
    MistralNbError,
    PassphraseNeeded,
    StoreError,
    StoreTimedOut,
    WrongPassphrase,
)
from mistral_nb.files import sweep
from mistral_nb.key import Key
from mistral_nb.store.base import KEYRING, MEMORY, other
from mistral_nb.store.entries import (
    Details,
    announce,
    check_expected,
    drop_asides,
    drop_pending,
    free_slot,
    is_in_a_workspace,
    is_in_use,
    is_kept,
    item_of,
    make_room,
    no_such_workspace,
    note_aside,
    note_leftover,
    placed,
    point_to,
    set_state,
    superseded,
)
from mistral_nb.store.index import LIVE, RETIRED, Leftover, Workspace
from mistral_nb.store.places import LOCK_SECONDS, Places

_PLACES = {KEYRING: "the keyring", "file": "the encrypted file", MEMORY: "memory"}


class Keeper(Places):
    """The operations over an index and its stores (by name)."""

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
        fingerprint or "" for none, raises `Overtaken` where another key is kept by now. A new key of
        a rotation that was not finished is set aside.
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
            self._supersede(workspace, key, store)
            with self.index.edit() as contents:
                make_room(contents, workspace, new)
                announce(contents, key, Leftover(store, workspace, slot))
            self._put(store, workspace, slot, key)
            with self.index.edit() as contents:
                point_to(contents, workspace, new, key)
            self._finish(workspace)
        self._memory().supersede(workspace, key.fingerprint)
        self._memory().drop(workspace)
        return new

    def forget(self, workspace: str, trace: bool = False, meant: tuple[str, str] | None = None) -> Workspace | None:
        """Delete a workspace's key here; with ``trace`` also drop its fingerprint from ``seen``.

        What it was, as `workspaces` lists it; None when there was none. A `StoreError` means that the
        workspace is gone from the index and its item goes at the next `finish`. With ``meant``, the
        fingerprints of the key in use and of the one that waits ("" for none), raises `Overtaken`
        where another is kept or waits by now.
        """
        memory = self._memory()
        gone = memory.drop(workspace)
        if gone:  # a stored key of the same name was hidden by it, and is not what was meant
            memory.drop_pending(workspace)
            for aside in [aside for aside in memory.aside if aside.of == workspace]:
                memory.drop_aside(aside)
            if trace:
                self._drop_trace(gone.fingerprint)
            return gone
        elsewhere: set[str] = set()
        with self._busy(workspace, LOCK_SECONDS):
            with self.index.edit() as contents:
                for there, mark in zip((contents.workspaces, contents.pending), meant or (), strict=False):
                    check_expected(workspace, there.get(workspace), mark)
                entry = contents.workspaces.pop(workspace, None)
                if entry:
                    mark = entry.fingerprint if trace else ""
                    note_leftover(contents, Leftover(entry.store, workspace, entry.slot, mark))
                    drop_pending(contents, workspace)
                    elsewhere = drop_asides(contents, workspace) - {workspace}
            problems = self._finish(workspace)
        for item in elsewhere:
            with self._busy(item, LOCK_SECONDS):
                problems += self._finish(item)
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

    def _entry(self, workspace: str) -> Workspace:
        entry = self.in_memory().get(workspace) or self.index.read().workspaces.get(workspace)
        if not entry:
            raise no_such_workspace(workspace)
        return entry

    def _supersede(self, workspace: str, key: Key, store: str) -> None:
        """A new key waits no longer, since ``key`` is kept. If it is another, it is set aside: it may be the only copy.

        Its slot is the one that ``key`` goes to, so it is copied.
        """
        waiting = self.index.read().pending.get(workspace)
        if waiting is None:
            return
        aside = superseded(workspace, waiting)
        with self._busy(aside.workspace, LOCK_SECONDS):
            try:
                found = self._store(waiting.store).get(workspace, waiting.slot)
            except StoreError as error:
                if waiting.store == store or isinstance(error, (PassphraseNeeded, WrongPassphrase)):
                    raise
                return  # its store can't be read, and nothing takes its place there: it goes on waiting
            lost = found is None or found.fingerprint != waiting.fingerprint
            if found and not lost and found != key:
                with self.index.edit() as contents:
                    announce(contents, found, Leftover(*item_of(aside)))
                self._put(aside.store, aside.workspace, aside.slot, found)
            with self.index.edit() as contents:
                drop_pending(contents, workspace)
                if found and not lost and found != key:
                    note_aside(contents, aside)
                    if not is_in_a_workspace(contents, aside.fingerprint):
                        set_state(contents, aside.fingerprint, LIVE, RETIRED)

    def _keep_in_memory(self, workspace: str, key: Key, entry: Details) -> Workspace:
        """Kept whether or not its fingerprint can be noted: a key is never lost to a full disk."""
        self._store(MEMORY)
        new = self._memory().keep(workspace, key, entry)
        with contextlib.suppress(MistralNbError):
            self.index.remember(key)
        return new

    def _drop_trace(self, fingerprint: str) -> None:
        with self.index.edit() as contents:
            if not is_kept(contents, fingerprint):
                contents.seen.pop(fingerprint, None)
