"""What keeping a key works with: the index, the stores, and a lock for each workspace."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from mistral_nb.errors import IndexNotWritten, StoreTimedOut, StoreUnavailable
from mistral_nb.files import locked_with_children, make_private_folder
from mistral_nb.key import Key
from mistral_nb.store.base import MEMORY, Store, other
from mistral_nb.store.index import Aside, Index, Workspace
from mistral_nb.store.memory import MemoryStore

LOCK_SECONDS = 5.0


class Places:
    """An index and its stores (by name)."""

    def __init__(self, index: Index, stores: Mapping[str, Store]) -> None:
        self.index = index
        self.stores = stores

    def in_memory(self) -> dict[str, Workspace]:
        """The workspaces whose keys are in this process alone: no index is needed for them."""
        return self._memory().entries

    def _memory(self) -> MemoryStore:
        memory = self.stores.get(MEMORY)
        return memory if isinstance(memory, MemoryStore) else MemoryStore()

    def _store(self, name: str) -> Store:
        if name not in self.stores:
            raise StoreUnavailable(
                f"The key is in a store named {name}, which this version does not know.",
                "Update mistral_nb here: pip install -U mistral_nb.",
            )
        return self.stores[name]

    def _look(self, entry: Workspace | Aside, workspace: str) -> Key | None:
        """The key that ``entry`` means: in its slot, or in the other one if that is what a crash left."""
        store = self._store(entry.store)
        for slot in (entry.slot, other(entry.slot)):
            key = store.get(workspace, slot)
            if key and key.fingerprint == entry.fingerprint:
                return key
        return None

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
