"""`kill -9` from outside at random moments of the real command line: the old or the new key is there, and whole."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import crashes
import pytest

from mistral_nb.api.sandbox import Sandbox
from mistral_nb.key import Key
from mistral_nb.store.index import Index
from mistral_nb.store.keep import Keeper

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))
ROUNDS = max(2, int(os.environ.get("MISTRAL_NB_KILLS", "500")) // 60)  # each takes an interpreter's start and more
SEED = 20261126
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")


class Victim:
    """A person's command line, its encrypted file, and an honest look at what a killed command left there."""

    def __init__(self, environ: dict[str, str], sandbox: Sandbox) -> None:
        Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).write_text("a passphrase")  # of `crashes.VaultItems`
        self.environ, self.sandbox = environ, sandbox
        self.items = crashes.VaultItems(environ["MISTRAL_NB_HOME"])
        self.keeper = Keeper(Index(environ["MISTRAL_NB_HOME"]), {"file": self.items.store})
        self.rng = random.Random(SEED)
        self.backed_up: Key | None = None
        self.longest = 0.0
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
            said = process.communicate(given, self.rng.uniform(0.3, 1) * self.longest if self.longest else 60)[1]
            assert process.returncode == 0, said
            self.longest = self.longest or time.monotonic() - start
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.killed += 1

    def finds(self, may_be: Iterable[Key | None]) -> str:
        """The fingerprint of what is kept for prod; all that is wrong fails the test."""
        wrong, found = crashes.check(self.keeper, self.items, {key.fingerprint if key else "" for key in may_be})
        assert wrong == []
        return found


@pytest.fixture
def victim(environ: dict[str, str], sandbox: Sandbox) -> Victim:
    return Victim(environ, sandbox)


def adds(victim: Victim) -> None:
    old, new = victim.keep(), victim.sandbox.make_key("prod")
    victim.run(["add", "prod", "--yes", "--expires", "never"], given=new.reveal())
    victim.finds([old, new])


def forgets(victim: Victim) -> None:
    old = victim.keep()
    victim.run(["forget", "prod", "--yes"])
    victim.finds([old, None])


def restores(victim: Victim) -> None:
    backup = Path(victim.environ["HOME"], "keys.backup")
    if not backup.exists():
        victim.backed_up = victim.keep()
        victim.keep("dev")
        subprocess.run([SCRIPT, "backup", str(backup)], env=victim.environ, check=True, capture_output=True)
    before, old = backup.read_bytes(), victim.keep()
    victim.run(["restore", str(backup), "--replace"])
    victim.finds([old, victim.backed_up])
    assert backup.read_bytes() == before


@pytest.mark.parametrize("one_round", [adds, forgets, restores], ids=lambda one_round: one_round.__name__)
def test_the_old_or_the_new_key_is_there_and_nothing_is_damaged(
    one_round: Callable[[Victim], None], victim: Victim
) -> None:
    for _ in range(ROUNDS + 1):
        one_round(victim)
    assert victim.killed > ROUNDS / 2, "the kills came too late"


def test_the_look_notices_a_key_that_is_gone(victim: Victim) -> None:
    key = victim.keep()
    assert victim.finds([key]) == key.fingerprint
    victim.items.store.delete("prod", victim.keeper.workspaces()["prod"].slot)
    with pytest.raises(AssertionError, match="neither the old nor the new key"):
        victim.finds([key])
