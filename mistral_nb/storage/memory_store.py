"""Keys of this process only: lost when it ends, never in a file. A store, and an index that is not written."""

import contextlib
import threading
from collections.abc import Iterator

from mistral_nb.api_key import Key
from mistral_nb.errors import StoreTimedOut
from mistral_nb.storage.index import LIVE, IndexData, copy_data, make_remembered, parse_document
from mistral_nb.storage.store_protocol import MEMORY as NAME


class MemoryIndex:
    """What `Index` is for this machine, for this process alone."""

    def __init__(self) -> None:
        self._data = parse_document({})
        self._lock = threading.RLock()

    def read(self) -> IndexData:
        with self._lock:
            return copy_data(self._data)

    @contextlib.contextmanager
    def edit(self) -> Iterator[IndexData]:
        """The contents, to be changed in place; kept when the block ends without an error."""
        with self._lock:
            contents = self.read()
            yield contents
            self._data = contents

    def remember(self, key: Key, state: str = LIVE) -> None:
        with self.edit() as contents:
            contents.remembered[key.fingerprint] = make_remembered(key, state, contents.remembered.get(key.fingerprint))

    def hold_workspace_lock(
        self, workspace: str, purpose: str, seconds: float, busy: StoreTimedOut
    ) -> contextlib.AbstractContextManager[None]:
        """No other process can reach these keys."""
        return contextlib.nullcontext()

    def remove_stale_temp_files(self) -> None:
        """There are none."""


class MemoryStore:
    """A store in memory, with the index of what is in it."""

    name = NAME

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self._keys: dict[tuple[str, str], Key] = {}

    def unavailable_reason(self) -> None:
        return None

    def get(self, workspace: str, slot: str) -> Key | None:
        return self._keys.get((workspace, slot))

    def put(self, workspace: str, slot: str, key: Key) -> None:
        self._keys[workspace, slot] = key

    def delete(self, workspace: str, slot: str) -> None:
        self._keys.pop((workspace, slot), None)


MEMORY = MemoryStore()  # one per process: every part of it finds the same keys
