"""Which of the five ways of looking sees a key in which place of a repository: one table, tried cell by cell.

Each cell is tried with a known, a remembered and a suspected key at once; where it says why not, none is seen.
"""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mistral_nb.api_key import Key
from mistral_nb.git.repository_protection import FilterConflict
from mistral_nb.report import as_text
from support.git_repos import Repo, git_environment, notebook, uses
from support.keys import make_key
from support.requirements import need

FILTER, PRE_COMMIT, PRE_PUSH, HISTORY, ACTION = "filter", "pre-commit", "pre-push", "history scan", "Action"
NO_FILES = "git shows a filter and a pre-commit hook the content of files alone"
OWN_REPOSITORY = "a submodule is a repository of its own, with its own protection and pushes"
NO_OBJECT = "another filter keeps the content elsewhere: git has a pointer to it"
STORES_AS_IS = "a notebook has one filter, and this one has another (protect --wrap runs both)"


def covered(**reasons: str) -> dict[str, str]:
    """A column: "" where the key is seen, else why not."""
    names = {"filter": FILTER, "pre_commit": PRE_COMMIT, "pre_push": PRE_PUSH, "history": HISTORY, "action": ACTION}
    return {row: reasons.get(name, "") for name, row in names.items()}


class Keys(NamedTuple):
    known: Key
    remembered: Key
    suspected: Key

    @property
    def lines(self) -> tuple[str, str, str]:
        return f"a = '{self.known.reveal()}'", f"b = '{self.remembered.reveal()}'", uses(self.suspected)

    @property
    def names(self) -> tuple[str, str, str]:
        first, second, third = (key.reveal() for key in self)
        return f"{first}.txt", f"{second}.txt", f"mistral_api_key={third}.txt"

    @property
    def notebook(self) -> bytes:
        return notebook(*self.lines)

    def tiers(self, seen: Callable[[Key], bool]) -> set[str]:
        return {tier for tier, key in self._asdict().items() if seen(key)}


class Step(NamedTuple):
    """What was staged, in which work tree, and the command that makes it a part of the history."""

    repo: Repo
    words: tuple[str, ...] = ("commit", "-q", "-m", "a change")
    given: str | None = None


def blob(repo: Repo, keys: Keys) -> Step:
    repo.write("a.ipynb", keys.notebook)
    return Step(repo)


def message(repo: Repo, keys: Keys) -> Step:
    return Step(repo, ("commit", "-q", "--allow-empty", "-F", "-"), "\n\n".join(("Subject", *keys.lines)))


def tag(repo: Repo, keys: Keys) -> Step:
    return Step(repo, ("tag", "-a", "-F", "-", "v1"), "\n\n".join(("Subject", *keys.lines)))


def name(repo: Repo, keys: Keys) -> Step:
    for one in keys.names:
        repo.write(one, b"nothing\n")
    return Step(repo)


def other_branch(repo: Repo, keys: Keys) -> Step:
    """From a commit before the protection."""
    repo.git("switch", "-q", "-c", "topic", "before")
    return blob(repo, keys)


def worktree(repo: Repo, keys: Keys) -> Step:
    repo.git("worktree", "add", "-q", "-b", "topic", "../worktree", "before")
    return blob(Repo(repo.path.parent / "worktree", repo.env, make=False), keys)


def nested_attributes(repo: Repo, keys: Keys) -> Step:
    repo.write("sub/.gitattributes", b"*.ipynb -filter\n")
    repo.write("sub/a.ipynb", keys.notebook)
    return Step(repo)


def lfs(repo: Repo, keys: Keys) -> Step:
    need("git-lfs")
    for how in ("clean", "smudge"):
        repo.git("config", f"filter.lfs.{how}", f"git-lfs {how} -- %f")
    repo.write(".gitattributes", b"*.ipynb filter=lfs\n")
    return blob(repo, keys)


def nbstripout(repo: Repo, keys: Keys) -> Step:
    repo.git("config", "filter.nbstripout.clean", shlex.join([sys.executable, "-m", "nbstripout"]))
    repo.write(".gitattributes", b"*.ipynb filter=nbstripout\n")
    return blob(repo, keys)


def renamed(repo: Repo, keys: Keys) -> Step:
    repo.git("mv", "nb.ipynb", "another.ipynb")
    repo.write("another.ipynb", keys.notebook)
    return Step(repo)


def submodule(repo: Repo, keys: Keys) -> Step:
    inner = Repo(repo.path.parent / "inner", repo.env)
    blob(inner, keys)
    inner.commit()
    repo.git("submodule", "add", "-q", inner.path.as_uri(), "inner")
    return Step(repo)


def sparse(repo: Repo, keys: Keys) -> Step:
    repo.git("sparse-checkout", "set", "in")
    repo.write("in/a.ipynb", keys.notebook)
    return Step(repo)


def amended(repo: Repo, keys: Keys) -> Step:
    repo.git("commit", "-q", "--allow-empty", "-m", "without a key yet")
    return Step(blob(repo, keys).repo, ("commit", "-q", "--amend", "-m", "with it"))


def rebased(repo: Repo, keys: Keys) -> Step:
    """The key is in the commit that a rebase copies."""
    repo.git("switch", "-q", "-c", "topic", "before")
    step = blob(repo, keys)
    return step._replace(words=("-c", "alias.both=!git commit -q -m x && git rebase -q main", "both"))


TABLE: dict[Callable[[Repo, Keys], Step], dict[str, str]] = {
    blob: covered(),
    message: covered(filter=NO_FILES, pre_commit=NO_FILES),
    tag: covered(filter=NO_FILES, pre_commit=NO_FILES),
    name: covered(filter=NO_FILES, pre_commit=NO_FILES),
    other_branch: covered(),
    worktree: covered(),
    nested_attributes: covered(),
    lfs: covered(filter=STORES_AS_IS, pre_push=NO_OBJECT, history=NO_OBJECT, action=NO_OBJECT),
    nbstripout: covered(filter=STORES_AS_IS),
    renamed: covered(),
    submodule: dict.fromkeys((FILTER, PRE_COMMIT, PRE_PUSH, HISTORY, ACTION), OWN_REPOSITORY),
    sparse: covered(),
    amended: covered(),
    rebased: covered(),
}
PARTIAL = covered()  # of a partial clone, which the test makes instead of the repository


class Bench:
    """A repository with a remote that has its first commits; ``keys`` are of the three kinds."""

    def __init__(self, folder: Path, *, partial: bool = False) -> None:
        self.keys = Keys(make_key(), make_key(), make_key())
        self.env = git_environment(folder) | {"MISTRAL_API_KEY": self.keys.known.reveal()}
        repo = Repo(folder / "repo", self.env)
        repo.remember(self.keys.remembered)
        repo.write("nb.ipynb", notebook("1"))
        repo.commit("the start")
        repo.git("tag", "before")
        repo.git("init", "-q", "--bare", "../remote.git")
        self.remote = Repo(folder / "remote.git", self.env, make=False)
        self.remote.git("config", "uploadpack.allowFilter", "true")
        repo.git("push", "-q", "../remote.git", "main:refs/heads/start")
        if partial:
            words = ("--filter=blob:none", "--branch=start", "--no-tags")
            repo.git("clone", "-q", *words, self.remote.path.as_uri(), "../partial")
            repo = Repo(folder / "partial", self.env, make=False)
        self.repo = repo
        self.start = repo.git("rev-parse", "HEAD").strip()

    def stage(self, put: Callable[[Repo, Keys], Step]) -> Step:
        step = put(self.repo, self.keys)
        step.repo.git("add", "-A")
        return step

    def see_in_report(self, report: object) -> set[str]:
        shown = as_text(report) + json.dumps(report.data)  # type: ignore[attr-defined]
        assert not any(key.reveal() in shown for key in self.keys)
        return self.keys.tiers(lambda key: f"…{key.tail}" in shown)

    def see_stored(self) -> set[str]:
        """The keys that are in no object: the filter took them out."""
        objects = self.repo.objects()
        return self.keys.tiers(lambda key: key.reveal().encode() not in objects)

    def see_staged(self, step: Step) -> set[str]:
        """As the pre-commit hook looks: into the staged files, by their paths."""
        names = step.repo.git("diff", "--cached", "--name-only", "--diff-filter=d", "-z").split("\0")[:-1]
        files = [str(step.repo.path / name) for name in names if (step.repo.path / name).is_file()]
        return self.see_in_report(step.repo.act("scan", paths=files).report) if files else set()

    def see_pushed(self) -> set[str]:
        refused = self.repo.run("push", "../remote.git", "--all", "--follow-tags")
        done = refused.stdout + refused.stderr
        if refused.returncode == 0:
            refused = self.repo.run("push", "../remote.git", "--tags")
            done += refused.stdout + refused.stderr
        seen = self.keys.tiers(lambda key: f"…{key.tail}" in done)
        assert bool(seen) == (refused.returncode != 0), done
        return seen

    def see_in_action(self, step: Step) -> set[str]:
        event = self.repo.path.parent / "event.json"
        commit = step.repo.git("rev-parse", "HEAD").strip()
        after = self.repo.git("rev-parse", "v1").strip() if "tag" in step.words else commit
        event.write_text(json.dumps({"before": self.start, "after": after}))
        more = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(event)}
        place = Repo(step.repo.path, self.env | more | {"GITHUB_SHA": commit}, make=False)
        return self.see_in_report(place.act("scan", paths=[], git_history="").report)


def expect(column: dict[str, str], *rows: str) -> dict[str, set[str]]:
    return {row: set() if column[row] else set(Keys._fields) for row in rows}


def look(bench: Bench, put: Callable[[Repo, Keys], Step]) -> dict[str, set[str]]:
    """What each way but the filter sees, in a repository where nothing else keeps the keys out."""
    bench.repo.protect(local=True)
    Path(bench.repo.git("rev-parse", "--path-format=absolute", "--git-path", "info/attributes").strip()).unlink()
    step = bench.stage(put)
    seen = {PRE_COMMIT: bench.see_staged(step)}
    step.repo.git(*step.words, given=step.given)
    seen[HISTORY] = bench.see_in_report(bench.repo.act("scan", paths=[], git_history="").report)
    seen[ACTION] = bench.see_in_action(step)
    seen[PRE_PUSH] = bench.see_pushed()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("put", TABLE)
def test_what_sees_a_key(put: Callable[[Repo, Keys], Step], tmp_path: Path) -> None:
    need("git")
    assert look(Bench(tmp_path), put) == expect(TABLE[put], PRE_COMMIT, HISTORY, ACTION, PRE_PUSH)


@pytest.mark.slow
def test_what_sees_a_key_in_a_partial_clone(tmp_path: Path) -> None:
    need("git")
    assert look(Bench(tmp_path, partial=True), blob) == expect(PARTIAL, PRE_COMMIT, HISTORY, ACTION, PRE_PUSH)


@pytest.mark.slow
@pytest.mark.parametrize("is_protected", [True, False], ids=["protected", "the control"])
@pytest.mark.parametrize("put", TABLE)
def test_what_the_filter_takes_out(put: Callable[[Repo, Keys], Step], is_protected: bool, tmp_path: Path) -> None:
    need("git")
    bench = Bench(tmp_path)
    bench.repo.remember(bench.keys.known)  # the filter reads no environment: whoever met the key has noted it
    if put in (lfs, nbstripout):
        put(bench.repo, Keys(make_key(), make_key(), make_key()))  # they are there first
    if is_protected:
        with contextlib.suppress(FilterConflict):
            bench.repo.protect(local=True)
    step = bench.stage(put)
    step.repo.git(*step.words, given=step.given)
    if put in (lfs, submodule):
        return  # what is stored elsewhere is in no object of this repository
    expected = expect(TABLE[put], FILTER)[FILTER] if is_protected else set()
    assert bench.see_stored() == expected
