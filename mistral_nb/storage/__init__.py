"""Where keys are stored: an index without secrets, and the stores it points to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # hooks import the index alone: nothing else may load with it
    from collections.abc import Callable

    from mistral_nb.api_key import Secret
    from mistral_nb.config import Config
    from mistral_nb.storage.store_protocol import Store


def open_stores(
    config: Config,
    interactive: bool,
    on_opened: Callable[[Secret], None] = lambda _: None,
) -> dict[str, Store]:
    """The stores by name: keyring, file, memory. Opens and reads nothing yet.

    ``interactive``: a person can answer the keyring's dialog. ``on_opened`` is called with each passphrase that opens
    the encrypted file.
    """
    from mistral_nb.storage.memory_store import MEMORY as MEMORY_STORE
    from mistral_nb.storage.store_protocol import FILE, KEYRING, MEMORY
    from mistral_nb.storage.vault import Vault

    return {
        KEYRING: open_keyring(interactive),
        FILE: Vault(config.home, config.passphrase, passphrase_file=config.passphrase_file, on_opened=on_opened),
        MEMORY: MEMORY_STORE,
    }


def open_keyring(interactive: bool, say: Callable[[str], None] | None = None) -> Store:
    """The keyring. ``interactive``: a person can answer its dialog; ``say`` reports that one may be open."""
    from mistral_nb.storage.keyring_store import INTERACTIVE_SECONDS, SECONDS, KeyringStore

    return KeyringStore(INTERACTIVE_SECONDS if interactive else SECONDS, say)
