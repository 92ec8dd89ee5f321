"""A stash takes a key out of the work file: it is set aside first, or the stash fails. `git add` sets nothing aside."""

import os
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.config import load
from mistral_nb.git import stashed_keys
from mistral_nb.git.stashed_keys import STASH, find_losing_command
from mistral_nb.storage.index import AsideEntry
from mistral_nb.storage.set_aside import open_set_aside
from support.commands import PASSPHRASE
from support.git_repos import Repo, git_environment, notebook, uses

NAME = "nb.ipynb"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """With a store that can be written without asking."""
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE)
    env = git_environment(tmp_path) | {"MISTRAL_NB_STORE": "file", "MISTRAL_NB_PASSPHRASE_FILE": str(file)}
    del env["MISTRAL_NB_SET_ASIDE"]
    return env


def list_aside(repo: Repo) -> dict[Key, AsideEntry]:
    found = open_set_aside(load(repo.env))
    return {found.take(entry): entry for entry in found.entries()}


@pytest.mark.parametrize("words", [("stash",), ("stash", "-u"), ("stash", "push", "--", NAME)], ids=" ".join)
@pytest.mark.slow_except("[stash]")
def test_a_stash_sets_the_key_aside(repo: Repo, key: Key, words: tuple[str, ...]) -> None:
    repo.write(NAME, notebook("1 + 1", uses(key)))
    done = repo.run(*words)
    assert done.returncode == 0, done.stderr
    assert key.reveal().encode() not in repo.read(NAME)
    [(taken, entry)] = list_aside(repo).items()
    assert (taken, entry.file, entry.cell) == (key, NAME, 2)
    assert f"Set aside: …{key.tail}" in done.stderr
    # git may have compared the file first, with the usual index
    assert "not from your file" not in done.stderr.partition("Set aside")[2]


def test_git_add_and_a_commit_set_nothing_aside(repo: Repo, key: Key) -> None:
    repo.write(NAME, notebook("1 + 1", uses(key)))
    done = repo.run("add", NAME)
    assert "not from your file" in done.stderr
    repo.git("commit", "-q", "-m", "x")
    assert key.reveal().encode() in repo.read(NAME)
    assert list_aside(repo) == {}


def test_a_switch_that_merges_sets_the_key_aside(repo: Repo, key: Key) -> None:
    repo.git("switch", "-q", "-c", "other")
    repo.write(NAME, notebook("1 + 1", "3 + 3"))
    repo.commit("differs")
    repo.git("switch", "-q", "main")
    data = notebook("1 + 1", "2 + 2", uses(key))
    repo.write(NAME, data)
    refused = repo.run("switch", "-m", "other", MISTRAL_NB_PASSPHRASE_FILE="/none")
    assert refused.returncode != 0
    assert repo.read(NAME) == data
    assert repo.git("branch", "--show-current") == "main\n"
    done = repo.run("-c", "core.quotePath=false", "switch", "-m", "other")
    assert done.returncode == 0, done.stderr
    assert key.reveal().encode() not in repo.read(NAME), "the control: git put its own version there"
    assert key in list_aside(repo)
    assert f"Set aside: …{key.tail}" in done.stderr
    assert "not from your file" not in done.stderr


def test_an_autostash_sets_the_key_aside(repo: Repo, key: Key) -> None:
    repo.git("switch", "-q", "-c", "other")
    repo.write("other.txt", b"1")
    repo.commit("differs")
    repo.git("switch", "-q", "main")
    repo.write("main.txt", b"1")
    repo.commit("differs too")
    repo.write(NAME, notebook("1 + 1", uses(key)))
    done = repo.run("rebase", "--autostash", "other")
    assert done.returncode == 0, done.stderr
    assert key.reveal().encode() not in repo.read(NAME)
    assert list(list_aside(repo)) == [key]
    assert "not from your file" not in done.stderr.partition("Set aside")[2]


@pytest.mark.slow
def test_without_a_store_the_stash_fails_and_the_file_is_unchanged(repo: Repo, key: Key) -> None:
    del repo.env["MISTRAL_NB_PASSPHRASE_FILE"]
    data = notebook("1 + 1", uses(key))
    repo.write(NAME, data)
    done = repo.run("stash")
    assert done.returncode != 0
    assert repo.read(NAME) == data
    assert f"…{key.tail} is in no store and could not be set aside" in done.stderr
    assert key.reveal() not in done.stderr
    assert repo.git("stash", "list") == ""
    repo.env["MISTRAL_NB_SET_ASIDE"] = "off"
    assert repo.run("stash").returncode == 0
    assert key.reveal().encode() not in repo.read(NAME)


def change_on_both_branches(repo: Repo, *texts: str) -> None:
    """The notebook has each text in a commit of ``topic``, and another one in a commit of ``main``, which is here."""
    repo.git("switch", "-q", "-c", "topic")
    for text in texts:
        repo.write(NAME, notebook(text))
        repo.commit(text)
    repo.git("switch", "-q", "main")
    repo.write(NAME, notebook("main"))
    repo.commit("main")


def conflict(repo: Repo) -> None:
    """A rebase that has stopped at a conflict in the notebook."""
    change_on_both_branches(repo, "topic")
    assert repo.run("rebase", "main", "topic").returncode != 0


@pytest.mark.slow
def test_git_add_during_a_rebase_sets_the_key_aside(repo: Repo, key: Key) -> None:
    conflict(repo)
    repo.write(NAME, notebook(uses(key)))
    done = repo.run("add", NAME)
    assert done.returncode == 0, done.stderr
    assert list(list_aside(repo)) == [key]
    assert key.reveal().encode() in repo.read(NAME)


def test_git_add_between_cherry_picks_sets_the_key_aside(repo: Repo, key: Key) -> None:
    """The next commit that is picked changes the same notebook."""
    change_on_both_branches(repo, "first", "second")
    assert repo.run("cherry-pick", "topic~1", "topic").returncode != 0
    repo.write(NAME, notebook("main", uses(key)))
    said = repo.run("add", NAME).stderr
    assert f"Set aside: …{key.tail}" in said
    assert "not from your file" not in said
    repo.run("-c", "core.editor=true", "cherry-pick", "--continue")
    assert key.reveal().encode() not in repo.read(NAME), "the control: git put its own version there"
    assert list(list_aside(repo)) == [key]


def test_what_a_merge_leaves_in_the_file_is_told_truly(repo: Repo, key: Key) -> None:
    """Nothing comes after the conflict, so the key stays in the file, and nowhere else."""
    change_on_both_branches(repo, "topic")
    assert repo.run("merge", "topic").returncode != 0
    repo.write(NAME, notebook("both", uses(key)))
    assert "not from your file" in repo.run("add", NAME).stderr
    repo.git("-c", "core.editor=true", "merge", "--continue")
    assert key.reveal().encode() in repo.read(NAME)
    assert repo.objects_with(key) == []
    assert list_aside(repo) == {}


@pytest.mark.slow
def test_without_a_store_it_warns(repo: Repo, key: Key) -> None:
    del repo.env["MISTRAL_NB_PASSPHRASE_FILE"]
    conflict(repo)
    repo.write(NAME, notebook(uses(key)))
    done = repo.run("add", NAME)
    assert done.returncode == 0, done.stderr
    assert "your file may lose it in this rebase" in done.stderr
    assert not repo.objects_with(key)


def test_the_command_is_told_by_its_index_and_by_the_folder_of_a_rebase(tmp_path: Path, bare: Repo) -> None:
    top = str(bare.path)
    assert find_losing_command({}, top) == ""
    assert find_losing_command({"GIT_INDEX_FILE": ".git/index"}, top) == ""
    assert find_losing_command({"GIT_INDEX_FILE": os.path.join(top, ".git/index.stash.4711")}, top) == STASH
    bare.write("a.txt", b"a")
    bare.commit("x")
    linked = tmp_path / "linked"
    bare.git("worktree", "add", "-q", str(linked))
    state = bare.path / ".git/worktrees/linked/rebase-merge"
    state.mkdir()
    assert find_losing_command({}, top) == ""
    assert find_losing_command({}, str(linked)) == "rebase"
    assert find_losing_command({}, str(tmp_path)) == ""
    (bare.path / ".git/rebase-apply").mkdir()
    assert find_losing_command({}, top) == "rebase"
    assert find_losing_command({"GIT_DIR": str(bare.path / ".git")}, "/") == "rebase"


def test_a_writer_that_fails_is_one_clean_error(key: Key, tmp_path: Path) -> None:
    from mistral_nb.errors import NotSetAside
    from mistral_nb.key_records import KeyRecord

    record = KeyRecord("a", "remembered", key.fingerprint, key.tail, "not stored", "", 1, None, "source", None)
    with pytest.raises(NotSetAside) as raised:
        stashed_keys.set_aside([record], {key.fingerprint: key}, str(tmp_path), {"MISTRAL_NB_STORE": "disk"})
    assert "MISTRAL_NB_STORE is not one of" in raised.value.failed
    assert raised.value.__cause__ is None
