"""A trial with a real repository, for `demo`: what git stores for a notebook with a key in it."""

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from mistral_nb.demo.one_cell_notebook import one_cell_notebook
from mistral_nb.git.repository_protection import protect
from mistral_nb.git.run_git import Git
from mistral_nb.paths import without_git_variables

_NAME = "notebook.ipynb"
_PERSON = ("-c", "user.name=A Person", "-c", "user.email=person@example.com")


class CommittedNotebook(NamedTuple):
    """``source``: the cell as it was stored; ``objects``: all that git keeps."""

    source: str
    objects: bytes


def commit_notebook(source: str, folder: str, environ: Mapping[str, str]) -> CommittedNotebook:
    """Protect a new repository in ``folder`` and commit a notebook with one cell. Raises `GitFailed`, OSError."""
    os.makedirs(folder)
    git = Git(folder, without_git_variables(environ) | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull})
    git.output("init", "-q")
    protect(git, environ["MISTRAL_NB_HOME"])
    with open(os.path.join(folder, _NAME), "w", encoding="utf-8") as file:
        json.dump(one_cell_notebook(source), file, indent=1)
    git.output("add", ".")
    git.output(*_PERSON, "commit", "-q", "-m", "a notebook")
    stored = json.loads(git.output("cat-file", "blob", f"HEAD:{_NAME}"))
    objects = git.output("cat-file", "--batch", "--batch-all-objects", "--unordered")
    return CommittedNotebook("".join(stored["cells"][0]["source"]), objects)
