"""`uninstall` and `logout --all`: listed before and after, and nothing of ours is left."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, StoreLocked, WrongUsage
from mistral_nb.keys import startup_files
from mistral_nb.storage.set_aside import RemovalPlace
from support.commands import PASSPHRASE, act
from support.git_repos import Repo, git_environment
from support.keys import make_key
from support.requirements import need

NewContext = Callable[..., Context]
Env = dict[str, str]


@pytest.fixture
def used(new_context: NewContext) -> list[str]:
    """Keys of every kind in the stores; their tails."""
    need("git")
    context = new_context("cli")
    dev, prod, leaked, lost = keys = [make_key() for _ in range(4)]
    context.key_manager.keep("dev", dev, store="file")
    context.key_manager.keep("prod", prod, store="file")
    context.key_manager.keep("old", leaked, store="file")
    context.key_manager.take_out_compromised("old")
    context.set_aside.put(lost, RemovalPlace("a.ipynb"))
    return [key.tail for key in keys]


def test_every_stored_key_is_listed_and_deleted(new_context: NewContext, used: list[str], environ: Env) -> None:
    act(new_context(), "switch", workspace="dev")
    with pytest.raises(CannotAsk, match="logout --all --yes"):
        act(new_context(), "logout", everything=True)
    with pytest.raises(Cancelled):
        act(new_context(), "logout", {"logout": "no"}, everything=True)
    assert set(new_context().key_manager.workspaces()) == {"dev", "prod"}
    acted = act(new_context(), "logout", {"logout": "yes"}, everything=True)
    assert "Delete 4 keys" in acted.person.asked[0].question
    for tail in used:
        assert tail in "\n".join(acted.steps)
        assert tail in str(acted.report)
    assert "MISTRAL_API_KEY" not in environ
    assert new_context().stores["file"].read_all() == {}
    contents = new_context().read_index()
    assert (contents.workspaces, contents.retired, contents.set_aside, contents.pending_deletions) == ({}, [], [], [])
    assert len(contents.remembered) >= 3, "saves still catch them"
    assert act(new_context(), "logout", everything=True).report.title == "No keys are stored."
    with pytest.raises(WrongUsage, match="--all"):
        act(new_context(), "logout", workspace="dev", everything=True)


@pytest.fixture
def repositories(environ: Env, tmp_path: Path, new_context: NewContext) -> list[Repo]:
    env = git_environment(tmp_path) | environ
    made = [Repo(tmp_path / name, env) for name in ("a repository", "gone", "third")]
    for repo in made:
        repo.act("protect")
    (tmp_path / "gone").rename(tmp_path / "moved away")
    return made


@pytest.mark.slow
def test_nothing_of_ours_is_left(
    new_context: NewContext, used: list[str], repositories: list[Repo], environ: Env, tmp_path: Path
) -> None:
    act(new_context("cli"), "autoload")
    home, mine = Path(environ["MISTRAL_NB_HOME"]), Path(environ["MISTRAL_NB_HOME"], "mine.txt")
    mine.touch()
    acted = act(new_context("cli"), "uninstall", {"uninstall": "yes"})
    assert acted.report.exit_code == 0, acted.shown
    start_up = startup_files.startup_path(environ, system=False)
    for place in (str(repositories[0].path), str(repositories[2].path), start_up, str(home), *used):
        assert place in "\n".join(acted.steps)
    assert not os.path.exists(start_up)
    for repo in (repositories[0], repositories[2]):
        assert b"mistral-nb" not in repo.read(".git/config")
        assert not (repo.path / ".git/hooks/pre-push").exists()
        assert not (repo.path / ".gitattributes").exists()
    assert os.listdir(home) == ["mine.txt"], "a file that is not ours stays"
    mine.unlink()
    assert act(new_context("cli"), "uninstall").report.title.startswith("Nothing to remove.")


def test_the_passphrase_is_asked_for_before_anything_is_deleted(
    new_context: NewContext, used: list[str], environ: Env
) -> None:
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    acted = act(new_context("cli"), "logout", everything=True, yes=True)
    assert acted.report.exit_code == 3
    assert set(new_context().key_manager.workspaces()) == {"dev", "prod"}
    acted = act(new_context("cli"), "logout", {"passphrase": PASSPHRASE}, everything=True, yes=True)
    assert acted.report.exit_code == 0, acted.shown
    assert new_context().read_index().pending_deletions == []


def test_a_forgotten_passphrase_keeps_nobody_from_leaving(
    new_context: NewContext, used: list[str], environ: Env
) -> None:
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    assert act(new_context("cli"), "uninstall", yes=True).report.exit_code == 0
    assert not os.path.exists(environ["MISTRAL_NB_HOME"])


def test_without_a_yes_nothing_is_removed(new_context: NewContext, used: list[str], environ: Env) -> None:
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context("cli"), "uninstall")
    with pytest.raises(Cancelled, match="Nothing was removed"):
        act(new_context("cli"), "uninstall", {"uninstall": "no"})
    assert set(new_context().key_manager.workspaces()) == {"dev", "prod"}


def test_keys_may_stay(new_context: NewContext, used: list[str], environ: Env) -> None:
    act(new_context("cli"), "autoload")
    act(new_context("cli"), "uninstall", keep_keys=True, yes=True)
    assert startup_files.find_startup_files(environ) == []
    assert set(new_context().key_manager.workspaces()) == {"dev", "prod"}


class LockedKeyring:
    """A keyring that was locked after a key was stored in it."""

    name = "keyring"
    locked = False

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], object] = {}

    def unavailable_reason(self) -> None:
        return None

    def get(self, workspace: str, slot: str) -> object:
        return self.items.get((workspace, slot))

    def put(self, workspace: str, slot: str, key: object) -> None:
        self.items[workspace, slot] = key

    def delete(self, workspace: str, slot: str) -> None:
        if self.locked:
            raise StoreLocked("The keyring is locked.", "Unlock it and try again.")
        self.items.pop((workspace, slot), None)


def test_what_cannot_be_deleted_now_is_known_the_next_time(new_context: NewContext, environ: Env) -> None:
    keyring = LockedKeyring()

    def with_keyring() -> Context:
        context = new_context("cli")
        context.stores = {**context.stores, "keyring": keyring}
        return context

    with_keyring().key_manager.keep("dev", make_key(), store="keyring")
    keyring.locked = True
    acted = act(with_keyring(), "uninstall", yes=True)
    assert acted.report.exit_code == 3
    assert "The keyring is locked." in acted.shown
    assert "Run this again." in acted.shown
    assert keyring.items
    keyring.locked = False
    assert act(with_keyring(), "uninstall", yes=True).report.exit_code == 0
    assert keyring.items == {}
    assert not os.path.exists(environ["MISTRAL_NB_HOME"])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("workspaces.json", "Keys may be left in the keyring"),
        ("protected.json", "Repositories may still be protected"),
    ],
)
def test_what_cannot_be_read_stays_and_is_reported(
    name: str, what: str, new_context: NewContext, used: list[str], environ: Env
) -> None:
    damaged = Path(environ["MISTRAL_NB_HOME"], name)
    damaged.write_text("{")
    acted = act(new_context("cli"), "uninstall", yes=True)
    assert acted.report.exit_code == 3
    assert str(damaged) in acted.shown
    assert what in acted.shown
    assert damaged.read_text() == "{"
    assert Path(environ["MISTRAL_NB_HOME"], "vault").exists()


def test_repositories_that_are_not_known_are_not_nothing(new_context: NewContext, environ: Env) -> None:
    os.makedirs(environ["MISTRAL_NB_HOME"])
    Path(environ["MISTRAL_NB_HOME"], "protected.json").write_text("{")
    acted = act(new_context("cli"), "uninstall", keep_keys=True, yes=True)
    assert (acted.report.exit_code, acted.report.title) == (3, "Not everything could be removed.")
