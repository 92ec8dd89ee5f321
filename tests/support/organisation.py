"""An organisation at the sandbox: an Admin key in the environment, a workspace kept, and the real command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.sandbox.responses import IssuedKey
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import Index, IndexData
from support.commands import act
from support.patience import PATIENCE

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


@dataclass
class Organisation:
    """``key`` is what workspace prod keeps, by the sandbox's account of it: named laptop, in workspace prod."""

    sandbox: Sandbox
    environ: dict[str, str]
    folder: Path
    new_context: Callable[..., Context]  # its encrypted file is cheap to open, for the commands too
    admin_key: Key = field(init=False)
    key: Key = field(init=False)
    said: str = ""  # by all commands

    def __post_init__(self) -> None:
        self.admin_key = self.sandbox.admin.make_key()
        self.key = self.sandbox.make_key("prod")
        self.environ["MISTRAL_ADMIN_API_KEY"] = self.admin_key.reveal()
        self.folder.mkdir(exist_ok=True)
        act(self.new_context("cli"), "login", {"key": self.key, "expires": ""}, workspace="prod")

    def run(self, *words: str, given: str = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """A command, typed in ``folder``; its exit code is checked, unless that is None."""
        done = subprocess.run(
            [SCRIPT, *words],
            env=self.environ,
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert code in (None, done.returncode), done.stdout + done.stderr
        return done

    def json(self, *words: str, code: int | None = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).stdout)

    @property
    def contents(self) -> IndexData:
        return Index(self.environ["MISTRAL_NB_HOME"]).read()

    @property
    def begun(self) -> list[rotation_journal.RotationEntry]:
        return rotation_journal.read_entries(Index(self.environ["MISTRAL_NB_HOME"]))

    @property
    def there(self) -> dict[str, IssuedKey]:
        """The keys at the API, by their last four characters."""
        return {issued.masked[-4:]: issued for issued in self.sandbox.admin.issued_keys().values()}

    @property
    def kept(self) -> str:
        """The last four characters of prod's key."""
        return self.contents.workspaces["prod"].tail

    def works(self) -> bool:
        """Whether a new process that uses prod has a key that the API accepts."""
        verified = self.run("verify", "prod", code=None)
        return verified.returncode == 0


def furnish(sandbox: Sandbox) -> None:
    """What the notebook shows: a policy, and keys of others with problems."""
    sandbox.admin.policies["prod"] = 30
    today = date.today()
    sandbox.make_key("dev", expires=today - timedelta(days=3))
    sandbox.make_key("dev", expires=today + timedelta(days=5))
    sandbox.make_key("dev", last_used=today - timedelta(days=45))
    sandbox.make_key("dev", last_used=today, product="Vibe")
    sandbox.make_key("dev", last_used=today)
