"""One contract, every store: memory, the encrypted file, and a real gnome-keyring."""

import pytest
from contract import LAWS
from crashes import CHEAP
from desktops import desktop

from mistral_nb.key import Secret
from mistral_nb.store.memory import MemoryStore
from mistral_nb.store.vault import Vault


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
    script = "import contract, sys; from mistral_nb.store.keyring import KeyringStore\n"
    session.python(f"{script}getattr(contract, sys.argv[1])(lambda: KeyringStore(10))", law.__name__)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("where", [_in_memory, _in_a_file, _in_the_keyring], ids=["memory", "file", "keyring"])
def test_every_store_keeps_the_contract(where, law, request):
    where(law, request)
