"""A key that was inherited, and one that was set in this process."""

import os
import subprocess
import sys

import pytest

from mistral_nb import environment, key_origin
from support.kernels import clean_environment
from support.keys import make_key

ORIGIN = """
import os, sys
if sys.argv[1] == "before":
    os.environ["MISTRAL_API_KEY"] = os.environ["OTHER"]
from mistral_nb import environment
if sys.argv[1] == "after":
    os.environ["MISTRAL_API_KEY"] = os.environ["OTHER"]
print(environment.active_key().origin)
"""


@pytest.mark.parametrize(
    ("moment", "origin"),
    [
        ("never", "the environment"),
        ("after", "the environment, set in this process"),
        pytest.param(
            "before",
            "the environment, set in this process",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows what a process began with"),
        ),
    ],
)
def test_a_value_set_in_this_process_is_not_one_that_it_was_started_with(moment: str, origin: str, tmp_path) -> None:
    env = clean_environment(tmp_path, MISTRAL_API_KEY=make_key().reveal(), OTHER=make_key().reveal())
    done = subprocess.run([sys.executable, "-c", ORIGIN, moment], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == origin


def test_where_the_first_environment_is_not_known_the_one_at_the_import_counts(monkeypatch) -> None:
    def unreadable(*_: object) -> dict[str, str]:
        raise OSError

    key, later = make_key(), make_key()
    monkeypatch.setattr(key_origin, "initial_environment", unreadable)
    monkeypatch.setattr(key_origin, "_at_import", frozenset({key.fingerprint}))
    key_origin._inherited_fingerprints.cache_clear()
    monkeypatch.setattr(os, "environ", os.environ.copy())
    origins = []
    for each in (key, later):
        os.environ["MISTRAL_API_KEY"] = each.reveal()
        active = environment.active_key()
        origins.append(active.origin if active else "")
    key_origin._inherited_fingerprints.cache_clear()
    assert origins == ["the environment", "the environment, set in this process"]
