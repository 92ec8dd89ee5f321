"""The store protocol: a key under a workspace's name, in one of two slots."""

from typing import Protocol

from mistral_nb.api_key import Key
from mistral_nb.errors import StoreError

CURRENT, NEXT = "current", "next"
KEYRING, FILE, MEMORY = "keyring", "file", "memory"
_NAMES = {KEYRING: "the keyring", FILE: "the encrypted file", MEMORY: "this process's memory"}


class Store(Protocol):
    """A place for keys. Every method may raise a `StoreError`; none blocks without a limit.

    ``workspace`` is any text, ``slot`` is ``current`` or ``next``: a new key goes into the slot that
    is not in use, so that the old one is there until the new one is.
    """

    @property
    def name(self) -> str:
        """``keyring``, ``file`` or ``memory``: as the index notes it."""

    def unavailable_reason(self) -> StoreError | None:
        """Why this store can't be used now; None if it can. Opens no dialog."""

    def get(self, workspace: str, slot: str) -> Key | None:
        """The key in that slot; None when there is none."""

    def put(self, workspace: str, slot: str, key: Key) -> None:
        """Store a key there, replacing what was there, and read it back."""

    def delete(self, workspace: str, slot: str) -> None:
        """Delete what is there; does nothing if it is empty."""


def store_name(store: str) -> str:
    """How messages name a store."""
    return _NAMES.get(store, store)


def other_slot(slot: str) -> str:
    return NEXT if slot == CURRENT else CURRENT
