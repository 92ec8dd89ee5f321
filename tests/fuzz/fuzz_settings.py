"""A stranger's pyproject.toml and .mistral-nb-revoked: never an exception, never slow, at most a sentence."""

import os
import tempfile

from fuzz.harness import run, within
from mistral_nb import config, watchlist

SEEDS = (
    b"[tool.mistral-nb]\nworkspace = 'prod'\nkeep = ['0123456789abcdef0123456789abcdef']\n",
    b"[tool.mistral-nb]\na.b.'c'.\"d\" = {e.f = 1}\n[[x.y]]\nz = '''\n'''\n",
    b'tool.mistral-nb = 3\nx = """\n\\""" # [tool.mistral-nb]\n',
    b"0123456789abcdef0123456789ABCDEF  # live\n",
)
_FOLDER = tempfile.mkdtemp()
_ENVIRON = {"MISTRAL_NB_HOME": os.path.join(_FOLDER, "home")}


def one_input(data: bytes) -> None:
    for name in ("pyproject.toml", watchlist.REVOKED_FILE):
        with open(os.path.join(_FOLDER, name), "wb") as file:
            file.write(data + (b"\n#mistral-nb" if name == "pyproject.toml" else b""))
    with within():
        found = watchlist.build_watchlist(_FOLDER, environ=_ENVIRON)
    assert not found.strict, "a repository's file made us strict"
    assert not found.known and not found.remembered
    assert all(problem.isprintable() for problem in found.problems)
    project = config.find_project(_FOLDER)
    assert isinstance(project.table, dict) or project.problem


if __name__ == "__main__":
    run(one_input)
