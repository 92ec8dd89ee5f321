"""`kill -9` while an Admin key rotates and revokes: a working key is here, and none is left there unknown."""

import json
import os
import subprocess
import sys

import pytest
from desktops import HERE

from mistral_nb.api.sandbox import Sandbox

ROUNDS = int(os.environ.get("MISTRAL_NB_KILLS", "500"))
SEED = "20261125"


@pytest.fixture
def environ(tmp_path):
    names = {name: value for name, value in os.environ.items() if not name.startswith(("MISTRAL", "DBUS", "IPYTHON"))}
    path = os.pathsep.join([HERE, os.path.dirname(HERE)])
    home = {"MISTRAL_NB_HOME": str(tmp_path), "HOME": str(tmp_path), "MISTRAL_NB_STORE": "file"}
    return names | home | {"PYTHONPATH": path}


def crash(home, environ, rounds, kind="honest"):
    with Sandbox() as sandbox:
        given = "\n".join(key.reveal() for key in (sandbox.admin.make_key(), sandbox.make_key("prod")))
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "admin_crashes.py"), str(home), str(rounds), SEED, kind],
            env=environ | {"MISTRAL_NB_API": sandbox.url},
            input=given,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_with_an_admin_key_a_working_key_is_here_and_none_is_left_there_unknown(tmp_path, environ):
    result = crash(tmp_path, environ, ROUNDS)
    assert result["violations"] == []
    assert result["rounds"] == ROUNDS
    assert result["inside"] > ROUNDS / 2, "the kills came after the work was done"
    assert result["waiting"] > ROUNDS / 20, "too few were cut between the new key and the end"
    assert result["lost"] > ROUNDS / 50, "too few were cut inside the request that makes the key"


def test_without_intentions_a_key_is_left_that_nobody_knows_of(tmp_path, environ):
    assert crash(tmp_path, environ, ROUNDS, "forgetful")["violations"]
