"""A person, a key that is remembered, and a protected repository with a notebook in it."""

from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from support.git_repos import Repo, git_environment, notebook
from support.keys import make_key
from support.requirements import need


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    need("git")
    return git_environment(tmp_path)


@pytest.fixture
def key() -> Key:
    return make_key()


@pytest.fixture
def bare(tmp_path: Path, env: dict[str, str], key: Key) -> Repo:
    """Not protected; the key is remembered."""
    repo = Repo(tmp_path / "a repository", env)
    repo.remember(key)
    return repo


@pytest.fixture
def with_remote(bare: Repo) -> Repo:
    """Not protected; it has a commit, and an empty remote to push to."""
    bare.git("init", "-q", "--bare", "../the remote.git")
    bare.git("remote", "add", "origin", "../the remote.git")
    bare.write("nb.ipynb", notebook("1"))
    bare.commit("the start")
    return bare


@pytest.fixture
def repo(bare: Repo) -> Repo:
    """Protected, with one notebook committed."""
    bare.protect()
    bare.write("nb.ipynb", notebook("1 + 1", "2 + 2"))
    bare.commit("the start")
    return bare
