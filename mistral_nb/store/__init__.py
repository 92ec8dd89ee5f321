"""Where keys rest: an index without secrets, and the stores it points to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # hooks import the index alone: nothing else may load with it
    from collections.abc import Callable

    from mistral_nb.config import Config
    from mistral_nb.store.base import Store

PATIENCE, INTERACTIVE_PATIENCE = 3.0, 60.0  # seconds that a keyring may take


def open_stores(config: Config, interactive: bool, say: Callable[[str], None] | None = None) -> dict[str, Store]:
    """The stores by name: keyring, file, memory. Opens and reads nothing yet.

    ``interactive``: somebody can answer the keyring's dialog; ``say`` tells them that one may be open.
    """
    from mistral_nb.store.keyring import KeyringStore
    from mistral_nb.store.memory import MEMORY
    from mistral_nb.store.vault import Vault

    return {
        "keyring": KeyringStore(INTERACTIVE_PATIENCE if interactive else PATIENCE, say),
        "file": Vault(config.home, config.passphrase, passphrase_file=config.passphrase_file),
        "memory": MEMORY,
    }
