"""Keys that are out of use and still stored, to ask Mistral whether they are deleted there.

A revoked key is set aside under a name that is no workspace's. What is set aside goes when Mistral
refuses it.
"""

import contextlib

from mistral_nb.errors import MistralNbError, StoreError
from mistral_nb.key import Key
from mistral_nb.store.base import KEYRING, MEMORY
from mistral_nb.store.entries import (
    Details,
    announce,
    check_expected,
    compromise,
    item_of,
    note_aside,
    note_leftover,
    revoked,
)
from mistral_nb.store.index import COMPROMISED, RETIRED, Aside, Leftover, Workspace
from mistral_nb.store.keep import Keeper
from mistral_nb.store.places import LOCK_SECONDS


class AsideKeeper(Keeper):
    """A `Keeper` that also sets keys aside. Raises as `Keeper` does."""

    def keep(
        self, workspace: str, key: Key, entry: Details = None, store: str = KEYRING, expected: str | None = None
    ) -> Workspace:
        """As `Keeper.keep`; a key that comes back into use is an old one no longer."""
        kept = super().keep(workspace, key, entry, store, expected)
        with contextlib.suppress(MistralNbError):  # the key is kept
            for aside in self.asides():
                if aside.fingerprint == kept.fingerprint and aside.state == RETIRED:
                    self.drop_aside(aside)
        return kept

    def asides(self, workspace: str | None = None) -> list[Aside]:
        """The keys set aside, of one workspace or of all."""
        every = [*self.index.read().aside, *self._memory().aside]
        return [aside for aside in every if workspace in (None, aside.of)]

    def read_aside(self, aside: Aside) -> Key | None:
        return self._look_at(aside.store, aside.workspace, aside.slot, aside.fingerprint)

    def drop_aside(self, aside: Aside) -> None:
        """Delete a key that was set aside; its fingerprint stays."""
        if aside.store == MEMORY:
            return self._memory().drop_aside(aside)
        with self._busy(aside.workspace, LOCK_SECONDS):
            with self.index.edit() as contents:
                if aside in contents.aside:
                    contents.aside.remove(aside)
                    note_leftover(contents, Leftover(aside.store, aside.workspace, aside.slot))
            problems = self._finish(aside.workspace)
        if problems:
            raise problems[0]
        return None

    def keep_aside(self, aside: Aside, workspace: str, entry: Workspace) -> Workspace:
        """Give a key that was set aside a workspace of its own. Raises `Overtaken` where that is taken."""
        key = self.read_aside(aside)
        if key is None:
            raise StoreError(f"The old key …{aside.tail} is not in its store any more.", "Nothing was changed.")
        kept = self.keep(workspace, key, entry, aside.store, expected="")
        self.drop_aside(aside)
        return kept

    def set_aside(self, workspace: str, expected: str | None = None) -> Aside | None:
        """Take a compromised key out of its workspace; what is kept of it, if it could be read.

        The index notes it as compromised and the workspace is gone from it, also where the store can't
        be opened: then its item goes at the next `finish`, and None is returned. Raises `Overtaken`
        where the key is not the one with the fingerprint ``expected``.
        """
        entry = self._entry(workspace)
        check_expected(workspace, entry, expected)
        if workspace in self.in_memory():
            return self._memory().revoke(workspace)
        target = revoked(workspace, entry)
        with self._busy(workspace, LOCK_SECONDS), self._busy(target.workspace, LOCK_SECONDS):
            entry = self._entry(workspace)
            check_expected(workspace, entry, target.fingerprint)
            copied = self._copied(entry, workspace, target)
            with self.index.edit() as contents:
                contents.workspaces.pop(workspace, None)
                note_leftover(contents, Leftover(entry.store, workspace, entry.slot))
                compromise(contents, entry.fingerprint)
                if copied:
                    note_aside(contents, target)
            self._finish(workspace)
        return target if copied else None

    def condemn(self, fingerprint: str) -> list[Aside]:
        """A key that was set aside as replaced turns out to be compromised: its copies, as `set_aside` leaves them."""
        return [
            aside if aside.state == COMPROMISED else self._condemned(aside)
            for aside in self.asides()
            if aside.fingerprint == fingerprint
        ]

    def _condemned(self, aside: Aside) -> Aside:
        if aside.store == MEMORY:
            return self._memory().condemn(aside)
        target = revoked(aside.of, aside)
        with self._busy(aside.workspace, LOCK_SECONDS), self._busy(target.workspace, LOCK_SECONDS):
            if not self._copied(aside, aside.workspace, target):
                target = aside._replace(state=COMPROMISED)
            with self.index.edit() as contents:
                compromise(contents, aside.fingerprint)
                if aside in contents.aside:
                    contents.aside.remove(aside)
                note_aside(contents, target)
                note_leftover(contents, Leftover(aside.store, aside.workspace, aside.slot))
            self._finish(aside.workspace)
        return target

    def _copied(self, what: Workspace | Aside, workspace: str, target: Aside) -> bool:
        try:
            self._copy(what, workspace, target)
        except StoreError:  # out of use all the same
            return False
        return True

    def _copy(self, entry: Workspace | Aside, workspace: str, target: Aside) -> None:
        """Put the key into a second item, announced as a leftover."""
        key = self._look(entry, workspace)
        if key is None:
            raise StoreError(f"The key of workspace {workspace} (…{entry.tail}) is not in its store any more.", "")
        with self.index.edit() as contents:
            announce(contents, key, Leftover(*item_of(target)))
        self._store(target.store).put(target.workspace, target.slot, key)

    def _look_at(self, store: str, workspace: str, slot: str, fingerprint: str) -> Key | None:
        key = self._store(store).get(workspace, slot)
        return key if key and key.fingerprint == fingerprint else None
