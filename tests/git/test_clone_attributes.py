"""Protection holds for the whole clone, and other filters keep their notebooks."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from support.git_repos import Repo, notebook, python, uses
from support.requirements import need


def nested(repo: Repo) -> str:
    repo.write("sub/.gitattributes", b"*.ipynb -filter\n")
    return "sub/nb.ipynb"


def macro(repo: Repo) -> str:
    repo.write(".gitattributes", b"[attr]plain -filter\n*.ipynb plain\n")
    repo.write("sub/.gitattributes", b"*.ipynb plain\n")
    return "sub/nb.ipynb"


def capitals(repo: Repo) -> str:
    return "NB.IPYNB"


def own_line(repo: Repo) -> str:
    repo.write(".git/info/attributes", b"*.ipynb !filter")
    return "nb.ipynb"


@pytest.mark.parametrize("prepare", [nested, macro, capitals, own_line])
def test_no_attribute_takes_a_notebook_out_of_the_filter(prepare: Callable[[Repo], str], bare: Repo, key: Key) -> None:
    name = prepare(bare)
    bare.write(name, notebook(uses(key)))
    bare.git("add", name)
    assert bare.objects_with(key) == ["plain"], "the control"
    bare.git("rm", "-q", "--cached", name)
    bare.git("gc", "-q", "--prune=now")
    bare.protect()
    bare.git("add", name)
    assert bare.objects_with(key) == []


def test_an_older_branch_a_worktree_and_an_older_commit_are_covered(bare: Repo, key: Key, tmp_path: Path) -> None:
    bare.write("nb.ipynb", notebook("1"))
    bare.commit("before protection")
    bare.git("branch", "older")
    bare.protect()
    bare.commit("protected")
    bare.git("worktree", "add", "-q", str(tmp_path / "linked"), "older")
    linked = Repo(tmp_path / "linked", bare.env, make=False)
    linked.write("nb.ipynb", notebook(uses(key)))
    linked.commit()
    bare.git("switch", "-q", "--detach", "HEAD~1")
    assert not (bare.path / ".gitattributes").exists()
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.commit()
    assert bare.objects_with(key) == []
    assert linked.act("protect", status=True).report.data["protected"]
    (bare.path / ".git/info/attributes").unlink()
    bare.write("nb.ipynb", notebook(uses(key), "the control"))
    bare.commit()
    assert bare.objects_with(key) == ["plain"]


def test_notebooks_with_another_filter_keep_it(bare: Repo, key: Key) -> None:
    """By folder, recursively, by name, and in a folder with odd characters; the others beside them are covered."""
    bare.git("config", "filter.other.clean", python("data = data.replace(b'word', b'WORD')"))
    bare.write(".gitattributes", b"/large/** filter=other\nbig.ipynb filter=other\n")
    bare.write("odd [1] *?/.gitattributes", b"*.ipynb filter=other\nown.ipynb -filter\n")
    bare.write("large/inner/.gitattributes", b"*.ipynb !filter\n")
    others = ["large/a.ipynb", "large/deep/b.ipynb", "big.ipynb", "odd [1] *?/c.ipynb"]
    ours = ["d.ipynb", "large/inner/e.ipynb", "odd [1] *?/own.ipynb", "odd 1 xx/f.ipynb"]
    for name in (*others, *ours):
        bare.write(name, notebook("a word"))
    before = {path: path.read_bytes() for path in (bare.path / ".git/info").glob("*")}
    done = bare.protect().report
    assert {path for paths in done.data["uncovered"].values() for path in paths} == set(others)
    assert "the filter other" in str(done)
    assert not bare.protect().report.data["changed"]
    new = ["large/new.ipynb", "large/deep/deeper/new.ipynb", "odd [1] *?/new.ipynb"]
    for name in (*others, *new, *ours):
        bare.write(name, notebook("a word", uses(key)))
    bare.git("add", "-A")
    for name in (*others, *new):
        assert b"a WORD" in bare.blob(f":{name}"), name
    for name in ours:
        assert b"a word" in bare.blob(f":{name}"), name
        assert MARKER.encode() in bare.blob(f":{name}"), name
    bare.act("unprotect")
    assert {path: path.read_bytes() for path in (bare.path / ".git/info").glob("*")} == before


def test_status_after_unprotect_and_on_a_branch_with_another_filter(bare: Repo) -> None:
    bare.write("nb.ipynb", notebook("1"))
    bare.write("large/nb.ipynb", notebook("2"))
    bare.commit()
    bare.protect()
    bare.commit("protected")
    assert "2 notebooks here use the filter" in bare.act("protect", status=True).shown
    bare.git("switch", "-q", "-c", "other")
    bare.write("large/.gitattributes", b"*.ipynb filter=other\n")
    shown = bare.act("protect", status=True)
    assert shown.report.exit_code == 1
    assert "other filters have other notebooks" in shown.shown
    bare.protect()
    assert "large/nb.ipynb: the filter other" in bare.act("protect", status=True).shown
    bare.git("add", "-A")
    bare.act("unprotect")
    shown = bare.act("protect", status=True)
    assert not shown.report.data["protected"]
    assert "git stores them as they are" in shown.shown


@pytest.fixture
def lfs(bare: Repo) -> Repo:
    """A branch whose large notebooks git-lfs stores, and main, where it does not."""
    need("git-lfs")
    bare.git("lfs", "install", "--local")
    bare.write("nb.ipynb", notebook("1"))
    bare.commit()
    bare.git("switch", "-q", "-c", "large")
    bare.write(".gitattributes", b"large/** filter=lfs diff=lfs merge=lfs -text\n")
    bare.write("large/nb.ipynb", notebook("the first"))
    bare.commit()
    assert b"git-lfs" in bare.blob("HEAD:large/nb.ipynb")
    return bare


def test_git_lfs_keeps_its_notebooks(lfs: Repo) -> None:
    assert "the filter lfs" in lfs.protect().shown
    lfs.write("large/nb.ipynb", notebook("the second"))
    lfs.commit()
    assert b"git-lfs" in lfs.blob("HEAD:large/nb.ipynb")
    lfs.git("checkout", "-q", "HEAD~1")
    assert lfs.read("large/nb.ipynb") == notebook("the first")


def test_a_pointer_is_never_replaced_by_content(lfs: Repo) -> None:
    """Protected on a branch that knows nothing of LFS, then on the one that does."""
    lfs.git("switch", "-q", "main")
    lfs.protect(local=True)
    pointer = lfs.blob("large:large/nb.ipynb")
    switched = lfs.run("switch", "large")
    assert "large/nb.ipynb was checked out as a pointer of Git LFS" in switched.stderr
    assert lfs.read("large/nb.ipynb") == pointer
    lfs.write("large/nb.ipynb", notebook("the second"))
    refused = lfs.run("add", "large/nb.ipynb")
    assert refused.returncode != 0
    assert "Git LFS stores this file" in refused.stderr
    assert lfs.blob(":large/nb.ipynb") == pointer
    lfs.protect(local=True)
    lfs.git("add", "large/nb.ipynb")
    assert b"git-lfs" in lfs.blob(":large/nb.ipynb")
    lfs.git("rm", "-q", "--cached", ".gitattributes")  # LFS is given up: then content may take a pointer's place
    (lfs.path / ".gitattributes").unlink()
    lfs.protect(local=True)
    lfs.git("add", "--renormalize", "large/nb.ipynb")
    assert lfs.blob(":large/nb.ipynb") == notebook("the second")


@pytest.mark.slow
def test_a_pointer_is_kept_whatever_its_file_is_called(lfs: Repo) -> None:
    names = ["large/1:nb.ipynb", "large/a\nline.ipynb", os.fsdecode(b"large/odd \xff.ipynb"), "large/after.ipynb"]
    for name in names:
        lfs.write(name, notebook(name.encode("ascii", "replace").decode()))
    lfs.commit()
    pointers = {name: lfs.blob(f":0:{name}") for name in names}
    lfs.git("switch", "-q", "main")
    lfs.protect(local=True)
    lfs.git("switch", "-q", "large")
    for name in names:
        lfs.write(name, notebook("the second"))
        assert "Git LFS stores this file" in lfs.run("add", name).stderr, ascii(name)
        assert lfs.blob(f":0:{name}") == pointers[name]
    everything = lfs.run("add", "--renormalize", "--ignore-errors", ".")
    assert everything.returncode != 0
    assert {name: lfs.blob(f":0:{name}") for name in names} == pointers
