"""What every store does: hold a key under a workspace's name, in one of two slots."""

from typing import Protocol

from mistral_nb.errors import StoreError
from mistral_nb.key import Key

CURRENT, NEXT = "current", "next"
KEYRING, FILE, MEMORY = "keyring", "file", "memory"


class Store(Protocol):
    """Where keys rest. Every method may raise a `StoreError`; none blocks without a limit.

    ``workspace`` is any text, ``slot`` is ``current`` or ``next``: a new key goes into the slot that
    is not in use, so that the old one is there until the new one is.
    """

    @property
    def name(self) -> str:
        """``keyring``, ``file`` or ``memory``: as the index notes it."""

    def why_not(self) -> StoreError | None:
        """Why this store could not be used now; None when it can. Opens no dialog."""

    def get(self, workspace: str, slot: str) -> Key | None:
        """The key in that slot; None when there is none."""

    def put(self, workspace: str, slot: str, key: Key) -> None:
        """Put a key there, over what was there, and read it back."""

    def delete(self, workspace: str, slot: str) -> None:
        """Delete what is there; nothing there is fine."""


def other(slot: str) -> str:
    return NEXT if slot == CURRENT else CURRENT
