"""`notebooks/workspaces.ipynb`, `rotation.ipynb` and `workers.ipynb` give the outputs stored in them."""

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import PASSPHRASE
from support.kernels import clean_environment

from mistral_nb.api_key import Key, Secret
from mistral_nb.sandbox.responses import IssuedKey
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index, utc_timestamp
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from support.notebooks import FOLDER, run_notebook


class Console(Sandbox):
    """The sandbox, whose keys are deleted by making a file, as a person deletes them in the console."""

    def __init__(self) -> None:
        super().__init__()
        self.deletions: dict[str, Key] = {}

    def find_key(self, shown: str) -> IssuedKey | None:
        for file in [file for file in self.deletions if os.path.exists(file)]:
            self.revoke(self.deletions.pop(file))
        return super().find_key(shown)


@contextlib.contextmanager
def world(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """Environment and working folder of a tour: two keys kept, a third one ready for a rotation."""
    passphrase, new_key, working = folder / "passphrase", folder / "new", folder / "working"
    for file, text in ((passphrase, PASSPHRASE), (new_key, "")):
        file.write_text(text)
        file.chmod(0o600)
    working.mkdir()
    with Console() as console:
        keys = {name: console.make_key(name) for name in ("dev", "prod")}
        new = console.make_key("prod")
        new_key.write_text(new.reveal())
        console.deletions = {str(folder / "old-gone"): keys["prod"], str(folder / "new-gone"): new}
        environ = clean_environment(
            folder,
            MISTRAL_NB_API=console.url,
            MISTRAL_NB_STORE="file",
            MISTRAL_NB_PASSPHRASE_FILE=str(passphrase),
            NEW_KEY=f"cat {shlex.quote(str(new_key))}",
            DELETE_OLD_KEY=f"touch {shlex.quote(str(folder / 'old-gone'))}",
            DELETE_NEW_KEY=f"touch {shlex.quote(str(folder / 'new-gone'))}",
            PATH=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}",
        )
        home = environ["MISTRAL_NB_HOME"]
        keeper = KeyManager(Index(home), {"file": Vault(home, Secret(PASSPHRASE))})
        for name, key in keys.items():
            noted = {"mistral_workspace": name, "organisation": "Acme", "verified": utc_timestamp()}
            keeper.keep(name, key, noted | {"ask_first": name == "prod"}, "file")
        if folder.name.startswith("rotation"):
            keeper.update("prod", ask_first=False)
        yield environ, working


@pytest.mark.slow
@pytest.mark.parametrize("name", ["workspaces", "rotation", "workers"])
def test_a_tour_gives_the_outputs_stored_in_it(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with world(folder) as (environ, working):
        copy = shutil.copy(FOLDER / f"{name}.ipynb", working)
        done = run_notebook(str(copy), environ)
        assert done.returncode == 0, done.stdout
