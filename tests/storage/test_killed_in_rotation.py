"""`kill -9` while a key is rotated or revoked: a working key is there, and the next command finishes."""

import os

import pytest

from support import TESTS
from support.desktops import desktop
from support.kills import ATTEMPTS, MANY, crash, many
from support.sandboxes import start_sandbox

SEED = "20261124"


def run(kind, home, kills, environ, keeper="KeyManager"):
    with start_sandbox() as sandbox:
        keys = "\n".join(sandbox.make_key("prod").reveal() for _ in range(kills * ATTEMPTS * 5 + 9))
        more = {"MISTRAL_NB_API": sandbox.url, "MISTRAL_NB_HOME": str(home), "HOME": str(home)}
        return crash("rotation_crashes", kind, home, kills, keeper, SEED, environ=environ | more, given=keys)


@pytest.fixture
def environ():
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MISTRAL", "DBUS", "IPYTHON"))}
    return names | {"PYTHONPATH": TESTS}


@many
def test_killed_with_the_encrypted_file_a_working_key_is_there(tmp_path, environ, kills):
    result = run("vault", tmp_path, kills, environ)
    assert result["violations"] == []
    assert result["rounds"] >= kills
    assert result["interrupted"] > kills / 2, "the kills came between operations"
    assert result["pending"] > kills / 50, "too few rotations were cut in their middle"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_with_a_real_keyring_a_working_key_is_there(tmp_path):
    kills = min(MANY, 120)  # a keyring takes a quarter of a second a kill
    with desktop(tmp_path) as session:
        result = run("keyring", tmp_path, kills, session.environ)
    assert result["violations"] == []
    assert result["rounds"] >= kills
    assert result["interrupted"] > kills / 2, "the kills came between operations"
    assert result["pending"] > kills / 50, "too few rotations were cut in their middle"


@pytest.mark.slow
def test_a_keeper_that_drops_the_old_key_first_is_caught(tmp_path, environ):
    assert run("vault", tmp_path, MANY, environ, "DropsTheOldFirst")["violations"]
