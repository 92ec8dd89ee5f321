"""One contract, every store: memory, the encrypted file, and a real gnome-keyring."""

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.vault import Vault
from support.crashes import CHEAP
from support.desktops import desktop
from support.store_contract import LAWS


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with desktop(tmp_path_factory.mktemp("desktop")) as running:
        yield running


def _in_memory(law, request):
    store = MemoryStore()
    law(lambda: store)


def _in_a_file(law, request):
    home = str(request.getfixturevalue("tmp_path"))
    law(lambda: Vault(home, Secret("a passphrase"), CHEAP))


def _in_the_keyring(law, request):
    session = request.getfixturevalue("session")
    script = (
        "import sys; from support import store_contract; from mistral_nb.storage.keyring_store import KeyringStore\n"
    )
    session.python(f"{script}getattr(store_contract, sys.argv[1])(lambda: KeyringStore(50))", law.__name__)


@pytest.mark.slow_except("memory-", "file-", "keyring-what_is_put", "keyring-deleting", "keyring-a_second")
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "where",
    [_in_memory, _in_a_file, pytest.param(_in_the_keyring, marks=pytest.mark.keyring)],
    ids=["memory", "file", "keyring"],
)
def test_every_store_keeps_the_contract(where, law, request):
    where(law, request)
