"""A repository's configuration can make git run a program. None of it runs when we look at that repository.

`WAYS` lists each way that git 2.39 to 2.52 document, with the plain git command that takes it: the control.
Not in it, because a repository can't choose them: aliases (never for a command that git has), what only the
person's own settings hold (``uploadpack.packObjectsHook``, ``init.templateDir``), what stands on the command line
(``bisect run``, ``rebase --exec``, ``filter-branch``), ``remote.X.vcs``, which names a program on the PATH, and the
programs of commands that nothing here resembles (``instaweb``, ``help``, ``send-email``, ``imap-send``, ``add -p``).
"""

import ast
import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import mistral_nb
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.file_scrub.clean_file import clean_by_type, is_git_ignored
from mistral_nb.git import history_scan
from mistral_nb.git.filter_content import ContentFilter
from mistral_nb.git.run_git import Git, GitFailed
from mistral_nb.git.wrapped_filter import WrappedFilter
from mistral_nb.scanning.leak_search import leak_rows
from mistral_nb.watchlist import Watchlist
from support.commands import act
from support.git_repos import Repo, git_environment, notebook, python, uses
from support.keys import make_key

HOOKS = ("post-index-change", "reference-transaction", "pre-commit", "post-commit", "post-checkout", "pre-auto-gc")
_SIGNATURE = "gpgsig -----BEGIN {0} SIGNATURE-----\n \n AAAA\n -----END {0} SIGNATURE-----\n"


class Way(NamedTuple):
    """``settings``: of the repository, ``SPY`` is the program. ``control``: git commands, the last of which runs it."""

    name: str
    settings: dict[str, str]
    control: tuple[tuple[str, ...], ...]
    given: str = ""
    terminal: bool = False


def lazy_fetch(remote: str, url: str, **more: str) -> dict[str, str]:
    """The settings of a partial clone whose missing objects come from a remote."""
    own = {"url": url, "promisor": "true", "partialclonefilter": "blob:none", **more}
    return {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": remote,
        **{f"remote.{remote}.{name}": value for name, value in own.items()},
    }


_SECONDS = 20
_CHANGE = ("apply", "change.diff")
_MISSING = (("cat-file", "-p", "MISSING"),)
_FILL = "protocol=https\nhost=example.org\n\n"
WAYS = (
    Way("fsmonitor", {"core.fsmonitor": "SPY"}, (("status",),)),
    Way("fsmonitor in ls-files", {"core.fsmonitor": "SPY"}, (("ls-files", "-co", "--exclude-standard"),)),
    Way("hooks folder", {"core.hooksPath": "HOOKS"}, (_CHANGE, ("add", "."))),
    Way("clean filter", {"filter.odd.clean": "SPY"}, (_CHANGE, ("add", "."))),
    Way("filter process", {"filter.odd.process": "SPY"}, (_CHANGE, ("add", "."))),
    Way("smudge filter", {"filter.odd.smudge": "SPY"}, (("cat-file", "--filters", "HEAD:a.txt"),)),
    Way("external diff", {"diff.external": "SPY"}, (_CHANGE, ("diff",))),
    Way("diff driver", {"diff.odd.command": "SPY"}, (_CHANGE, ("diff",))),
    Way("textconv", {"diff.odd.textconv": "SPY"}, (_CHANGE, ("diff",))),
    Way("pager", {"core.pager": "SPY"}, (("log",),), terminal=True),
    Way("pager of a command", {"pager.log": "SPY"}, (("log",),), terminal=True),
    Way("editor", {"core.editor": "SPY"}, (("commit", "--allow-empty"),)),
    Way("sequence editor", {"sequence.editor": "SPY"}, (("rebase", "-i", "HEAD~1"),)),
    Way("ssh", {"core.sshCommand": "SPY"}, (("ls-remote", "ssh://example.org/x"),)),
    Way("git proxy", {"core.gitProxy": "SPY"}, (("ls-remote", "git://example.org/x"),)),
    Way("ext protocol", {"protocol.ext.allow": "always"}, (("ls-remote", "ext::SPY"),)),
    Way("upload-pack", {"remote.there.url": "BASE", "remote.there.uploadpack": "SPY"}, (("fetch", "there"),)),
    Way("lazy fetch, upload-pack", lazy_fetch("p1", "BASE", uploadpack="SPY"), _MISSING),
    Way("lazy fetch, ext", {**lazy_fetch("p2", "ext::SPY"), "protocol.ext.allow": "always"}, _MISSING),
    Way("lazy fetch, ssh", {**lazy_fetch("p3", "ssh://example.org/x"), "core.sshCommand": "SPY"}, _MISSING),
    Way("credential helper", {"credential.helper": "SPY"}, (("credential", "fill"),), given=_FILL),
    Way(
        "credential helper of a host",
        {"credential.https://example.org.helper": "SPY"},
        (("credential", "fill"),),
        given=_FILL,
    ),
    Way("askpass", {"core.askPass": "SPY"}, (("credential", "fill"),), given=_FILL),
    Way("alternates", {"core.alternateRefsCommand": "SPY"}, (("rev-list", "--alternate-refs"),)),
    Way("gpg", {"gpg.program": "SPY", "log.showSignature": "true"}, (("log",),)),
    Way("gpg for OpenPGP", {"gpg.openpgp.program": "SPY", "log.showSignature": "true"}, (("log",),)),
    Way("gpg for X.509", {"gpg.x509.program": "SPY", "log.showSignature": "true"}, (("log", "x509"),)),
    Way(
        "ssh-keygen",
        {"gpg.ssh.program": "SPY", "log.showSignature": "true", "gpg.ssh.allowedSignersFile": "/dev/null"},
        (("log", "ssh"),),
    ),
    Way(
        "a default key",
        {"gpg.ssh.defaultKeyCommand": "SPY", "gpg.format": "ssh", "commit.gpgSign": "true"},
        (("commit", "--allow-empty", "-m", "x"),),
    ),
    Way("signing", {"gpg.program": "SPY", "commit.gpgSign": "true"}, (("commit", "--allow-empty", "-m", "x"),)),
    Way("merge driver", {"merge.odd.driver": "SPY"}, (("merge", "other"),)),
    Way("mergetool", {"mergetool.odd.cmd": "SPY"}, (("merge", "other"), ("mergetool", "-y", "-t", "odd"))),
    Way("difftool", {"difftool.odd.cmd": "SPY"}, (_CHANGE, ("difftool", "-y", "-t", "odd"))),
    Way("trailer", {"trailer.odd.command": "SPY"}, (("interpret-trailers",),), given="x\n"),
    Way("archive", {"tar.odd.command": "SPY"}, (("archive", "--format=odd", "HEAD"),)),
    *(Way(f"hook {name}", {}, (_CHANGE, ("add", "."), ("commit", "-m", "x"))) for name in HOOKS[:4]),
)

RUN_WHEN_ASKED = {  # git has no setting that stops these programs for good: that nothing here asks for them is tested
    *("clean filter", "filter process", "smudge filter", "external diff", "diff driver", "textconv"),
    *("merge driver", "mergetool", "difftool", "trailer", "archive"),
    *("credential helper of a host", "git proxy"),
}


class Stranger(NamedTuple):
    """A repository as it was unpacked, whose configuration holds some of the ways."""

    repo: Repo
    spies: Path
    log: Path
    missing: str

    def ran(self) -> set[str]:
        return set(self.log.read_text().split("\n")) - {""} if self.log.exists() else set()

    def spy(self, name: str) -> str:
        """A program that notes that it ran, and does no harm."""
        self.spies.mkdir(exist_ok=True)
        file = self.spies / re.sub(r"\W", "-", name)
        file.write_text(f"#!/bin/sh\necho '{name}' >> '{self.log}'\n")
        file.chmod(0o755)
        return str(file)

    def put(self, way: Way) -> None:
        """Put a way into the repository's own configuration or hooks."""
        git_dir = self.repo.path / ".git"
        if way.name.startswith("hook "):
            (git_dir / "hooks").mkdir(exist_ok=True)
            shutil.copy(self.spy(way.name), git_dir / "hooks" / way.name.removeprefix("hook "))
        hooks = self.spies.parent / "hooks"
        for name, value in way.settings.items():
            if "HOOKS" in value:
                hooks.mkdir(exist_ok=True)
                for hook in HOOKS:
                    shutil.copy(self.spy(way.name), hooks / hook)
            spied = value.replace("SPY", self.spy(way.name)).replace("BASE", str(self.spies.parent / "base"))
            self.repo.git("config", "-f", str(git_dir / "config"), name, spied.replace("HOOKS", str(hooks)))

    def take(self, way: Way) -> None:
        """Run the control: plain git."""
        for words in way.control:
            run = run_in_terminal if way.terminal else run_plainly
            said = [word.replace("MISSING", self.missing).replace("SPY", self.spy(way.name)) for word in words]
            run(self.repo, ["git", *said], way.given)


def run_plainly(repo: Repo, words: list[str], given: str) -> None:
    subprocess.run(
        words, cwd=repo.path, env=repo.env, input=given, text=True, capture_output=True, timeout=_SECONDS, check=False
    )


def run_in_terminal(repo: Repo, words: list[str], _: str) -> None:
    import pty

    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"):
        done = subprocess.Popen(
            words, cwd=repo.path, env=repo.env | {"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        done.wait(timeout=_SECONDS)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Two branches that conflict in ``a.txt``, signed commits, a notebook and a source."""
    place = tmp_path_factory.mktemp("strangers")
    repo = Repo(place / "base", git_environment(place) | {"GIT_TERMINAL_PROMPT": "0"})
    repo.write(".gitattributes", b"*.txt filter=odd diff=odd merge=odd\n")
    repo.write(".gitignore", b"*.log\n")
    repo.write("a.txt", b"1\n")
    repo.write("nb.ipynb", notebook("1 + 1"))
    repo.write("app.py", b"import os\n")
    repo.write("change.diff", b"--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-3\n+4\n")
    repo.commit("first")
    repo.git("checkout", "-q", "-b", "other")
    repo.write("a.txt", b"2\n")
    repo.commit("theirs")
    repo.git("checkout", "-q", "main")
    repo.write("a.txt", b"3\n")
    repo.commit("ours")
    for branch, kind in (("x509", "SIGNED MESSAGE"), ("ssh", "SSH SIGNATURE"), ("main", "PGP SIGNATURE")):
        signature = _SIGNATURE.format("X").replace("X SIGNATURE", kind)
        text = repo.git("cat-file", "commit", "main").replace("\n\n", f"\n{signature}\n", 1)
        commit = repo.git("hash-object", "-t", "commit", "-w", "--stdin", given=text).strip()
        repo.git("update-ref", f"refs/heads/{branch}", commit)
    return repo


@pytest.fixture
def new_stranger(base: Repo, tmp_path: Path) -> Callable[..., Stranger]:
    def make(*ways: Way) -> Stranger:
        shutil.copytree(base.path, tmp_path / "base")
        shutil.copytree(base.path, tmp_path / "repo")
        repo = Repo(tmp_path / "repo", base.env, make=False)
        missing = repo.git("rev-parse", "HEAD~1:a.txt").strip()
        if any("lazy" in way.name for way in ways):
            (repo.path / ".git/objects" / missing[:2] / missing[2:]).unlink()
        (repo.path / ".git/objects/info").mkdir(exist_ok=True)
        (repo.path / ".git/objects/info/alternates").write_text(f"{tmp_path / 'base/.git/objects'}-none\n")
        made = Stranger(repo, tmp_path / "spies", tmp_path / "ran", missing)
        for way in ways:
            made.put(way)
        return made

    return make


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_plain_git_runs_it(way, new_stranger):
    stranger = new_stranger(way)
    if way.name == "alternates":
        (stranger.repo.path / ".git/objects/info/alternates").write_text(f"{stranger.spies.parent}/base/.git/objects\n")
    stranger.take(way)
    assert stranger.ran() == {way.name}


def look_at(repo: Repo, folder: Path, key: Key) -> None:
    """Everything of ours that asks git about a folder, as when a person looks at it, protects it and commits."""

    def typed(name: str, **flags: object) -> None:
        with contextlib.suppress(MistralNbError):  # a refusal is as good
            act(Context(host="cli", environ=repo.env, folder=str(folder)), name, **flags)

    for name, flags in (("scan", {}), ("scrub", {"everything": True})):
        typed(name, paths=[str(folder)], **flags)
        typed(name, paths=[str(folder / "app.py"), str(folder / "nb.ipynb")])
    typed("scan", paths=[], git_history="")
    typed("doctor")
    is_git_ignored(str(folder / "app.log"))
    clean_by_type(uses(key).encode(), str(folder / "app.py"), Watchlist(known=(key,)), is_explicit=False)
    list(leak_rows(Context(host="cli", environ=repo.env, folder=str(folder)), key))
    for flags in ({"status": True}, {"pre_push": True}, {"renormalize": True}, {"status": True}):
        typed("protect", **flags)
    cleaning = ContentFilter(repo.env["MISTRAL_NB_HOME"], say=print, git=Git(str(folder), repo.env))
    cleaning.clean("nb.ipynb", notebook(uses(key)))
    cleaning.close()
    typed("unprotect")


def test_of_all_that_a_repository_sets_nothing_runs(new_stranger):
    """All ways are in one repository; of those that exclude one another, the last has its setting."""
    stranger, key = new_stranger(*WAYS), make_key()
    repo = stranger.repo
    repo.remember(key)
    repo.write("nb.ipynb", notebook(uses(key)))
    repo.write("app.py", uses(key).encode())
    repo.run("-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}", "add", "nb.ipynb", "app.py")
    stranger.log.unlink(missing_ok=True)
    look_at(repo, repo.path, key)
    assert stranger.ran() == set()
    assert key.reveal() not in repo.read("nb.ipynb").decode()  # it was looked at, and cleaned
    stranger.repo.run("status")  # the control
    assert stranger.ran() != set()


@pytest.mark.parametrize("way", [w for w in WAYS if w.name not in RUN_WHEN_ASKED], ids=lambda way: way.name)
def test_each_way_is_closed_for_the_git_command_that_takes_it(way, new_stranger):
    """Also where a later change of ours runs such a command: what stops it is not that we never do."""
    stranger = new_stranger(way)
    for words in way.control:
        said = [word.replace("MISSING", stranger.missing).replace("SPY", stranger.spy(way.name)) for word in words]
        git = Git(str(stranger.repo.path), stranger.repo.env)
        run = run_in_terminal if way.terminal else run_plainly
        safe = Repo(stranger.repo.path, git.environment(), make=False)
        run(safe, git.command(*said), way.given)
    assert stranger.ran() == set()


@pytest.fixture
def tracked_bare(new_stranger) -> Stranger:
    """A cloned folder of ordinary tracked files that is a bare repository to git."""
    stranger = new_stranger()
    outer = stranger.repo
    inner = outer.path / "sub"
    for name in ("HEAD", "config", "objects", "refs"):
        source, target = stranger.spies.parent / "base/.git" / name, inner / name
        inner.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (inner / "work").mkdir()
    (inner / "work/nb.ipynb").write_bytes(notebook("1"))
    outer.git("config", "-f", str(inner / "config"), "core.bare", "false")
    outer.git("config", "-f", str(inner / "config"), "core.worktree", str(inner / "work"))
    outer.git("config", "-f", str(inner / "config"), "core.fsmonitor", stranger.spy("fsmonitor"))
    outer.commit("a harmless folder")
    clone = Repo(stranger.spies.parent / "clone", outer.env, make=False)
    outer.git("clone", "-q", str(outer.path), str(clone.path))
    (clone.path / "sub/refs").mkdir(exist_ok=True)
    return stranger._replace(repo=clone)


@pytest.mark.slow
def test_a_folder_of_tracked_files_is_no_repository(tracked_bare):
    key = make_key()
    tracked_bare.repo.remember(key)
    for folder in ("sub", "sub/work"):
        look_at(tracked_bare.repo, tracked_bare.repo.path / folder, key)
    assert tracked_bare.ran() == set()
    tracked_bare.repo.run("-C", "sub/work", "ls-files", "-co")  # the control
    assert tracked_bare.ran() == {"fsmonitor"}


def test_git_s_variables_count_in_a_hook_and_not_for_a_path_that_was_named(base, tmp_path):
    other = Repo(tmp_path / "other", base.env)
    other.write("there.ipynb", notebook("1"))
    environ = base.env | {"GIT_DIR": str(base.path / ".git"), "GIT_WORK_TREE": str(base.path)}
    listed = ("ls-files", "-co", "--full-name")
    assert b"there.ipynb" in Git.at_path(str(other.path), environ).output(*listed)
    assert b"a.txt" in Git(str(base.path), environ).output(*listed)
    assert "there.ipynb" not in other.git(*listed, **environ)  # the control: plain git obeys them everywhere


def test_a_bare_repository_in_which_a_person_works_is_named(base, tmp_path):
    bare = tmp_path / "x.git"
    base.git("clone", "-q", "--bare", str(base.path), str(bare))
    git = Git.at_work(str(bare), base.env)
    assert history_scan.list_objects(git).blobs
    with pytest.raises(GitFailed, match="bare"):
        Git.at_path(str(bare), base.env).output("rev-parse", "--git-dir")


def test_an_attributes_file_that_leads_out_is_not_written(base, tmp_path):
    for place, link in (("bad", True), ("good", False)):
        repo, outside = Repo(tmp_path / place, base.env), tmp_path / f"{place}.bashrc"
        outside.write_text("mine\n")
        (repo.path / ".git/info").mkdir(exist_ok=True)
        (repo.path / ".git/info/attributes").unlink(missing_ok=True)
        if link:
            (repo.path / ".git/info/attributes").symlink_to(outside)
            with pytest.raises(MistralNbError, match="leads out"):
                repo.protect(local=True)
        else:
            repo.protect(local=True)  # the control
        assert outside.read_text() == "mine\n"
        assert ("filter=mistral-nb" in (repo.path / ".git/info/attributes").read_text()) is not link


def test_a_wrapped_filter_is_the_one_program_that_runs_and_as_git_would_run_it(base, tmp_path):
    """``protect --wrap``: the person asked for it, and it has git's own settings, the network among them."""
    repo = Repo(tmp_path / "wrapped", base.env)
    seen = python("import os; data = ' '.join(os.environ).encode()")
    repo.git("config", "filter.theirs.clean", seen)
    environ = repo.env | {"GIT_INDEX_FILE": "x", "MISTRAL_API_KEY": make_key().reveal()}
    given = WrappedFilter(Git(str(repo.path), environ), "theirs").clean("a.ipynb", b"", print).decode().split()
    assert "GIT_INDEX_FILE" in given
    assert not {"GIT_ALLOW_PROTOCOL", "GIT_NO_LAZY_FETCH", "MISTRAL_API_KEY"} & set(given)


@pytest.mark.slow
def test_git_is_started_in_one_place():
    package = Path(mistral_nb.__file__).parent
    found = {
        str(file.relative_to(package)) for file in package.rglob("*.py") if _starts_git(ast.parse(file.read_text()))
    }
    assert found == {"git/run_git.py"}


def _starts_git(tree: ast.AST) -> bool:
    """Whether a list or tuple of words begins with git."""
    return any(
        isinstance(node, ast.List | ast.Tuple)
        and node.elts
        and isinstance(node.elts[0], ast.Constant)
        and node.elts[0].value == "git"
        and len(node.elts) > 1
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    )
