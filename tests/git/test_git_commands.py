"""What people do with git, in a protected repository whose notebook holds a key: twice, the second time in one
whose history holds another key already.

After each: no object holds the planted key, `git status` is clean, and the notebook is as expected.
"""

import contextlib
import tarfile
from collections.abc import Callable
from io import BytesIO

import pytest

from mistral_nb.api_key import MARKER, Key
from support.git_repos import Repo, notebook, uses
from support.keys import make_key

NAME = "nb.ipynb"
OLD = "old.ipynb"


def dirty(key: Key, *more: str) -> bytes:
    return notebook("1 + 1", uses(key), *more)


def without(key: Key, data: bytes) -> bytes:
    return data.replace(key.reveal().encode(), MARKER.encode())


def plant(repo: Repo, key: Key, *more: str) -> bytes:
    data = dirty(key, *more)
    repo.write(NAME, data)
    return data


def add_and_commit(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.commit()
    assert repo.blob(f"HEAD:{NAME}") == without(key, data)
    return data


def commit_all_at_once(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.git("commit", "-q", "-a", "-m", "all")
    return data


def commit_a_path(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.git("commit", "-q", "-m", "one path", "--", NAME)
    return data


def amend(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.git("add", NAME)
    repo.git("commit", "-q", "--amend", "--no-edit")
    return data


def stash_and_pop(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.git("stash")
    repo.git("stash", "pop")
    repo.commit()
    return without(key, data)  # what was stashed was stored


def stash_what_is_untracked(repo: Repo, key: Key) -> bytes:
    data = dirty(key)
    repo.write("other.ipynb", data)
    repo.git("stash", "-u")
    repo.git("stash", "pop")
    assert repo.read("other.ipynb") == without(key, data)
    repo.commit()
    return repo.read(NAME)


def rebase(repo: Repo, key: Key) -> bytes:
    repo.git("switch", "-q", "-c", "topic")
    plant(repo, key)
    repo.commit("topic")
    repo.git("switch", "-q", "main")
    repo.write("other.ipynb", notebook("3"))
    repo.commit("other")
    repo.git("rebase", "-q", "main", "topic")
    return without(key, dirty(key))


def rebase_with_autostash(repo: Repo, key: Key) -> bytes:
    repo.git("switch", "-q", "-c", "topic")
    repo.write("more.ipynb", notebook("4"))
    repo.commit("topic")
    repo.git("switch", "-q", "main")
    repo.write("other.ipynb", notebook("3"))
    repo.commit("other")
    repo.git("switch", "-q", "topic")
    plant(repo, key)
    repo.git("rebase", "-q", "--autostash", "main")
    repo.commit()
    return without(key, dirty(key))


def merge_with_a_conflict(repo: Repo, key: Key) -> bytes:
    repo.git("switch", "-q", "-c", "topic")
    repo.write(NAME, notebook("1 + 1", "topic"))
    repo.commit("topic")
    repo.git("switch", "-q", "main")
    plant(repo, key)
    repo.commit("main")
    assert repo.run("merge", "topic").returncode == 1
    assert b"<<<<<<<" in repo.read(NAME)
    conflicted = repo.read(NAME) + uses(key).encode()
    repo.write(NAME, conflicted)  # markers, invalid JSON, and the key again
    repo.git("add", NAME)
    assert repo.blob(f":{NAME}") == without(key, conflicted)
    data = plant(repo, key, "topic")
    repo.git("add", NAME)
    repo.git("commit", "-q", "-m", "merged")
    return data


def cherry_pick(repo: Repo, key: Key) -> bytes:
    repo.git("switch", "-q", "-c", "topic")
    plant(repo, key)
    repo.commit("topic")
    repo.git("switch", "-q", "main")
    repo.git("cherry-pick", "topic")
    return without(key, dirty(key))


def revert(repo: Repo, key: Key) -> bytes:
    before = repo.read(NAME)
    plant(repo, key)
    repo.commit()
    repo.git("checkout", "-q", "--", ".")
    repo.git("revert", "--no-edit", "HEAD")
    return before


def add_in_parts(repo: Repo, key: Key) -> bytes:
    repo.write(NAME, notebook("1 + 1", *"abcdefgh", "2 + 2"))
    repo.commit("longer")
    data = notebook(uses(key), *"abcdefgh", uses(key))
    repo.write(NAME, data)
    repo.git("add", "-p", given="y\nn\n")
    staged = repo.blob(f":{NAME}")
    assert MARKER.encode() in staged
    assert b"2 + 2" in staged
    assert repo.status() == f"MM {NAME}\n"
    assert repo.read(NAME) == data
    repo.git("commit", "-q", "-m", "the first part")
    repo.commit("the rest")
    return data


def stage_in_parts_over_time(repo: Repo, key: Key) -> bytes:
    plant(repo, key)
    repo.git("add", NAME)
    data = plant(repo, key, "unstaged")
    assert repo.status() == f"MM {NAME}\n"
    repo.git("commit", "-q", "-m", "what was staged")
    assert b"unstaged" not in repo.blob(f"HEAD:{NAME}")
    repo.commit("the rest")
    return data


def checkout_and_restore(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.commit()
    repo.write(NAME, notebook("something else"))
    repo.git("restore", NAME)
    assert repo.read(NAME) == without(key, data)
    repo.git("checkout", "-q", "HEAD~1", "--", NAME)
    repo.git("checkout", "-q", "HEAD", "--", NAME)
    return without(key, data)


def switch_there_and_back(repo: Repo, key: Key) -> bytes:
    repo.git("switch", "-q", "-c", "topic")
    plant(repo, key)
    repo.commit()
    repo.touch()
    repo.git("switch", "-q", "main")
    repo.git("switch", "-q", "topic")
    return without(key, dirty(key))


def reset_hard(repo: Repo, key: Key) -> bytes:
    before = repo.read(NAME)
    plant(repo, key)
    repo.commit()
    repo.git("reset", "-q", "--hard", "HEAD~1")
    return before


def in_a_linked_worktree(repo: Repo, key: Key) -> bytes:
    before = repo.read(NAME)
    path = repo.path.parent / "linked tree"
    repo.git("worktree", "add", "-q", "-b", "topic", str(path))
    linked = Repo(path, repo.env, make=False)
    data = plant(linked, key)
    linked.commit()
    assert linked.status() == ""
    assert linked.read(NAME) == data
    return before


def in_a_submodule(repo: Repo, key: Key) -> bytes:
    origin = Repo(repo.path.parent / "origin", repo.env)
    origin.write("sub.ipynb", notebook("sub"))
    origin.commit()
    repo.git("submodule", "--quiet", "add", str(origin.path), "sub module")
    inside = Repo(repo.path / "sub module", repo.env, make=False)
    assert "sub module" in repo.protect().shown  # it says that this is a repository of its own
    inside.protect()
    data = dirty(key)
    inside.write("sub.ipynb", data)
    inside.commit()
    assert inside.status() == ""
    assert not inside.objects_with(key)
    assert inside.read("sub.ipynb") == data
    repo.commit("the submodule")
    return repo.read(NAME)


def archive(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    repo.commit()
    file = repo.path.parent / "archive.tar"
    repo.git("archive", "-o", str(file), "HEAD")
    with tarfile.open(fileobj=BytesIO(file.read_bytes())) as archived:
        member = archived.extractfile(NAME)
        assert member
        assert member.read() == without(key, data)
    return data


def diff_and_blame(repo: Repo, key: Key) -> bytes:
    data = plant(repo, key)
    for words in (("diff",), ("diff", "HEAD"), ("blame", NAME), ("diff", "--stat"), ("grep", "--cached", "Mistral")):
        assert key.reveal() not in repo.run(*words).stdout
    assert MARKER in repo.git("diff")
    repo.commit()
    return data


def sparse_checkout(repo: Repo, key: Key) -> bytes:
    before = repo.read(NAME)
    repo.write("sub/a.ipynb", notebook("a"))
    repo.write("other/b.ipynb", notebook("b"))
    repo.commit()
    repo.git("sparse-checkout", "set", "sub")
    data = dirty(key)
    repo.write("sub/a.ipynb", data)
    repo.commit()
    assert repo.read("sub/a.ipynb") == data
    repo.git("sparse-checkout", "disable")
    assert repo.read("other/b.ipynb") == notebook("b")
    return before


def bisect(repo: Repo, key: Key) -> bytes:
    for number in range(4):
        plant(repo, key, str(number))
        repo.commit(str(number))
    repo.git("checkout", "-q", "--", ".")
    repo.git("bisect", "start", "HEAD", "HEAD~4")
    repo.touch()
    repo.git("bisect", "run", "git", "diff", "--quiet")
    repo.git("bisect", "reset")
    repo.git("checkout", "-q", "main")
    return repo.read(NAME)


def rename_and_add(repo: Repo, key: Key) -> bytes:
    before = repo.read(NAME)
    plant(repo, key)
    repo.commit()
    repo.git("mv", NAME, 'näme with "quotes" and spaces %f.ipynb')
    repo.touch()
    repo.commit()
    repo.write(NAME, before)
    repo.commit()
    return before


def a_patch_mailed_and_applied(repo: Repo, key: Key) -> bytes:
    plant(repo, key)
    repo.commit("to mail")
    patch = repo.git("format-patch", "-1", "--stdout")
    assert key.reveal() not in patch
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("am", given=patch)
    return without(key, dirty(key))


def a_subfolder_with_a_notebook_per_encoding(repo: Repo, key: Key) -> bytes:
    data = dirty(key)
    forms = {
        "bom": b"\xef\xbb\xbf" + data,
        "crlf": data.replace(b"\n", b"\r\n"),
        "invalid": b"{" + uses(key).encode() + b"\xff\xfe\xfa",
        "empty": b"",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12\n",
    }
    for name, form in forms.items():
        repo.write(f"sub folder/{name}.ipynb", form)
    repo.commit()
    repo.touch()
    for name, form in forms.items():
        assert repo.blob(f"HEAD:sub folder/{name}.ipynb") == without(key, form)
        assert repo.read(f"sub folder/{name}.ipynb") == form
    return repo.read(NAME)


SCENARIOS: tuple[Callable[[Repo, Key], bytes], ...] = (
    add_and_commit,
    commit_all_at_once,
    commit_a_path,
    amend,
    stash_and_pop,
    stash_what_is_untracked,
    rebase,
    rebase_with_autostash,
    merge_with_a_conflict,
    cherry_pick,
    revert,
    add_in_parts,
    stage_in_parts_over_time,
    checkout_and_restore,
    switch_there_and_back,
    reset_hard,
    in_a_linked_worktree,
    in_a_submodule,
    archive,
    diff_and_blame,
    sparse_checkout,
    bisect,
    rename_and_add,
    a_patch_mailed_and_applied,
    a_subfolder_with_a_notebook_per_encoding,
)
SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


def check(repo: Repo, key: Key, expected: bytes) -> None:
    assert repo.objects_with(key) == []
    assert repo.read(NAME) == expected
    assert repo.status() == ""
    repo.touch()
    assert repo.status() == "", "an unmodified notebook looks modified"


@pytest.mark.slow_except("add_and_commit", "stash_and_pop", "rebase]", "merge_with", "add_in_parts", "in_a_linked")
@SCENARIO
def test_no_object_contains_the_key(scenario: Callable[[Repo, Key], bytes], repo: Repo, key: Key) -> None:
    check(repo, key, scenario(repo, key))


@pytest.mark.slow
@SCENARIO
def test_a_history_with_another_key_does_not_interfere(
    scenario: Callable[[Repo, Key], bytes], bare: Repo, key: Key
) -> None:
    """The other key was committed in the notebook at hand and in one beside it, before there was a filter."""
    other = make_key()
    bare.remember(other)
    bare.write(OLD, notebook(uses(other)))
    bare.write(NAME, notebook("1 + 1", uses(other)))
    bare.commit("before")
    bare.protect()
    bare.write("setup.ipynb", notebook("nothing"))
    bare.commit("the start")
    bare.touch()
    assert bare.status() == ""
    check(bare, key, scenario(bare, key))
    assert bare.read(OLD) == notebook(uses(other))
    assert bare.objects_with(other) == ["plain"]


@pytest.mark.slow
@SCENARIO
def test_without_protection_the_key_is_found(
    scenario: Callable[[Repo, Key], bytes], bare: Repo, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the search sees what the filter prevents."""
    bare.write(NAME, notebook("1 + 1", "2 + 2"))
    bare.commit("the start")
    monkeypatch.setattr(Repo, "protect", lambda self, **flags: self.act("protect", status=True))
    with contextlib.suppress(AssertionError):  # the scenario looks at what is stored, too
        scenario(bare, key)
    repositories = [bare, *(Repo(path, bare.env, make=False) for path in bare.path.glob("sub module"))]
    for repository in repositories:
        repository.run("add", "-A")
    assert "plain" in {form for repository in repositories for form in repository.objects_with(key)}
