"""Real repositories: created, protected, written to, and all their objects read back.

repo = Repo(tmp_path / "repo", env)
repo.protect()
repo.write("nb.ipynb", notebook(f"api_key = '{key.reveal()}'"))
repo.git("add", ".")
assert not repo.objects_with(key)
"""

import base64
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.git.filter_config import FilterDriver, write_driver
from mistral_nb.git.run_git import Git
from mistral_nb.storage.index import Index
from support.commands import Acted, act
from support.kernels import clean_environment

_GITCONFIG = """
[user]
    name = A Person
    email = person@example.com
[init]
    defaultBranch = main
[advice]
    detachedHead = false
[protocol "file"]
    allow = always
[gc]
    auto = 0
"""


def git_environment(folder: Path) -> dict[str, str]:
    """A person with a name, and no keys and no store; nothing is set aside."""
    env = {name: value for name, value in clean_environment(folder).items() if not name.startswith("GIT_")}
    Path(env["HOME"], ".gitconfig").write_text(_GITCONFIG)
    return env | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "MISTRAL_NB_SET_ASIDE": "off"}


def notebook(*sources: str, outputs: tuple[str, ...] = ()) -> bytes:
    """A notebook with a code cell for each source; the first shows the outputs."""
    streams = [{"name": "stdout", "output_type": "stream", "text": [text]} for text in outputs]
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": streams if number == 0 else [],
            "source": source.splitlines(keepends=True),
        }
        for number, source in enumerate(sources)
    ]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1).encode() + b"\n"


def uses(key: Key) -> str:
    """A line of code as people write it."""
    return f'client = Mistral(api_key="{key.reveal()}")'


def python(code: str, *more: str) -> str:
    """A filter command: a line of Python from standard input, ``data``, to standard output."""
    whole = f"import sys; data = sys.stdin.buffer.read(); {code}; sys.stdout.buffer.write(data)"
    return shlex.join([sys.executable, "-I", "-S", "-c", whole, *more])


class Repo:
    """A repository in ``path``, made there; git runs with ``env`` alone."""

    def __init__(self, path: Path, env: dict[str, str], *, make: bool = True) -> None:
        self.path = path
        self.env = env
        if make:
            path.mkdir(parents=True, exist_ok=True)
            self.git("init", "-q")

    def run(self, *words: str, given: str | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run git, whatever the result."""
        return subprocess.run(
            ["git", *words],
            cwd=self.path,
            env=self.env | env,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
        )

    def git(self, *words: str, given: str | None = None, **env: str) -> str:
        """What git prints; a failing command fails the test with what it said."""
        done = self.run(*words, given=given, **env)
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}{done.stdout}"
        return done.stdout

    def write(self, name: str, data: bytes) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def commit(self, message: str = "a change") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def blob(self, name: str) -> bytes:
        """What is stored, of a revision and path: ``HEAD:nb.ipynb``, ``:nb.ipynb``."""
        done = subprocess.run(["git", "cat-file", "blob", name], cwd=self.path, env=self.env, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> str:
        return self.git("status", "--porcelain")

    def touch(self) -> None:
        """Every file looks changed to git, which then asks the filter."""
        for file in self.path.rglob("*.ipynb"):
            file.touch()

    def objects(self) -> bytes:
        """Every object of the database, reachable or not, one after the other."""
        words = ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"]
        return subprocess.run(words, cwd=self.path, env=self.env, capture_output=True, check=True).stdout

    def objects_with(self, key: Key) -> list[str]:
        """The forms in which a key is in the object database."""
        everything, text = self.objects(), key.reveal().encode()
        forms = {
            "plain": text,
            "hex": text.hex().encode(),
            **{f"base64 {n}": base64.b64encode(b" " * n + text)[4 * (n > 0) : 40] for n in range(3)},
        }
        return [name for name, form in forms.items() if form in everything]

    def remember(self, *keys: Key) -> None:
        for key in keys:
            Index(self.env["MISTRAL_NB_HOME"]).remember(key)

    def act(self, name: str, **flags: Any) -> Acted:
        """A sub-command, typed in this repository."""
        return act(Context(host="cli", environ=self.env, folder=str(self.path)), name, **flags)

    def protect(self, **flags: Any) -> Acted:
        return self.act("protect", **flags)

    def driven_by(self, driver: FilterDriver) -> None:
        write_driver(Git(str(self.path), self.env), driver, "--local")
