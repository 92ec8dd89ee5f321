"""`kill -9` while an Admin key rotates and revokes: a working key is here, and none is left there unknown."""

import os

import pytest

from support import TESTS
from support.kills import MANY, crash, many
from support.sandboxes import start_sandbox

SEED = "20261125"


@pytest.fixture
def environ(tmp_path):
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MISTRAL", "DBUS", "IPYTHON"))}
    path = TESTS
    home = {"MISTRAL_NB_HOME": str(tmp_path), "HOME": str(tmp_path), "MISTRAL_NB_STORE": "file"}
    return names | home | {"PYTHONPATH": path}


def run(home, environ, kills, kind="honest"):
    with start_sandbox() as sandbox:
        given = "\n".join(key.reveal() for key in (sandbox.admin.make_key(), sandbox.make_key("prod")))
        environ = environ | {"MISTRAL_NB_API": sandbox.url}
        return crash("admin_crashes", home, kills, SEED, kind, environ=environ, given=given)


@many
def test_killed_with_an_admin_key_a_working_key_is_here_and_no_unknown_one_is_left_there(tmp_path, environ, kills):
    result = run(tmp_path, environ, kills)
    assert result["violations"] == []
    assert result["rounds"] >= kills
    assert result["inside"] > kills / 2, "the kills came after the work was done"
    assert result["waiting"] > kills / 20, "too few were cut between the new key and the end"
    assert result["lost"] > kills / 50, "too few were cut inside the request that makes the key"


@pytest.mark.slow
def test_without_intentions_an_unknown_key_is_left(tmp_path, environ):
    assert run(tmp_path, environ, MANY, "forgetful")["violations"]
