"""What happens to a kept key later: another takes its place, it moves, it is renamed.

A new key is *pending* from before it is stored until it is accepted: then one write of the index makes
it the workspace's key and sets the old one *aside*, where it is (its slot is the one not in use).
"""

import contextlib

from mistral_nb.errors import MistralNbError, StoreError, StoreTimedOut, WrongUsage
from mistral_nb.key import Key
from mistral_nb.store import intentions
from mistral_nb.store.aside import AsideKeeper
from mistral_nb.store.base import MEMORY, other
from mistral_nb.store.entries import (
    Details,
    announce,
    check_expected,
    drop_pending,
    free_slot,
    is_in_a_workspace,
    is_item,
    item_of,
    make_room,
    no_such_workspace,
    not_while_rotating,
    note_leftover,
    placed,
    replaced,
    set_state,
)
from mistral_nb.store.index import LIVE, RETIRED, Aside, Leftover, Workspace
from mistral_nb.store.places import LOCK_SECONDS


class LifeKeeper(AsideKeeper):
    """A `Keeper` that also sets aside, rotates, moves and renames. Raises as `Keeper` does."""

    def rotating(self, workspace: str) -> contextlib.AbstractContextManager[None]:
        """Be the only one to rotate this workspace's key. Raises `StoreTimedOut` where another is."""
        busy = StoreTimedOut(
            f"Another process is rotating the key of workspace {workspace}.",
            "Finish or cancel it there; nothing was changed here.",
        )
        return self._held(workspace, ".rotate", 0, busy)

    def stage(self, workspace: str, key: Key, details: Details = None, expected: str | None = None) -> Workspace:
        """Store a new key beside the one in use, which stays in use until `accept`.

        Raises `Overtaken` where the key in use is not the one with the fingerprint ``expected``.
        """
        if workspace in self.in_memory():
            with contextlib.suppress(MistralNbError):
                self.index.remember(key)
            return self._memory().stage(workspace, key, details)
        self.index.remember(key)
        with self._busy(workspace, LOCK_SECONDS):
            self._finish(workspace)
            old = self.index.read().workspaces.get(workspace)
            check_expected(workspace, old, expected)
            if old is None:
                raise no_such_workspace(workspace)
            new = placed(key, old.store, other(old.slot), details)
            with self.index.edit() as contents:
                make_room(contents, workspace, new)
                announce(contents, key, Leftover(new.store, workspace, new.slot))
                contents.unfinished[:] = [left for left in contents.unfinished if not is_item(left, workspace, new)]
                contents.pending[workspace] = new
            self._store(new.store).put(workspace, new.slot, key)
        return new

    def pending(self) -> dict[str, Workspace]:
        """The new keys that wait to be accepted, by workspace."""
        return self.index.read().pending | self._memory().pending

    def read_pending(self, workspace: str) -> Key | None:
        """The new key that waits; None where none does, or where it never reached its store."""
        entry = self.pending().get(workspace)
        return self._look_at(entry.store, workspace, entry.slot, entry.fingerprint) if entry else None

    def accept(self, workspace: str, fingerprint: str, details: Details = None) -> Workspace:
        """The pending key with this fingerprint becomes the workspace's, in one step; the old one is set aside.

        Raises `Overtaken` where another key is pending, or none, by now.
        """
        fields = details._asdict() if isinstance(details, Workspace) else dict(details or {})
        if workspace in self._memory().pending:
            check_expected(workspace, self._memory().pending[workspace], fingerprint)
            return self._memory().accept(workspace, fields)
        with self._busy(workspace, LOCK_SECONDS):
            waiting = self.index.read().pending.get(workspace)
            check_expected(workspace, waiting, fingerprint)
            if self.read_pending(workspace) is None or waiting is None:
                raise StoreError(f"The new key of workspace {workspace} is not in its store.", "Rotate it again.")
            with self.index.edit() as contents:
                new = contents.pending.pop(workspace)._replace(**fields)
                old = contents.workspaces.get(workspace)
                contents.workspaces[workspace] = new
                if old and old.fingerprint != new.fingerprint:
                    contents.aside.append(replaced(workspace, old))
                    if not is_in_a_workspace(contents, old.fingerprint):  # it may be kept under a second name
                        set_state(contents, old.fingerprint, LIVE, RETIRED)
            self._finish(workspace)
        return new

    def drop_pending(self, workspace: str) -> None:
        """The new key is not wanted: delete it here. The key in use stays."""
        if self._memory().drop_pending(workspace):
            return
        with self._busy(workspace, LOCK_SECONDS):
            with self.index.edit() as contents:
                drop_pending(contents, workspace)
            self._finish(workspace)

    def move(self, workspace: str, store: str, hidden: str = "") -> Workspace:
        """Keep a workspace's key in another store; the old store's item is deleted.

        A key in memory takes the place of the stored one with the fingerprint ``hidden``, and of no other.
        """
        entry = self._entry(workspace)
        if entry.store == store:
            return entry
        with self.rotating(workspace):
            if workspace in self.pending():
                raise not_while_rotating(workspace)
            expected = hidden if entry.store == MEMORY else entry.fingerprint
            return self.keep(workspace, self.read(workspace), entry, store, expected)

    def rename(self, workspace: str, name: str) -> Workspace:
        """Keep a workspace's key under another name. Raises `WrongUsage` where that is taken."""
        entry = self._entry(workspace)
        if name in self.workspaces():
            raise WrongUsage(f"There is a workspace {name} already.", "Choose another name.")
        for either in (workspace, name):
            if either in self.pending():
                raise not_while_rotating(either)
        first, second = sorted((workspace, name))
        with self.rotating(workspace), self._busy(first, LOCK_SECONDS), self._busy(second, LOCK_SECONDS):
            if entry.store == MEMORY:
                return self._rename_in_memory(workspace, name, entry)
            return self._rename(workspace, name)

    def _rename_in_memory(self, workspace: str, name: str, entry: Workspace) -> Workspace:
        kept = self._keep_in_memory(name, self.read(workspace), entry)
        self._memory().drop(workspace)
        with contextlib.suppress(MistralNbError), self.index.edit() as contents:
            intentions.follow(contents, workspace, name)
        return kept

    def _rename(self, workspace: str, name: str) -> Workspace:
        self._finish(workspace)
        self._finish(name)
        now = self.index.read()
        for either in (workspace, name):
            if either in now.pending:
                raise not_while_rotating(either)
        entry = self._entry(workspace)
        new = entry._replace(slot=free_slot(now, entry.store, name))
        target = Aside(name, entry.fingerprint, entry.tail, entry.store, name, new.slot)
        self._copy(entry, workspace, target)
        with self.index.edit() as contents:
            if name in contents.workspaces:
                raise WrongUsage(f"There is a workspace {name} already.", "Choose another name.")
            items = [(name, new) if key == workspace else (key, value) for key, value in contents.workspaces.items()]
            contents.workspaces.clear()
            contents.workspaces.update(items)
            note_leftover(contents, Leftover(entry.store, workspace, entry.slot))
            contents.unfinished[:] = [left for left in contents.unfinished if left[:3] != item_of(target)]
            contents.aside[:] = [a._replace(of=name) if a.of == workspace else a for a in contents.aside]
            intentions.follow(contents, workspace, name)
        self._finish(workspace)
        return new
