"""`uninstall` with a real keyring, by the real command line: no item of ours is left in it."""

from pathlib import Path

import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.desktops import desktop

COUNT = """
    import secretstorage
    connection = secretstorage.dbus_init()
    items = secretstorage.get_default_collection(connection).get_all_items()
    print(sum(1 for _ in items))
    connection.close()
"""


@pytest.mark.slow
def test_the_keyring_holds_nothing_of_ours_afterwards(tmp_path: Path, sandbox: Sandbox) -> None:
    with desktop(tmp_path / "desktop") as session:
        session.environ["MISTRAL_NB_API"] = sandbox.url
        keys = [sandbox.make_key() for _ in range(3)]
        for name, key in zip(("dev", "prod", "leaked"), keys, strict=True):
            session.mistral_nb("login", name, given=key.reveal())
        session.mistral_nb("revoke", "leaked", "--yes", code=1)
        assert session.python(COUNT) == "3"
        shown = session.mistral_nb("uninstall", "--yes")
        for key in keys:
            assert f"…{key.tail}" in shown
        assert session.python(COUNT) == "0"
        assert not Path(session.environ["MISTRAL_NB_HOME"]).exists()
        assert "Nothing to remove." in session.mistral_nb("uninstall", "--yes")
