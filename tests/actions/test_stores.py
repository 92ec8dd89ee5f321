"""`move`, `rename`, `passphrase`, `backup`, `restore`: by the real command line, and killed on the way."""

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acting import act
from keys import make_key

from mistral_nb.actions.context import Context
from mistral_nb.errors import (
    CannotAsk,
    MistralNbError,
    Overtaken,
    PassphraseNeeded,
    StoreError,
    StoreUnavailable,
    VaultDamaged,
    VaultTruncated,
    WrongPassphrase,
    WrongUsage,
)
from mistral_nb.key import Key, Secret
from mistral_nb.store import backup as backups
from mistral_nb.store.envelope import Kdf
from mistral_nb.store.index import Index, Workspace
from mistral_nb.store.life import LifeKeeper
from mistral_nb.store.vault import Vault

NewContext = Callable[..., Context]
CHEAP = Kdf(memory=8, iterations=1, lanes=1)


def mistral_nb(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mistral_nb", *words]
    return subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def kept(new_context: NewContext) -> dict[str, Key]:
    keys = {"dev": make_key(), "prod": make_key()}
    for name, key in keys.items():
        new_context().keeper.keep(
            name, key, {"name": f"{name}'s", "expires": "2028-02-29", "expiry_known": True}, "file"
        )
    return keys


def read(new_context: NewContext) -> dict[str, Key]:
    keeper = new_context().keeper
    return {name: keeper.read(name) for name in keeper.workspaces()}


def test_renaming_by_the_command_line(kept: dict[str, Key], environ: dict[str, str], new_context: NewContext) -> None:
    done = mistral_nb(environ, "rename", "prod", "production")
    assert (done.returncode, done.stdout.strip()) == (0, f"Renamed: prod is now production …{kept['prod'].tail}.")
    assert read(new_context) == {"dev": kept["dev"], "production": kept["prod"]}
    assert new_context().keeper.workspaces()["production"].expires == "2028-02-29"
    assert mistral_nb(environ, "rename", "nowhere", "x").returncode == 2
    assert mistral_nb(environ, "rename", "dev", "status").returncode == 2
    assert mistral_nb(environ, "rename", "dev", "production").returncode == 2


def test_renaming_what_is_in_use_keeps_it_in_use(kept: dict[str, Key], new_context: NewContext) -> None:
    act(new_context(), "use", workspace="prod")
    act(new_context(), "rename", workspace="prod", new_name="production")
    active = new_context().active
    assert active
    assert (active.workspace, active.key) == ("production", kept["prod"])


def test_moving_where_no_keyring_is_changes_nothing(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext
) -> None:
    done = mistral_nb(environ, "move", "prod", "keyring")
    assert done.returncode == 3
    assert read(new_context) == kept
    assert mistral_nb(environ, "move", "prod", "file").returncode == 0
    assert mistral_nb(environ, "move", "prod", "elsewhere").returncode == 2


def test_from_memory_into_the_encrypted_file(new_context: NewContext) -> None:
    key = make_key()
    context = new_context()
    context.keeper.keep("dev", key, store="memory")
    act(context, "move", workspace="dev", store="file")
    assert read(new_context) == {"dev": key}


def test_moving_out_of_memory_replaces_a_stored_key_of_that_name_only_on_a_yes(
    kept: dict[str, Key], new_context: NewContext
) -> None:
    key, context = make_key(), new_context()
    context.keeper.keep("prod", key, store="memory")
    for said in ({}, {"replace": "no"}):
        with pytest.raises(MistralNbError, match=f"…{kept['prod'].tail}"):
            act(context, "move", said, workspace="prod", store="file")
    assert context.keeper.read("prod") == key
    act(context, "move", {"replace": "yes"}, workspace="prod", store="file")
    assert read(new_context) == kept | {"prod": key}


def test_the_passphrase_and_its_file_change_together(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    new.write_text("another passphrase\n")
    before = Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).read_text()
    done = mistral_nb(environ, "passphrase", "--new-file", str(new))
    assert done.returncode == 0, done.stderr
    assert Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).read_text() == "another passphrase"
    assert os.stat(environ["MISTRAL_NB_PASSPHRASE_FILE"]).st_mode & 0o77 == 0
    assert read(new_context) == kept
    for name in ("vault", "vault.previous"):
        os.replace(os.path.join(environ["MISTRAL_NB_HOME"], name), tmp_path / "vault")
        with pytest.raises(WrongPassphrase):
            Vault(str(tmp_path), Secret(before)).everything()
        Vault(str(tmp_path), Secret("another passphrase")).everything()


def test_the_passphrase_is_typed_twice(kept: dict[str, Key], environ: dict[str, str], new_context: NewContext) -> None:
    passphrase = Path(environ.pop("MISTRAL_NB_PASSPHRASE_FILE")).read_text()
    answers = {
        "passphrase": passphrase,
        "new passphrase": ["one", "the new one"],
        "passphrase again": ["other", "the new one"],
    }
    acted = act(new_context(), "passphrase", answers)
    assert "The two are not the same." in acted.steps
    with pytest.raises(PassphraseNeeded):
        act(new_context(), "verify", {"passphrase": [passphrase] * 3}, workspace="dev")
    environ["MISTRAL_NB_PASSPHRASE"] = "the new one"
    assert read(new_context) == kept
    with pytest.raises(PassphraseNeeded):
        act(new_context(), "passphrase", {"new passphrase": [""] * 3, "passphrase again": [""] * 3})
    with pytest.raises(CannotAsk, match="--new-file"):
        act(new_context(), "passphrase")


def test_without_an_encrypted_file_there_is_no_passphrase_and_no_backup(new_context: NewContext) -> None:
    for name, flags in (("passphrase", {}), ("backup", {"path": "x"})):
        with pytest.raises(StoreUnavailable):
            act(new_context(), name, **flags)


def test_a_backup_is_read_back_where_nothing_is_left(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext, tmp_path: Path
) -> None:
    new_context().keeper.update("prod", protected=True)
    gone = make_key()
    new_context().keeper.keep("gone", gone, store="file")
    new_context().keeper.set_aside("gone")
    path = str(tmp_path / "backup file")
    done = mistral_nb(environ, "backup", path)
    assert done.returncode == 0, done.stderr
    assert os.stat(path).st_mode & 0o77 == 0
    content = Path(path).read_bytes()
    assert not any(
        text in content for key in kept.values() for text in (key.reveal().encode(), key.fingerprint.encode())
    )
    environ["MISTRAL_NB_HOME"] += "-elsewhere"
    done = mistral_nb(environ, "restore", path)
    assert done.returncode == 0, done.stderr
    assert read(new_context) == kept
    entries = new_context().keeper.workspaces()
    assert (entries["dev"].name, entries["dev"].expires) == ("dev's", "2028-02-29")
    assert entries["prod"].protected
    assert new_context().contents().seen[gone.fingerprint].state == "compromised"
    assert mistral_nb(environ, "restore", path).returncode == 0  # again: nothing to do


def test_reading_back_replaces_nothing_unasked(kept: dict[str, Key], new_context: NewContext, tmp_path: Path) -> None:
    path = str(tmp_path / "backup")
    act(new_context(), "backup", path=path)
    newer = make_key()
    new_context().keeper.keep("prod", newer, store="file")
    acted = act(new_context(), "restore", path=path)
    assert acted.report.exit_code == 1
    assert f"…{kept['prod'].tail} is retired: not taken" in acted.shown
    assert read(new_context)["prod"] == newer
    act(new_context(), "restore", path=path, replace=True)
    assert read(new_context) == kept


def test_stored_keys_are_backed_up_and_put_back_whatever_memory_holds(
    kept: dict[str, Key], new_context: NewContext, tmp_path: Path
) -> None:
    path = str(tmp_path / "keys.backup")
    context = new_context()
    context.keeper.keep("prod", make_key(), store="memory")
    act(context, "backup", path=path)
    act(context, "forget", workspace="prod", yes=True)  # of this process
    act(context, "forget", workspace="prod", yes=True)
    context.keeper.keep("prod", kept["prod"], store="memory")
    assert "is kept already" not in str(act(context, "restore", path=path).report.rows[1])
    assert read(new_context) == kept


def test_a_key_that_another_process_adds_meanwhile_is_not_replaced_by_a_backups(
    kept: dict[str, Key], new_context: NewContext, tmp_path: Path
) -> None:
    path, new = str(tmp_path / "keys.backup"), make_key()
    act(new_context(), "backup", path=path)
    act(new_context(), "forget", workspace="prod", yes=True)

    class Late(LifeKeeper):
        def keep(self, workspace: str, *given: Any, **more: Any) -> Workspace:
            super().keep(workspace, new, store="file")
            return super().keep(workspace, *given, **more)

    context = new_context("cli")
    context.__dict__["keeper"] = Late(context.index, context.stores)
    with pytest.raises(Overtaken):
        act(context, "restore", path=path)
    assert read(new_context) == kept | {"prod": new}


def test_a_new_key_that_waits_is_not_backed_up_and_that_is_said(
    kept: dict[str, Key], new_context: NewContext, tmp_path: Path
) -> None:
    new = make_key()
    new_context().keeper.stage("prod", new)
    path = str(tmp_path / "backup")
    shown = act(new_context(), "backup", path=path).shown
    assert f"Not in it: the new key …{new.tail} of prod, which waits. Finish first: %mistral_key rotate prod" in shown
    new_context().keeper.keep("dev", make_key(), store="file")
    acted = act(new_context(), "restore", path=path, replace=True)
    assert "set aside" not in acted.shown
    assert new_context().keeper.read_pending("prod") == new


def test_a_backup_opens_with_the_passphrase_of_its_day(
    kept: dict[str, Key], new_context: NewContext, environ: dict[str, str], tmp_path: Path
) -> None:
    path, new = str(tmp_path / "backup"), tmp_path / "new"
    old = Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).read_text()
    act(new_context(), "backup", path=path)
    new.write_text("another one")
    act(new_context(), "passphrase", new_file=str(new))
    with pytest.raises(WrongPassphrase, match="at that time"):
        act(new_context(), "restore", path=path)
    acted = act(new_context(), "restore", {"backup passphrase": ["wrong", old]}, path=path)
    assert acted.report.exit_code == 0


def test_a_backup_writes_over_nothing_else(kept: dict[str, Key], new_context: NewContext, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "thesis.pdf", tmp_path / "backup"
    theirs.write_text("years of work")
    with pytest.raises(WrongUsage):
        act(new_context(), "backup", path=str(theirs), yes=True)
    assert theirs.read_text() == "years of work"
    act(new_context(), "backup", path=str(ours))
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "backup", path=str(ours))
    act(new_context(), "backup", path=str(ours), yes=True)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:50] + b"x" + data[51:], lambda _: b""])
def test_a_damaged_backup_is_said_and_changes_nothing(
    damage: Callable[[bytes], bytes], kept: dict[str, Key], new_context: NewContext, tmp_path: Path
) -> None:
    path = tmp_path / "backup"
    act(new_context(), "backup", path=str(path))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises((VaultDamaged, VaultTruncated)) as caught:
        act(new_context(), "restore", path=str(path))
    assert str(path) in str(caught.value)
    assert read(new_context) == kept


def test_no_passphrase_is_asked_for_a_backup_that_is_not_there(
    new_context: NewContext, environ: dict[str, str], tmp_path: Path
) -> None:
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    with pytest.raises(StoreError, match="No such file"):  # without the check: PassphraseNeeded
        act(new_context(), "restore", path=str(tmp_path / "nosuch"))


def test_the_next_step_of_a_backup_can_be_typed_as_it_stands(
    kept: dict[str, Key], new_context: NewContext, tmp_path: Path
) -> None:
    path = str(tmp_path / "a backup")
    step = (
        act(new_context("cli"), "backup", path=path).report.notes[0].partition("mistral-nb ")[2].partition(" reads")[0]
    )
    assert shlex.split(step) == ["restore", path]


def test_the_encrypted_file_itself_is_no_backup(kept: dict[str, Key], new_context: NewContext) -> None:
    with pytest.raises(StoreError, match="is no backup"):
        act(new_context(), "restore", path=new_context().stores["file"].path)


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

    def keeper(self) -> LifeKeeper:
        stores = {
            "file": Vault(str(self.folder), None, CHEAP, passphrase_file=str(self.file)),
            "keyring": OtherVault(str(self.folder / "other"), Secret("other"), CHEAP),
        }
        return LifeKeeper(Index(str(self.folder)), stores)

    def work(self, rng: random.Random) -> None:
        from mistral_nb.actions import passphrase

        while True:
            keeper = self.keeper()
            name = rng.choice(list(keeper.workspaces()))
            match rng.choice(["move", "rename", "passphrase", "backup"]):
                case "move":
                    keeper.move(name, "keyring" if keeper.workspaces()[name].store == "file" else "file")
                case "rename":
                    keeper.rename(name, name[:3] + str(rng.randrange(10**12)))
                case "passphrase":
                    new = Secret(f"a passphrase {rng.random()}")
                    passphrase._change_both(keeper.stores["file"], str(self.file), new)
                case "backup":
                    kept = {n: backups.Kept(keeper.read(n), e) for n, e in keeper.workspaces().items()}
                    backup = backups.Backup(kept, ())
                    backups.write(str(self.folder / "backup"), backup, Secret("of the backup"), CHEAP)


def test_killed_at_any_moment_every_key_is_there_under_one_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    rng = random.Random(20261123)
    held = {key.fingerprint for key in world.keys.values()}
    for _ in range(250):
        seed = rng.random()
        pid = os.fork()
        if pid == 0:
            try:
                world.work(random.Random(seed))
            except BaseException as error:  # noqa: BLE001 - shown by the test that fails
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL, "the process failed by itself"
        keeper = world.keeper()
        assert {keeper.read(name).fingerprint for name in keeper.workspaces()} == held
        assert len(keeper.workspaces()) == len(held)
        assert keeper.finish() == []
        contents = keeper.index.read()
        assert contents.unfinished == []
        places = {(entry.store, name, entry.slot) for name, entry in contents.workspaces.items()}
        stored = {
            (store, name, slot)
            for store in ("file", "keyring")
            for name, slots in keeper.stores[store].everything().items()
            for slot in slots
        }
        assert stored == places
        if (tmp_path / "backup").exists():
            assert set(_marks(backups.read(str(tmp_path / "backup"), Secret("of the backup")))) == held


def _marks(backup: backups.Backup) -> list[str]:
    return [kept.key.fingerprint for kept in backup.workspaces.values()]
