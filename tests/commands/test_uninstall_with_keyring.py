"""`uninstall` with a real keyring, by the real command line: no item of ours is left in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.desktops import Desktop, desktop

COUNT = """
    import secretstorage
    connection = secretstorage.dbus_init()
    items = secretstorage.get_default_collection(connection).get_all_items()
    print(sum(1 for _ in items))
    connection.close()
"""


def run(session: Desktop, *words: str, given: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mistral_nb", *words],
        env=session.environ,
        cwd=session.folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_keyring_holds_nothing_of_ours_afterwards(tmp_path: Path, sandbox: Sandbox) -> None:
    with desktop(tmp_path / "desktop") as session:
        session.environ["MISTRAL_NB_API"] = sandbox.url
        keys = [sandbox.make_key() for _ in range(3)]
        for name, key in zip(("dev", "prod", "leaked"), keys, strict=True):
            run(session, "login", name, given=key.reveal())
        run(session, "revoke", "leaked", "--yes", code=1)
        assert session.python(COUNT) == "3"
        shown = run(session, "uninstall", "--yes")
        for key in keys:
            assert f"…{key.tail}" in shown
        assert session.python(COUNT) == "0"
        assert not Path(session.environ["MISTRAL_NB_HOME"]).exists()
        assert "Nothing to remove." in run(session, "uninstall", "--yes")
