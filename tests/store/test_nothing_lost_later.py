"""`kill -9` while a key is rotated or revoked: a working key is there, and the next command finishes."""

import json
import os
import subprocess
import sys

import pytest
from desktops import HERE, desktop

from mistral_nb.api.sandbox import Sandbox

ROUNDS = int(os.environ.get("MISTRAL_NB_KILLS", "500"))
KEYRING_ROUNDS = int(os.environ.get("MISTRAL_NB_KILLS", "120"))  # a keyring takes a quarter of a second a round
SEED = "20261124"


def crash(kind, home, rounds, environ, keeper="LifeKeeper"):
    with Sandbox() as sandbox:
        keys = "\n".join(sandbox.make_key("prod").reveal() for _ in range(rounds * 5 + 9))
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "life_crashes.py"), kind, str(home), str(rounds), keeper, SEED],
            env=environ | {"MISTRAL_NB_API": sandbox.url, "MISTRAL_NB_HOME": str(home), "HOME": str(home)},
            input=keys,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def environ():
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MISTRAL", "DBUS", "IPYTHON"))}
    return names | {"PYTHONPATH": os.pathsep.join([HERE, os.path.dirname(HERE)])}


def test_killed_with_the_encrypted_file_a_working_key_is_there(tmp_path, environ):
    result = crash("vault", tmp_path, ROUNDS, environ)
    assert result["violations"] == []
    assert result["rounds"] == ROUNDS
    assert result["interrupted"] > ROUNDS / 2, "the kills came between operations"
    assert result["pending"] > ROUNDS / 20, "too few rotations were cut in their middle"


def test_killed_with_a_real_keyring_a_working_key_is_there(tmp_path):
    with desktop(tmp_path) as session:
        result = crash("keyring", tmp_path, KEYRING_ROUNDS, session.environ)
    assert result["violations"] == []
    assert result["rounds"] == KEYRING_ROUNDS
    assert result["interrupted"] > KEYRING_ROUNDS / 2, "the kills came between operations"
    assert result["pending"] > KEYRING_ROUNDS / 20, "too few rotations were cut in their middle"


def test_a_keeper_that_drops_the_old_key_first_is_caught(tmp_path, environ):
    assert crash("vault", tmp_path, ROUNDS, environ, "DropsTheOldFirst")["violations"]
