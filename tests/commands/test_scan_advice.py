"""What `scan`, `scan --git-history` and `scrub` advise in their reports and errors, typed as it is said."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from support.git_repos import Repo, git_environment, notebook, uses
from support.keys import make_key
from support.requirements import need

pytestmark = pytest.mark.slow  # each line typed is a process of its own


@pytest.fixture
def leaked() -> Key:
    return make_key()


@pytest.fixture
def repo(tmp_path: Path, leaked: Key) -> Repo:
    """Two commits with a key in a source and in a notebook; the folder has a space in its name."""
    need("git")
    repo = Repo(tmp_path / "a folder", git_environment(tmp_path))
    repo.write("app.py", f"{uses(leaked)}\n".encode())
    repo.commit("with a key")
    repo.write("nb.ipynb", notebook(uses(leaked)))
    repo.commit("with a notebook")
    return repo


def enter(repo: Repo, line: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """A line as a person types it there."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{repo.env['PATH']}"
    return subprocess.run(
        shlex.split(line),
        cwd=repo.path,
        env=repo.env | {"PATH": programs} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def said_by(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stdout + done.stderr


def advised(done: "subprocess.CompletedProcess[str]", pattern: str) -> str:
    found = re.search(pattern, said_by(done), re.MULTILINE)
    assert found, said_by(done)
    return found[0]


def test_what_was_not_looked_into_is_named_or_listed(repo: Repo, leaked: Key) -> None:
    repo.write("data.bin", b"\0\1" + uses(leaked).encode())
    told = enter(repo, "mistral-nb scan .")
    assert "1 binary file" in told.stdout
    assert "To look into one, name it; --json names them all." in told.stdout
    entries = json.loads(enter(repo, "mistral-nb scan . --json").stdout)["passed_over"]
    (name,) = (entry["path"] for entry in entries if entry["reason"] == "binary file")
    named = enter(repo, f"mistral-nb scan {shlex.quote(name)}")
    assert (named.returncode, f"…{leaked.tail}" in named.stdout) == (1, True)


def test_scrub_all_cleans_what_scrub_counted(repo: Repo, leaked: Key) -> None:
    repo.remember(leaked)
    option = advised(enter(repo, "mistral-nb scrub ."), r"--all(?= cleans sources and texts too)")
    assert leaked.reveal().encode() in repo.read("app.py")
    assert enter(repo, f"mistral-nb scrub {option} .").returncode == 0
    assert leaked.reveal().encode() not in repo.read("app.py")
    assert enter(repo, "mistral-nb scan").returncode == 0


def test_a_history_is_rewritten_by_the_two_commands_that_it_tells(repo: Repo, leaked: Key, tmp_path: Path) -> None:
    found = enter(repo, "mistral-nb scan --git-history")
    assert found.returncode == 1
    advised(found, r"1\. Revoke: .*mistral-nb revoke WORKSPACE, or https://\S+$")
    command = advised(found, r"mistral-nb scan --git-history --replacement-file FILE")
    written = enter(repo, command.replace("FILE", shlex.quote(str(tmp_path / "the texts"))))
    rewrite = advised(written, r"git filter-repo .*$")
    repo.git("clone", "-q", "--no-local", str(repo.path), str(tmp_path / "new clone"))
    clone = Repo(tmp_path / "new clone", repo.env, make=False)
    done = enter(clone, rewrite)
    assert done.returncode == 0, said_by(done)
    assert enter(clone, "mistral-nb scan --git-history").returncode == 0
    assert clone.objects_with(leaked) == []
    assert repo.objects_with(leaked)


def test_a_shallow_clone_gets_what_it_lacks(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--depth=1", repo.path.as_uri(), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone", repo.env, make=False)
    command = advised(enter(clone, "mistral-nb scan --git-history"), r"git fetch --unshallow$")
    assert enter(clone, command).returncode == 0
    assert "shallow" not in said_by(enter(clone, "mistral-nb scan --git-history"))
    assert clone.git("rev-list", "--count", "HEAD").strip() == "2"


def test_a_partial_clone_gets_what_it_lacks(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--filter=blob:none", "--no-checkout", repo.path.as_uri(), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone", repo.env, make=False)
    incomplete = enter(clone, "mistral-nb scan --git-history")
    assert incomplete.returncode == 3
    done = enter(clone, advised(incomplete, r"git fetch --refetch --no-filter"))
    assert done.returncode == 0, said_by(done)
    assert enter(clone, "mistral-nb scan --git-history").returncode == 1


def test_in_ci_everything_is_read_as_the_report_tells(repo: Repo) -> None:
    before, head = repo.git("rev-parse", "HEAD~1", "HEAD").split()
    ci = {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_SHA": head, "CI_COMMIT_BEFORE_SHA": before}
    some = enter(repo, "mistral-nb scan --git-history", **ci)
    assert "app.py" not in some.stdout
    option = advised(some, r"--git-history=--all(?= for everything)")
    assert "app.py" in enter(repo, f"mistral-nb scan {option}", **ci).stdout


@pytest.mark.parametrize(
    ("wrong", "advice", "right"),
    [
        ("--baseline old.json", "Write one: add --update-baseline.", "--baseline old.json --update-baseline"),
        (
            "--baseline app.py",
            "Name another file: with --update-baseline it is written.",
            "--baseline old.json --update-baseline",
        ),
        ("app.py --output app.py", "Give the report another name.", "app.py --output report.txt"),
        ("--update-baseline", "Name the file: --baseline FILE.", "--update-baseline --baseline FILE"),
        ("--replacement-file ../texts", "Add --git-history.", "--replacement-file ../texts --git-history"),
        ("--git-history=--all app.py", "Give either --git-history or paths.", "app.py"),
        ("- app.py", "Give either - or paths.", "-"),
    ],
)
def test_wrong_usage_is_put_right_as_it_says(wrong: str, advice: str, right: str, repo: Repo) -> None:
    refused = enter(repo, f"mistral-nb scan {wrong}")
    assert refused.returncode == 2
    assert advice in refused.stderr
    assert enter(repo, f"mistral-nb scan {right}").returncode in (0, 1)


def test_outside_of_a_repository_files_are_scanned(repo: Repo, tmp_path: Path) -> None:
    plain = Repo(tmp_path / "plain", repo.env, make=False)
    plain.path.mkdir()
    plain.write("app.py", repo.read("app.py"))
    refused = enter(plain, "mistral-nb scan --git-history")
    assert refused.returncode == 2
    command = advised(refused, r"mistral-nb scan PATH…")
    assert enter(plain, command.replace("PATH…", "app.py")).returncode == 1
