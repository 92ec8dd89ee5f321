"""`kill -9` at random moments: the old or the new key is there, and every stored key is in ``seen``."""

import os

import pytest

from support import TESTS
from support.desktops import desktop
from support.kills import MANY, crash, few_or_many, many

SEED = "20261123"


def run(kind, home, kills, keeper="KeyManager", environ=None):
    return crash("crashes", kind, home, kills, keeper, SEED, environ=environ or os.environ | {"PYTHONPATH": TESTS})


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with desktop(tmp_path_factory.mktemp("desktop")) as running:
        yield running


@few_or_many
def test_killed_with_the_encrypted_file_the_old_or_the_new_key_is_there(tmp_path, kills):
    result = run("vault", tmp_path, kills)
    assert result["violations"] == []
    assert result["rounds"] >= kills
    assert result["interrupted"] > kills / 2, "the kills came between operations"


@many
def test_killed_with_a_real_keyring_the_old_or_the_new_key_is_there(session, tmp_path, kills):
    result = run("keyring", tmp_path, kills, environ=session.environ)
    assert result["violations"] == []
    assert result["rounds"] >= kills
    assert result["interrupted"] > kills / 2, "the kills came between operations"


FAULTS = [
    ("DeletesFirst", "neither the old nor the new key"),
    ("RemembersLast", "a stored key is not in seen"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("keeper", "violation"), FAULTS)
def test_a_faulty_keeper_is_caught_with_the_encrypted_file(tmp_path, keeper, violation):
    assert violation in run("vault", tmp_path, MANY, keeper)["violations"][0]


@pytest.mark.slow
@pytest.mark.parametrize(("keeper", "violation"), FAULTS)
def test_a_faulty_keeper_is_caught_with_a_real_keyring(session, tmp_path, keeper, violation):
    result = run("keyring", tmp_path, MANY, keeper, session.environ)
    assert violation in result["violations"][0]
