"""A repository with this project's package in it, and how pip installs that without a network."""

import os
import shutil
import sysconfig
from pathlib import Path

from support.git_repos import Repo

ROOT = Path(__file__).parents[2]
_PARTS = ("mistral_nb", "notebooks", "jupyter-config", "templates")
_FILES = ("pyproject.toml", "README.md", "LICENSE", "action.yml", ".pre-commit-hooks.yaml")


def make_copy(path: Path, env: dict[str, str]) -> Repo:
    """A repository of its own, tagged as the README's examples name it."""
    repo = Repo(path, env)
    for part in _PARTS:
        shutil.copytree(ROOT / part, path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in _FILES:
        shutil.copy(ROOT / file, path / file)
    repo.commit()
    repo.git("tag", "v0.1.0")
    return repo


def offline_pip() -> dict[str, str]:
    """Variables by which pip builds and installs it with what is installed here, and asks no index."""
    return {
        "PYTHONPATH": sysconfig.get_paths()["purelib"],
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's own spelling of no isolation
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
