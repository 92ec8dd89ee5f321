"""A store that fails on demand."""

from mistral_nb.errors import StoreLocked

LOCKED = StoreLocked("It is locked.", "Unlock it.")


class Fickle:
    """A store that fails on demand, and otherwise works."""

    name = "keyring"

    def __init__(self):
        self.items, self.fails = {}, set()

    def unavailable_reason(self):
        return None

    def _may(self, what):
        if what in self.fails:
            raise LOCKED

    def get(self, workspace, slot):
        self._may("get")
        return self.items.get((workspace, slot))

    def put(self, workspace, slot, key):
        self._may("put")
        self.items[workspace, slot] = key

    def delete(self, workspace, slot):
        self._may("delete")
        self.items.pop((workspace, slot), None)
