"""The life of a key by the real command line, in a real keyring."""

from typing import Any

import pytest

from support.desktops import desktop
from support.sandboxes import start_sandbox

ITEMS = """
    import secretstorage
    connection = secretstorage.dbus_init()
    items = secretstorage.get_default_collection(connection).get_all_items()
    print(sorted(f"{i.get_attributes()['service']} {i.get_secret().decode()[-4:]}" for i in items))
    connection.close()
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory):
    with desktop(tmp_path_factory.mktemp("desktop")) as running:
        yield running


@pytest.mark.slow
def test_a_key_moves_into_a_keyring_that_appeared_later_and_is_rotated_and_revoked_there(session) -> None:
    with start_sandbox() as sandbox:
        old, new = sandbox.make_key("prod"), sandbox.make_key("prod")
        passphrase = f"{session.folder}/passphrase"
        with open(passphrase, "w") as file:
            file.write("a passphrase of mine")

        def run(*words: str, **more: Any) -> str:
            return session.mistral_nb(
                *words, **{"MISTRAL_NB_API": sandbox.url, "MISTRAL_NB_PASSPHRASE_FILE": passphrase} | more
            )

        def items() -> list[str]:
            found: list[str] = eval(session.python(ITEMS))
            return found

        run("login", "prod", given=old.reveal(), MISTRAL_NB_STORE="file")
        assert items() == []
        assert "from the encrypted file to the keyring" in run("edit", "prod", "--store", "keyring")
        assert items() == [f"mistral-nb:prod {old.tail}"]
        run("edit", "prod", "--rename", "production")
        assert items() == [f"mistral-nb:production {old.tail}"]
        run("rotate", "production", given=new.reveal())
        assert items() == sorted(f"mistral-nb:production {key.tail}" for key in (old, new))
        run("verify", "production", "--old", code=1)
        sandbox.revoke(old)
        run("verify", "production", "--old")
        assert items() == [f"mistral-nb:production {new.tail}"]
        assert '"object": "list"' in run("curl", "-s", "/v1/models")
        run("revoke", "production", "--yes", code=1)
        assert items() == [f"mistral-nb:(revoked) {new.fingerprint} {new.tail}"]
        sandbox.revoke(new)
        run("revoke", "production")
        assert items() == []
