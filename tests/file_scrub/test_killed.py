"""`kill -9` at random moments while keys are taken out of files: each key is in its file, or set aside, or both."""

import os

import pytest

from support import TESTS
from support.desktops import desktop
from support.kills import FEW, MANY, crash

SEED = "20261127"
WAYS = ["scrub", "save"]


def run(what, store, folder, kills, way="honest", environ=None):
    environ = environ or os.environ | {"PYTHONPATH": TESTS}
    return crash("aside_crashes", what, store, folder, kills, way, SEED, environ=environ)


def check(result, kills):
    assert result["violations"] == []
    assert result["rounds"] >= kills
    assert result["interrupted"] > kills / 2, "the kills came between removals"


@pytest.mark.slow
@pytest.mark.parametrize("what", WAYS)
def test_no_key_is_lost(tmp_path, what):
    check(run(what, "vault", tmp_path, FEW), FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", WAYS)
def test_no_key_is_lost_in_many_kills(tmp_path, what):
    check(run(what, "vault", tmp_path, MANY), MANY)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", WAYS)
def test_no_key_is_lost_with_a_real_keyring(tmp_path, what):
    with desktop(tmp_path / "desktop") as session:
        check(run(what, "keyring", tmp_path, FEW, environ=session.environ), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("what", WAYS)
def test_what_is_removed_before_it_is_set_aside_is_found_lost(tmp_path, what):
    assert "neither in its file nor set aside" in run(what, "vault", tmp_path, MANY, "faulty")["violations"][0]
