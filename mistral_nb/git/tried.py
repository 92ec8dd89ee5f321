"""A try with a real repository, for `demo`: what git stores of a notebook with a key in it."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from mistral_nb.git.plumbing import Git
from mistral_nb.git.protect import protect

_NAME = "notebook.ipynb"
_PERSON = ("-c", "user.name=A Person", "-c", "user.email=person@example.com")


class Committed(NamedTuple):
    """``source``: the cell as it was stored; ``objects``: all that git keeps."""

    source: str
    objects: bytes


def committed(source: str, folder: str, environ: Mapping[str, str]) -> Committed:
    """Protect a new repository in ``folder`` and commit a notebook with one cell. Raises `GitFailed`, OSError."""
    os.makedirs(folder)
    own = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    git = Git(folder, own | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull})
    git.output("init", "-q")
    protect(git, environ["MISTRAL_NB_HOME"])
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": [source],
    }
    with open(os.path.join(folder, _NAME), "w", encoding="utf-8") as file:
        json.dump({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, file, indent=1)
    git.output("add", ".")
    git.output(*_PERSON, "commit", "-q", "-m", "a notebook")
    stored = json.loads(git.output("cat-file", "blob", f"HEAD:{_NAME}"))
    words = ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"]
    objects = subprocess.run(words, cwd=folder, env=git.environ, capture_output=True, check=True).stdout
    return Committed("".join(stored["cells"][0]["source"]), objects)
