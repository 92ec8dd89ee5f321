"""The main job with a real keyring: a kernel keeps, a second kernel and the command line find."""

import sys
from pathlib import Path

import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.desktops import LONG_LIMITS, desktop
from support.kernels import clean_environment, start_kernel

LOAD = f"{LONG_LIMITS}\n%load_ext mistral_nb"


def test_a_key_typed_once_is_in_every_later_process(tmp_path: Path, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    with desktop(tmp_path / "desktop") as session:
        bus = session.environ["DBUS_SESSION_BUS_ADDRESS"]
        env = clean_environment(tmp_path / "work", MISTRAL_NB_API=sandbox.url, DBUS_SESSION_BUS_ADDRESS=bus)
        with start_kernel(env) as kernel:
            ran = kernel.run(f"{LOAD}\n%mistral_key", answers=[key.reveal()])
            assert "in your keyring" in ran.text
        with start_kernel(env) as kernel:
            ran = kernel.run(f"{LOAD}\n%mistral_key", allow_stdin=False)
            assert (ran.status, ran.prompts) == ("ok", [])
            assert f"…{key.tail} (from the keyring)" in ran.text
            assert "accepted" in kernel.run("%mistral_key verify").shown
        shows = "import os; print(os.environ['MISTRAL_API_KEY'])"
        said = session.mistral_nb("run", "--", sys.executable, "-c", shows, **env)
        assert said.strip() == key.reveal()
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert files
        assert not [file for file in files if key.reveal().encode() in file.read_bytes()]


@pytest.mark.slow
def test_a_locked_keyring_is_reported_and_the_key_stays_usable(tmp_path: Path, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    with desktop(tmp_path / "desktop") as session:
        session.lock()
        bus = session.environ["DBUS_SESSION_BUS_ADDRESS"]
        env = clean_environment(tmp_path / "work", MISTRAL_NB_API=sandbox.url, DBUS_SESSION_BUS_ADDRESS=bus)
        with start_kernel(env) as kernel:
            ran = kernel.run(f"{LOAD}\n%mistral_key switch dev", answers=[key.reveal(), ""])
            assert ran.status == "ok"
            assert "locked" in ran.text
            assert "memory only" in ran.text
