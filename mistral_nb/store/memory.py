"""Keys of this process only: gone when it ends, in no file."""

from mistral_nb.key import Key
from mistral_nb.store.base import MEMORY as NAME
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


MEMORY = MemoryStore()  # the process's own: every part of it finds the same keys
