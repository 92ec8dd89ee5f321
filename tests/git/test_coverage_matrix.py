"""Which of the five ways of looking sees a key in which place of a repository: one table, tried cell by cell.

Each cell is tried with a known, a remembered and a suspected key at once; where it says why not, none is seen.
"""

import json
import shlex
import shutil
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

FILTER, PRE_PUSH, HISTORY = "filter", "pre-push", "history scan"
PRE_COMMIT = "scan of the staged files"  # what our pre-commit hook starts; test_pre_commit_hooks.py has the real one
ACTION = "history scan with GitHub's variables"  # what action.yml starts
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


class Template(NamedTuple):
    """Repositories that each test copies; ``keys`` are of the three kinds, and ``env`` is of whoever works in them."""

    folder: Path
    keys: Keys
    env: dict[str, str]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    need("git")
    folder, keys = tmp_path_factory.mktemp("matrix"), Keys(make_key(), make_key(), make_key())
    env = git_environment(folder) | {"MISTRAL_API_KEY": keys.known.reveal()}
    repo = Repo(folder / "all/repo", env)
    repo.remember(keys.remembered, keys.known)  # the filter reads no environment: whoever met the key has noted it
    repo.write("nb.ipynb", notebook("1"))
    repo.commit("the start")
    repo.git("tag", "before")
    repo.git("init", "-q", "--bare", "../remote.git")
    repo.git("-C", "../remote.git", "config", "uploadpack.allowFilter", "true")
    repo.git("push", "-q", "../remote.git", "main:refs/heads/start")
    repo.protect(local=True)
    return Template(folder / "all", keys, env)


class Bench:
    """A repository with a remote that has its first commits. Pushes are scanned; the filter is off until `protect`."""

    def __init__(self, template: Template, folder: Path, *, partial: bool = False) -> None:
        shutil.copytree(template.folder, folder, symlinks=True, dirs_exist_ok=True)
        self.keys, self.env = template.keys, template.env
        self.repo = Repo(folder / "repo", self.env, make=False)
        self.attributes = self.repo.path / ".git/info/attributes"
        self.lines = self.attributes.read_bytes()
        self.attributes.unlink()
        if partial:
            words = ("--filter=blob:none", "--branch=start", "--no-tags")
            self.repo.git("clone", "-q", *words, (folder / "remote.git").as_uri(), "../partial")
            self.repo = Repo(folder / "partial", self.env, make=False)
            self.repo.protect(local=True)
            (self.repo.path / ".git/info/attributes").unlink()
        self.start = self.repo.git("rev-parse", "HEAD").strip()

    def stage(self, put: Callable[[Repo, Keys], Step]) -> Step:
        step = put(self.repo, self.keys)
        step.repo.git("add", "-A")
        return step

    def see_in_report(self, report: object) -> set[str]:
        shown = as_text(report) + json.dumps(report.data)  # type: ignore[attr-defined]
        assert not any(key.reveal() in shown for key in self.keys)
        return self.keys.tiers(lambda key: f"…{key.tail}" in shown)

    def see_stored(self) -> set[str]:
        """The keys that are nowhere in what git, LFS and a submodule store: the filter took them out."""
        stored = self.repo.objects()
        for module in self.repo.path.glob(".git/modules/*"):
            stored += Repo(module, self.env, make=False).objects()
        for file in self.repo.path.glob(".git/lfs/objects/**/*"):
            stored += file.read_bytes() if file.is_file() else b""
        return self.keys.tiers(lambda key: key.reveal().encode() not in stored)

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
    step = bench.stage(put)
    seen = {PRE_COMMIT: bench.see_staged(step)}
    step.repo.git(*step.words, given=step.given)
    assert bench.see_stored() == set(), "the control of the filter: without it all of the keys are stored"
    seen[HISTORY] = bench.see_in_report(bench.repo.act("scan", paths=[], git_history="").report)
    seen[ACTION] = bench.see_in_action(step)
    seen[PRE_PUSH] = bench.see_pushed()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("put", TABLE)
def test_what_sees_a_key(put: Callable[[Repo, Keys], Step], template: Template, tmp_path: Path) -> None:
    assert look(Bench(template, tmp_path), put) == expect(TABLE[put], PRE_COMMIT, HISTORY, ACTION, PRE_PUSH)


@pytest.mark.slow
def test_what_sees_a_key_in_a_partial_clone(template: Template, tmp_path: Path) -> None:
    bench = Bench(template, tmp_path, partial=True)
    assert look(bench, blob) == expect(PARTIAL, PRE_COMMIT, HISTORY, ACTION, PRE_PUSH)


@pytest.mark.slow
@pytest.mark.parametrize("put", TABLE)
def test_what_the_filter_takes_out(put: Callable[[Repo, Keys], Step], template: Template, tmp_path: Path) -> None:
    """The control is in `look`."""
    bench = Bench(template, tmp_path)
    if put in (lfs, nbstripout):
        put(bench.repo, Keys(make_key(), make_key(), make_key()))  # they are there first
        with pytest.raises(FilterConflict):
            bench.repo.protect(local=True)
    else:
        bench.attributes.write_bytes(bench.lines)
    step = bench.stage(put)
    step.repo.git(*step.words, given=step.given)
    assert bench.see_stored() == expect(TABLE[put], FILTER)[FILTER]
