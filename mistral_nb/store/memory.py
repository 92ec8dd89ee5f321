"""Keys of this process only: gone when it ends, in no file."""

from collections.abc import Mapping
from typing import Any

from mistral_nb.key import Key
from mistral_nb.store.base import CURRENT, other
from mistral_nb.store.base import MEMORY as NAME
from mistral_nb.store.entries import Details, item_of, placed, replaced, revoked, superseded
from mistral_nb.store.index import Aside, Workspace


class MemoryStore:
    """A store in memory. ``entries`` are its workspaces, which no index notes; so are the rest."""

    name = NAME

    def __init__(self) -> None:
        self.entries: dict[str, Workspace] = {}
        self.pending: dict[str, Workspace] = {}
        self.aside: list[Aside] = []
        self._keys: dict[tuple[str, str], Key] = {}

    def why_not(self) -> None:
        return None

    def get(self, workspace: str, slot: str) -> Key | None:
        return self._keys.get((workspace, slot))

    def put(self, workspace: str, slot: str, key: Key) -> None:
        self._keys[workspace, slot] = key

    def delete(self, workspace: str, slot: str) -> None:
        self._keys.pop((workspace, slot), None)

    def keep(self, workspace: str, key: Key, details: Details) -> Workspace:
        """The key of a workspace, in place of what was; a new key that waited there is set aside."""
        self.supersede(workspace, key.fingerprint)
        self.drop(workspace)
        self._make_room(workspace, CURRENT)
        self.put(workspace, CURRENT, key)
        self.entries[workspace] = placed(key, NAME, CURRENT, details)
        return self.entries[workspace]

    def drop(self, workspace: str) -> Workspace | None:
        """A workspace without its key; what waits for it and what is aside stays."""
        entry = self.entries.pop(workspace, None)
        if entry:
            self.delete(workspace, entry.slot)
        return entry

    def stage(self, workspace: str, key: Key, details: Details) -> Workspace:
        new = placed(key, NAME, other(self.entries[workspace].slot), details)
        self._make_room(workspace, new.slot)
        self.put(workspace, new.slot, key)
        self.pending[workspace] = new
        return new

    def accept(self, workspace: str, fields: Mapping[str, Any]) -> Workspace:
        old, new = self.entries.get(workspace), self.pending.pop(workspace)._replace(**fields)
        self.entries[workspace] = new
        if old:
            self.aside.append(replaced(workspace, old))
        return new

    def drop_pending(self, workspace: str) -> Workspace | None:
        entry = self.pending.pop(workspace, None)
        if entry:
            self.delete(workspace, entry.slot)
        return entry

    def supersede(self, workspace: str, fingerprint: str) -> None:
        """A new key waits no longer, since the one with ``fingerprint`` is kept: if it is another, it is set aside."""
        waiting = self.pending.pop(workspace, None)
        if waiting and waiting.fingerprint != fingerprint:
            self._put_aside(superseded(workspace, waiting), workspace, waiting.slot)

    def revoke(self, workspace: str) -> Aside:
        """Of this process, so out of the way without a copy."""
        entry = self.entries.pop(workspace)
        return self._put_aside(revoked(workspace, entry), workspace, entry.slot)

    def condemn(self, aside: Aside) -> Aside:
        self.aside.remove(aside)
        return self._put_aside(revoked(aside.of, aside), aside.workspace, aside.slot)

    def drop_aside(self, aside: Aside) -> None:
        if aside in self.aside:
            self.aside.remove(aside)
        if item_of(aside) not in map(item_of, self.aside):
            self.delete(aside.workspace, aside.slot)

    def _make_room(self, workspace: str, slot: str) -> None:
        self.aside[:] = [aside for aside in self.aside if item_of(aside) != (NAME, workspace, slot)]

    def _put_aside(self, target: Aside, workspace: str, slot: str) -> Aside:
        """One item may be set aside for several workspaces."""
        key = self._keys.pop((workspace, slot), None)
        if key:
            self.put(target.workspace, target.slot, key)
        self.aside[:] = [*(a for a in self.aside if (a.of, a.workspace) != (target.of, target.workspace)), target]
        return target


MEMORY = MemoryStore()  # the process's own: every part of it finds the same keys
