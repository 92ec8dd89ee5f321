"""The world in which the servers of a file run, and a key in it."""

import pytest

from mistral_nb.api_key import Key
from mistral_nb.storage.index import Index
from support.kernels import clean_environment
from support.keys import make_key


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return clean_environment(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def key(env: dict[str, str]) -> Key:
    """A key that only its fingerprint in the index is left of, and that no process holds."""
    key = make_key()
    Index(env["MISTRAL_NB_HOME"]).remember(key)
    return key
