"""`edit --store` between the encrypted file and a real keyring, by the real command line: the key is only in one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.vault import Vault
from support.desktops import Desktop, desktop

PASSPHRASE = "a passphrase of mine"
TAILS = """
    import secretstorage
    connection = secretstorage.dbus_init()
    items = secretstorage.get_default_collection(connection).get_all_items()
    print(" ".join(item.get_secret().decode()[-4:] for item in items))
    connection.close()
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Desktop]:
    with desktop(tmp_path / "desktop") as running:
        Path(running.folder, "passphrase").write_text(PASSPHRASE)
        running.environ["MISTRAL_NB_PASSPHRASE_FILE"] = os.path.join(running.folder, "passphrase")
        yield running


def in_file(session: Desktop) -> list[str]:
    """The tails of the keys in the encrypted file."""
    vault = Vault(session.environ["MISTRAL_NB_HOME"], Secret(PASSPHRASE))
    return [key.tail for slots in vault.read_all().values() for key in slots.values()]


@pytest.mark.slow
def test_a_key_moves_there_and_back(session: Desktop, sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod")
    session.environ["MISTRAL_NB_API"] = sandbox.url
    session.mistral_nb("login", "prod", given=key.reveal(), MISTRAL_NB_STORE="file")
    assert (session.python(TAILS), in_file(session)) == ("", [key.tail])
    session.mistral_nb("edit", "prod", "--store", "keyring")
    assert (session.python(TAILS), in_file(session)) == (key.tail, [])
    assert "accepted" in session.mistral_nb("verify", "prod", MISTRAL_NB_PASSPHRASE_FILE="/nowhere")
    session.mistral_nb("edit", "prod", "--store", "file")
    assert (session.python(TAILS), in_file(session)) == ("", [key.tail])
    assert "accepted" in session.mistral_nb("verify", "prod")


@pytest.mark.slow
def test_a_keyring_that_is_locked_gets_no_key_and_the_file_keeps_it(session: Desktop, sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod")
    session.environ["MISTRAL_NB_API"] = sandbox.url
    session.mistral_nb("login", "prod", given=key.reveal(), MISTRAL_NB_STORE="file")
    session.lock()
    assert "locked" in session.mistral_nb("edit", "prod", "--store", "keyring", code=3)
    assert in_file(session) == [key.tail]
    assert "in the encrypted file" in session.mistral_nb("list")
    assert "accepted" in session.mistral_nb("verify", "prod")
