"""What several sub-commands are tried with."""

from collections.abc import Callable

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.fixture
def kept(new_context: NewContext) -> dict[str, Key]:
    """Two keys in the encrypted file."""
    keys = {"dev": make_key(), "prod": make_key()}
    for name, key in keys.items():
        new_context().key_manager.keep(
            name, key, {"name": f"{name}'s", "expires": "2028-02-29", "expiry_known": True}, "file"
        )
    return keys
