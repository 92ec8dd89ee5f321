"""`kill -9` from outside at random moments of the real command line: the old or the new key is there, and whole."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from support import crashes
from support.kills import ATTEMPTS, Pace, many
from support.patience import PATIENCE

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))
SEED = 20261126
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")


class Victim:
    """A person's command line, its encrypted file, and an honest look at what a killed command left there."""

    def __init__(self, environ: dict[str, str], sandbox: Sandbox) -> None:
        Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).write_text("a passphrase")  # of `crashes.VaultItems`
        self.environ, self.sandbox = environ, sandbox
        self.items = crashes.VaultItems(environ["MISTRAL_NB_HOME"])
        self.keeper = KeyManager(Index(environ["MISTRAL_NB_HOME"]), {"file": self.items.store})
        self.rng = random.Random(SEED)
        self.pace: Pace | None = None
        self.killed = 0

    def keep(self, workspace: str = "prod") -> Key:
        """A key that is kept before the command starts."""
        key = self.sandbox.make_key(workspace)
        self.keeper.keep(workspace, key, store="file")
        return key

    def run(self, words: list[str], given: str = "") -> None:
        """Once to its end, which tells how long it takes; from then on killed somewhere on its way."""
        process = subprocess.Popen(
            [SCRIPT, *words],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        start = time.monotonic()
        try:
            limit = self.rng.uniform(0.3, 1) * self.pace.seconds if self.pace else 60 * PATIENCE
            said = process.communicate(given, limit)[1]
            assert process.returncode == 0, said
            self.pace = self.pace or Pace(time.monotonic() - start)
            self.pace.note(ended=True)
        except subprocess.TimeoutExpired:
            self.killed += 1
        finally:
            process.kill()
            process.communicate()

    def finds(self, may_be: Iterable[Key | None]) -> str:
        """The fingerprint of what is kept for prod; all that is wrong fails the test."""
        wrong, found = crashes.check(self.keeper, self.items, {key.fingerprint if key else "" for key in may_be})
        assert wrong == []
        return found


@pytest.fixture
def victim(environ: dict[str, str], sandbox: Sandbox) -> Victim:
    return Victim(environ, sandbox)


def logs_in(victim: Victim) -> None:
    old, new = victim.keep(), victim.sandbox.make_key("prod")
    victim.run(["login", "prod", "--yes", "--expires", "never"], given=new.reveal())
    victim.finds([old, new])


def logs_out(victim: Victim) -> None:
    old = victim.keep()
    victim.run(["logout", "prod", "--yes"])
    victim.finds([old, None])


@many
@pytest.mark.parametrize("one_round", [logs_in, logs_out], ids=lambda one_round: one_round.__name__)
def test_the_old_or_the_new_key_is_there_and_nothing_is_damaged(
    one_round: Callable[[Victim], None], victim: Victim, kills: int
) -> None:
    wanted = max(2, kills // 60)  # each takes an interpreter's start and more
    for _ in range(wanted * ATTEMPTS):
        one_round(victim)
        if victim.killed == wanted:
            break
    assert victim.killed == wanted, "the kills came too late"


def test_the_check_notices_a_missing_key(victim: Victim) -> None:
    key = victim.keep()
    assert victim.finds([key]) == key.fingerprint
    victim.items.store.delete("prod", victim.keeper.workspaces()["prod"].slot)
    with pytest.raises(AssertionError, match="neither the old nor the new key"):
        victim.finds([key])
