"""`export-fingerprints`: what is in the file, and how others use it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.storage.index import COMPROMISED, LIVE, RETIRED, Index
from mistral_nb.watchlist import REVOKED_FILE, build_watchlist
from support.commands import act
from support.git_repos import Repo, git_environment, notebook
from support.keys import make_key
from support.organisation import SCRIPT
from support.patience import PATIENCE
from support.requirements import need


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    need("git")
    return Repo(tmp_path / "repo", git_environment(tmp_path))


@pytest.fixture
def colleague(tmp_path: Path) -> dict[str, str]:
    """An environment that knows of no key."""
    return git_environment(tmp_path / "colleague")


def noted(repo: Repo, state: str, key: Key | None = None) -> Key:
    key = key or make_key()
    Index(repo.env["MISTRAL_NB_HOME"]).remember(key, state)
    return key


def run(env: dict[str, str], folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SCRIPT, *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        input="",
    )


def fingerprints(repo: Repo) -> set[str]:
    lines = repo.read(REVOKED_FILE).decode().splitlines()
    return {line.partition("#")[0].strip() for line in lines} - {""}


def test_only_retired_and_compromised_keys_are_exported(repo: Repo) -> None:
    retired, leaked, live = noted(repo, RETIRED), noted(repo, COMPROMISED), noted(repo, LIVE)
    odd = noted(repo, COMPROMISED, Key("a-key-of-other-shape_0123456789"))
    (repo.path / "sub").mkdir()
    done = run(repo.env, repo.path / "sub", "export-fingerprints")
    assert done.returncode == 0, done.stderr
    assert fingerprints(repo) == {retired.fingerprint, leaked.fingerprint}
    text = repo.read(REVOKED_FILE).decode()
    for key in (retired, leaked, live, odd):
        assert key.tail not in text
        assert key.reveal()[:8] not in text
    assert "1 not exported" in done.stdout
    assert os.stat(repo.path / REVOKED_FILE).st_mode & 0o777 == 0o644


def test_existing_entries_stay_and_nothing_is_duplicated(repo: Repo) -> None:
    theirs = make_key().fingerprint
    repo.write(REVOKED_FILE, f"# ours\n{theirs}  # of a colleague".encode())
    leaked = noted(repo, COMPROMISED)
    repo.act("export-fingerprints")
    once = repo.read(REVOKED_FILE)
    assert once.startswith(f"# ours\n{theirs}  # of a colleague\n{leaked.fingerprint}".encode())
    acted = repo.act("export-fingerprints")
    assert repo.read(REVOKED_FILE) == once
    assert acted.report.data["added"] == 0
    assert "1 was in it already" in acted.shown


def test_json_and_a_custom_path(repo: Repo, tmp_path: Path) -> None:
    noted(repo, RETIRED)
    (tmp_path / "elsewhere").mkdir()
    done = run(repo.env, repo.path, "export-fingerprints", str(tmp_path / "elsewhere"), "--json")
    data = json.loads(done.stdout)
    assert data == {"file": str(tmp_path / "elsewhere" / REVOKED_FILE), "added": 1, "exported": 1, "left_out": 0}
    assert run(repo.env, repo.path, "export-fingerprints", "/nowhere/at all").returncode == 3


def test_an_old_entry_without_its_shape_is_not_exported(repo: Repo) -> None:
    key = noted(repo, RETIRED)
    with Index(repo.env["MISTRAL_NB_HOME"]).edit() as contents:
        contents.remembered[key.fingerprint] = contents.remembered[key.fingerprint]._replace(standard=None)
    shown = repo.act("export-fingerprints").shown
    assert "Nothing to export" in shown
    assert "1 not exported" in shown
    assert not (repo.path / REVOKED_FILE).exists()


def test_with_nothing_to_export_no_file_is_written(repo: Repo) -> None:
    noted(repo, LIVE)
    assert repo.act("export-fingerprints").shown == "Nothing to export: no key is retired or compromised."
    assert not (repo.path / REVOKED_FILE).exists()


@pytest.mark.slow
def test_a_colleagues_scan_reports_and_scrub_does_not_rewrite(repo: Repo, colleague: dict[str, str]) -> None:
    leaked = noted(repo, COMPROMISED)
    held = notebook(f"x = '{leaked.reveal()}'")
    repo.write("a/b/nb.ipynb", held)
    assert run(colleague, repo.path, "scan", "a").returncode == 0, "the key is not known there"
    repo.act("export-fingerprints")
    for words in (("scan", "a"), ("scan", "a/b/nb.ipynb"), ("scan", ".")):
        done = run(colleague, repo.path, *words)
        assert done.returncode == 1, words
        assert f"…{leaked.tail}" in done.stdout
        assert leaked.reveal() not in done.stdout + done.stderr
    run(colleague, repo.path, "scrub", "a/b/nb.ipynb")
    assert repo.read("a/b/nb.ipynb") == held
    assert build_watchlist(str(repo.path / "a/b"), environ=colleague).reported == {leaked.fingerprint}


@pytest.mark.slow
def test_a_colleagues_push_is_stopped_and_the_filter_changes_nothing(
    repo: Repo, colleague: dict[str, str], tmp_path: Path
) -> None:
    leaked = noted(repo, COMPROMISED)
    repo.act("export-fingerprints")
    repo.commit("the fingerprints")
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "remote.git"))
    repo.git("clone", "-q", str(tmp_path / "remote.git"), str(tmp_path / "theirs"))
    theirs = Repo(tmp_path / "theirs", colleague, make=False)
    theirs.protect(local=True)
    theirs.write("nb.ipynb", notebook(f"x = '{leaked.reveal()}'"))
    theirs.commit("with a key that they do not know")
    assert leaked.reveal().encode() in theirs.blob("HEAD:nb.ipynb"), "a file of the repository rewrites nothing"
    refused = theirs.run("push")
    assert refused.returncode != 0
    assert f"…{leaked.tail}" in refused.stdout + refused.stderr


def test_in_a_notebook_too(new_context) -> None:
    context = new_context()
    context.index.remember(make_key(), RETIRED)
    shown = act(context, "export-fingerprints").shown
    assert "1 fingerprint added" in shown
    assert context.folder
    assert Path(context.folder, REVOKED_FILE).is_file()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes have no path elsewhere")
def test_a_pipe_in_place_of_the_file_is_refused_without_blocking(repo: Repo) -> None:
    noted(repo, RETIRED)
    os.mkfifo(repo.path / REVOKED_FILE)
    repo.write("a.ipynb", notebook("x = 1"))
    done = run(repo.env, repo.path, "export-fingerprints")
    assert (done.returncode, "not a regular file" in done.stderr) == (3, True)
    for words in (["a.ipynb"], ["."], ["--notebooks", "."]):
        done = run(repo.env, repo.path, "scan", *words)
        assert (done.returncode, "was not read: it is not a regular file" in done.stderr) == (0, True)
