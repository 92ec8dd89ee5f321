"""`kill -9` at random moments: the old or the new key is there, and every stored key is in ``seen``."""

import json
import os
import subprocess
import sys

import pytest
from desktops import HERE, desktop

ROUNDS = 500
SEED = "20261123"


def crash(kind, home, rounds, keeper="Keeper", environ=None):
    path = {"PYTHONPATH": os.pathsep.join([HERE, os.path.dirname(HERE)])}
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "crashes.py"), kind, str(home), str(rounds), keeper, SEED],
        env=environ or os.environ | path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with desktop(tmp_path_factory.mktemp("desktop")) as running:
        yield running


def test_killed_with_the_encrypted_file_the_old_or_the_new_key_is_there(tmp_path):
    result = crash("vault", tmp_path, ROUNDS)
    assert result["violations"] == []
    assert result["rounds"] == ROUNDS
    assert result["interrupted"] > ROUNDS / 2, "the kills came between operations"


def test_killed_with_a_real_keyring_the_old_or_the_new_key_is_there(session, tmp_path):
    result = crash("keyring", tmp_path, ROUNDS, environ=session.environ)
    assert result["violations"] == []
    assert result["rounds"] == ROUNDS
    assert result["interrupted"] > ROUNDS / 2, "the kills came between operations"


FAULTS = [
    ("DeletesFirst", "neither the old nor the new key"),
    ("RemembersLast", "a stored key is not in seen"),
]


@pytest.mark.parametrize(("keeper", "violation"), FAULTS)
def test_a_faulty_keeper_is_caught_with_the_encrypted_file(tmp_path, keeper, violation):
    assert violation in crash("vault", tmp_path, ROUNDS, keeper)["violations"][0]


@pytest.mark.parametrize(("keeper", "violation"), FAULTS)
def test_a_faulty_keeper_is_caught_with_a_real_keyring(session, tmp_path, keeper, violation):
    result = crash("keyring", tmp_path, ROUNDS, keeper, session.environ)
    assert violation in result["violations"][0]
