"""`edit`: by the real command line, several changes at once, and killed on the way."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.commands import edit
from mistral_nb.errors import MistralNbError, StoreError, WrongUsage
from mistral_nb.storage.index import Index, Workspace
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters
from support.commands import Person, act, mistral_nb, read
from support.keys import make_key
from support.kills import few_or_many

NewContext = Callable[..., Context]
CHEAP = KdfParameters(memory=8, iterations=1, lanes=1)


@pytest.mark.slow
def test_renaming_by_the_command_line(kept: dict[str, Key], environ: dict[str, str], new_context: NewContext) -> None:
    done = mistral_nb(environ, "edit", "prod", "--rename", "production")
    assert (done.returncode, done.stdout.strip()) == (0, f"Renamed: prod is now production …{kept['prod'].tail}.")
    assert read(new_context) == {"dev": kept["dev"], "production": kept["prod"]}
    assert new_context().key_manager.workspaces()["production"].expires == "2028-02-29"
    assert mistral_nb(environ, "edit", "nowhere", "--rename", "x").returncode == 2
    assert mistral_nb(environ, "edit", "dev", "--rename", "status").returncode == 2
    assert mistral_nb(environ, "edit", "dev", "--rename", "production").returncode == 2


def test_renaming_what_is_in_use_keeps_it_in_use(kept: dict[str, Key], new_context: NewContext) -> None:
    act(new_context(), "switch", workspace="prod")
    act(new_context(), "edit", workspace="prod", rename="production")
    active = new_context().active
    assert active
    assert (active.workspace, active.key) == ("production", kept["prod"])


@pytest.mark.slow
def test_moving_where_no_keyring_is_changes_nothing(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext
) -> None:
    done = mistral_nb(environ, "edit", "prod", "--store", "keyring")
    assert done.returncode == 3
    assert read(new_context) == kept
    assert mistral_nb(environ, "edit", "prod", "--store", "file").returncode == 0
    assert mistral_nb(environ, "edit", "prod", "--store", "elsewhere").returncode == 2


def test_from_memory_into_the_encrypted_file(new_context: NewContext) -> None:
    key = make_key()
    context = new_context()
    context.key_manager.keep("dev", key, store="memory")
    act(context, "edit", workspace="dev", store="file")
    assert read(new_context) == {"dev": key}


def test_moving_out_of_memory_replaces_no_key_that_another_process_stored(new_context: NewContext) -> None:
    mine, theirs, context = make_key(), make_key(), new_context()
    context.key_manager.keep("prod", mine, store="memory")
    KeyManager(context.index, {"file": context.stores["file"]}).keep("prod", theirs, store="file")
    with pytest.raises(WrongUsage, match=f"has stored prod …{theirs.tail}"):
        act(context, "edit", workspace="prod", store="file")
    act(context, "edit", workspace="prod", rename="mine", store=None)
    act(context, "edit", workspace="mine", store="file")
    assert read(new_context) == {"prod": theirs, "mine": mine}


@pytest.mark.slow
def test_several_changes_at_once(kept: dict[str, Key], environ: dict[str, str], new_context: NewContext) -> None:
    changes = ("--rename", "team", "--key-name", "laptop", "--expires", "2029-01-31", "--ask-first")
    done = mistral_nb(environ, "edit", "prod", "--store", "file", *changes)
    tail = kept["prod"].tail
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"prod …{tail} is in the encrypted file already.")
    assert f"Renamed: prod is now team …{tail} (ask first)." in done.stdout
    assert "To replace its key: mistral-nb rotate team" in done.stdout
    entry = new_context().key_manager.workspaces()["team"]
    assert (entry.name, entry.expires, entry.ask_first) == ("laptop", "2029-01-31", True)
    assert read(new_context) == {"dev": kept["dev"], "team": kept["prod"]}
    assert mistral_nb(environ, "edit", "team", "--no-ask-first").returncode == 0
    assert not new_context().key_manager.workspaces()["team"].ask_first


def test_from_memory_with_another_name_and_details_at_once(new_context: NewContext) -> None:
    key, context = make_key(), new_context()
    context.key_manager.keep("dev", key, store="memory")
    acted = act(context, "edit", workspace="dev", store="file", rename="team", expires="never", key_name="laptop")
    assert read(new_context) == {"team": key}
    assert acted.report.data == {
        "workspace": "team",
        "tail": key.tail,
        "store": "file",
        "expires": None,
        "ask_first": False,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"rename": "status"},
        {"rename": "dev"},
        {"rename": "a b"},
        {"store": "keyring"},
        {"expires": "soon"},
        {"ask_first": True, "no_ask_first": True},
    ],
)
def test_nothing_is_changed_when_one_change_is_impossible(
    wrong: dict[str, Any], kept: dict[str, Key], new_context: NewContext
) -> None:
    right = {"rename": "team", "key_name": "laptop", "expires": "2029-01-31", "ask_first": True}
    before = new_context().read_index().workspaces
    with pytest.raises(MistralNbError):
        act(new_context(), "edit", workspace="prod", **right | wrong)
    assert new_context().read_index().workspaces == before
    assert read(new_context) == kept


def test_what_was_changed_before_a_failure_is_said(kept: dict[str, Key], new_context: NewContext) -> None:
    class Full(KeyManager):
        def rename(self, workspace: str, name: str) -> Workspace:
            raise StoreError("The disk is full.", "Free some space.")

    context, steps = new_context(), []
    context.__dict__["key_manager"] = Full(context.index, context.stores)
    running = edit.action(context, "prod", rename="team", expires="never")
    with pytest.raises(StoreError, match="The disk is full"):
        drive(running, Person({}), steps.append)
    assert steps == [f"Updated prod …{kept['prod'].tail}; its key is unchanged. Expires: never."]


def test_with_nothing_to_change_it_says_what_can_be(kept: dict[str, Key], new_context: NewContext) -> None:
    with pytest.raises(WrongUsage, match="--rename NAME, --store STORE, --key-name NAME, --expires DATE, --ask-first"):
        act(new_context(), "edit", workspace="prod")


class OtherVault(Vault):
    name = "keyring"


class World:
    """Two persistent stores of one home, and what to do with them until a kill."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "passphrase"
        self.keys = {name: make_key() for name in ("one", "two")}
        self.file.write_text("a passphrase 0")
        keeper = self.keeper()
        for name, key in self.keys.items():
            keeper.keep(name, key, store="file")

    def keeper(self) -> KeyManager:
        stores = {
            "file": Vault(str(self.folder), None, CHEAP, passphrase_file=str(self.file)),
            "keyring": OtherVault(str(self.folder / "other"), Secret("the other passphrase"), CHEAP),
        }
        return KeyManager(Index(str(self.folder)), stores)

    def work(self, rng: random.Random) -> None:
        from mistral_nb.commands import passphrase

        while True:
            keeper = self.keeper()
            name = rng.choice(list(keeper.workspaces()))
            match rng.choice(["edit", "rename", "--store", "passphrase"]):
                case "move":
                    keeper.move(name, "keyring" if keeper.workspaces()[name].store == "file" else "file")
                case "rename":
                    keeper.rename(name, name[:3] + str(rng.randrange(10**12)))
                case "passphrase":
                    new = Secret(f"a passphrase {rng.random()}")
                    passphrase._change_both(keeper.stores["file"], str(self.file), new)


@few_or_many
def test_killed_at_any_moment_every_key_is_there_under_one_name(tmp_path: Path, kills: int) -> None:
    world = World(tmp_path)
    rng = random.Random(20261123)
    held = {key.fingerprint for key in world.keys.values()}
    for _ in range(kills // 2):
        seed = rng.random()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, b"begun\n")
                world.work(random.Random(seed))
            except BaseException as error:  # noqa: BLE001 - shown by the test that fails
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as words:
            assert words.readline() == "begun\n"
        time.sleep(rng.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL, "the process failed by itself"
        keeper = world.keeper()
        assert {keeper.read(name).fingerprint for name in keeper.workspaces()} == held
        assert len(keeper.workspaces()) == len(held)
        assert keeper.run_pending_deletions() == []
        contents = keeper.index.read()
        assert contents.pending_deletions == []
        places = {(entry.store, name, entry.slot) for name, entry in contents.workspaces.items()}
        stored = {
            (store, name, slot)
            for store in ("file", "keyring")
            for name, slots in keeper.stores[store].read_all().items()
            for slot in slots
        }
        assert stored == places
