"""History read whole: every blob once, each key with the commits that carry it."""

import base64
import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.errors import WrongUsage
from mistral_nb.git.filter_repo_replacements import ReplacementsNotWritten
from mistral_nb.git.object_scanner import ObjectFindings, ScanProgress, UnreadableObject, scan_objects
from mistral_nb.git.run_git import Git, GitFailed
from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import build_watchlist
from support.git_repos import Repo, notebook, uses
from support.keys import make_key


def scan(repo: Repo, revisions: str = "", **flags: Any) -> Any:
    return repo.act("scan", paths=[], git_history=revisions, **flags).report


def commit(repo: Repo, message: str, date: str, **author: str) -> str:
    """A commit of everything, at a date; its name."""
    dates = {"GIT_AUTHOR_DATE": f"{date}T12:00:00Z", "GIT_COMMITTER_DATE": f"{date}T12:00:00Z"}
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", message, **dates, **author)
    return repo.git("rev-parse", "HEAD").strip()


@pytest.fixture
def long(bare: Repo, key: Key) -> Repo:
    """Three commits carry the key, at two paths, one of them on a branch; the last one is without it."""
    bare.write("a.ipynb", notebook("1"))
    bare.names = {"start": commit(bare, "start", "2026-01-01")}
    bare.write("a.ipynb", notebook(uses(key)))
    bare.names["first"] = commit(bare, "in", "2026-01-02", GIT_AUTHOR_NAME="Ada", GIT_AUTHOR_EMAIL="ada@example.com")
    bare.git("switch", "-q", "-c", "topic")
    bare.write("sub folder/b.ipynb", bare.read("a.ipynb"))
    bare.names["copied"] = commit(bare, "copied", "2026-01-03")
    bare.git("switch", "-q", "main")
    bare.write("other.txt", b"nothing")
    bare.names["still"] = commit(bare, "still there", "2026-01-04")
    bare.write("a.ipynb", notebook("2"))
    bare.names["out"] = commit(bare, "out", "2026-01-05")
    return bare


def test_each_key_with_first_and_last_commit_author_date_and_paths(long: Repo, key: Key) -> None:
    report = scan(long)
    names = long.names
    assert report.exit_code == 1
    [found] = report.data["keys"]
    assert found == {
        "fingerprint": key.fingerprint,
        "tail": key.tail,
        "tier": "remembered",
        "first_commit": names["first"],
        "last_commit": names["still"],
        "author": "Ada",
        "date": found["date"],
        "files": ["a.ipynb", "sub folder/b.ipynb"],
        "blobs": 1,
    }
    assert found["date"].startswith("2026-01-02T12:00:00")
    [one, other] = report.data["findings"]
    assert (one["file"], one["commit"], one["last_commit"]) == ("a.ipynb", names["first"], names["still"])
    assert (other["file"], other["commit"], other["last_commit"]) == ("sub folder/b.ipynb", *[names["copied"]] * 2)
    assert {"tier", "fingerprint", "file", "path", "line", "commit"} <= set(one)
    assert one["path"] == "cells[0].source"
    for shown in (str(report), json.dumps(report.data)):
        assert key.reveal() not in shown
    assert "evoke" in str(report)
    assert "filter-repo" in str(report)


@pytest.mark.slow
def test_a_range_is_scanned_alone(long: Repo) -> None:
    names = long.names
    assert scan(long, f"{names['still']}..main").exit_code == 0
    assert scan(long, f"{names['start']}..{names['first']}").exit_code == 1
    assert scan(long, "main").data["keys"][0]["files"] == ["a.ipynb"]
    with pytest.raises(WrongUsage, match="no-such-branch"):
        scan(long, "no-such-branch..main")


def test_known_remembered_and_suspected_are_distinguished(bare: Repo, key: Key) -> None:
    known, suspected = make_key(), make_key()
    for name, one in (("known", known), ("remembered", key), ("suspected", suspected)):
        bare.write(f"{name}.ipynb", notebook(uses(one)))
    commit(bare, "all", "2026-01-01")
    bare.env["MISTRAL_API_KEY"] = known.reveal()
    assert {(k["files"][0], k["tier"]) for k in scan(bare).data["keys"]} == {
        (f"{tier}.ipynb", tier) for tier in ("known", "remembered", "suspected")
    }


def test_a_merge_and_a_stash_and_a_tag_are_history_too(bare: Repo) -> None:
    keys = {name: make_key() for name in ("branch", "stash", "tag")}
    bare.remember(*keys.values())
    bare.write("a.ipynb", notebook("1"))
    bare.commit()
    bare.git("switch", "-q", "-c", "topic")
    bare.write("branch.ipynb", notebook(uses(keys["branch"])))
    bare.commit()
    bare.git("switch", "-q", "main")
    bare.write("other.ipynb", notebook("2"))
    bare.commit()
    bare.git("merge", "-q", "--no-edit", "topic")
    bare.git("branch", "-q", "-d", "topic")
    bare.write("a.ipynb", notebook(uses(keys["stash"])))
    bare.git("stash")
    bare.write("a.ipynb", notebook(uses(keys["tag"])))
    bare.commit()
    bare.git("tag", "-a", "-m", "v1", "v1")
    bare.git("reset", "-q", "--hard", "HEAD~1")
    assert {found["tail"] for found in scan(bare).data["keys"]} == {key.tail for key in keys.values()}


def test_a_clean_history_and_an_empty_one_are_fine(bare: Repo) -> None:
    assert scan(bare).exit_code == 0
    bare.write("a.ipynb", notebook("1"))
    bare.commit()
    report = scan(bare)
    assert (report.exit_code, report.data["files"]) == (0, 1)


@pytest.mark.parametrize(
    ("words", "unread"), [(("--bare",), 0), (("--depth=2",), 0), (("--filter=blob:none", "--no-checkout"), 4)]
)
def test_bare_shallow_and_partial_clones(words: tuple[str, ...], unread: int, long: Repo, tmp_path: Path) -> None:
    long.git("config", "uploadpack.allowFilter", "true")
    long.git("clone", "-q", *words, long.path.as_uri(), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone", long.env, make=False)
    before = clone.objects()
    report = scan(clone)
    assert clone.objects() == before  # nothing was fetched
    assert len(report.data["unreadable"]) == unread
    assert report.exit_code == (3 if unread else 1)
    assert report.data["shallow"] == ("--depth=2" in words)
    assert ("not read" in str(report)) == bool(unread)
    assert ("unshallow" in str(report)) == ("--depth=2" in words)


def test_a_damaged_object_is_reported_and_the_others_are_read(long: Repo, key: Key) -> None:
    name = long.git("rev-parse", "main:other.txt").strip()
    file = long.path / ".git/objects" / name[:2] / name[2:]
    file.chmod(0o644)
    file.write_bytes(b"not an object")
    report = scan(long)
    assert report.data["unreadable"] == [name]
    assert report.exit_code == 3
    assert report.data["keys"][0]["tail"] == key.tail


@pytest.mark.slow
def test_every_blob_is_read_once_by_however_many_processes(bare: Repo, key: Key) -> None:
    for number in range(300):
        bare.write(f"{number}.ipynb", notebook(uses(key) if number % 50 == 0 else str(number)))
    bare.commit()
    names = [line.split()[1] for line in bare.git("ls-files", "-s").splitlines()]
    unique = list(dict.fromkeys(names))
    for processes in (1, 2, 3):
        events = list(scan_objects(Git(str(bare.path), bare.env), [*unique, "0" * 40], processes=processes))
        assert sum(event.blobs for event in events if isinstance(event, ScanProgress)) == len(unique)
        assert len([event for event in events if isinstance(event, ObjectFindings)]) == 1
        assert [event.name for event in events if isinstance(event, UnreadableObject)] == ["0" * 40]


def test_in_a_binary_blob_a_key_in_one_piece_is_found_and_in_a_source_any_form(bare: Repo, key: Key) -> None:
    text, noise = key.reveal(), bytes(range(256)) * 40
    wrapped = f"{text[:9]}\n{text[9:]}".encode()
    forms = {
        "plain": text.encode(),
        "encoded": base64.b64encode(b"Bearer " + text.encode()),
        "wide": text.encode("utf-16-le"),
        "wrapped": wrapped,
    }
    for form, written in forms.items():
        for name in ("a.png", "without_extension", "a.py", "a.ipynb", "settings.yaml"):
            bare.write(f"{form}/{name}", name.encode() + noise + b"(" + written + b")")
    bare.commit()
    found = {finding["file"] for finding in scan(bare).data["findings"]}
    expected = {f"{form}/{name}" for form in forms for name in ("a.py", "a.ipynb", "settings.yaml")}
    expected |= {f"{form}/{name}" for form in forms for name in ("a.png", "without_extension") if form != "wrapped"}
    assert found == expected


def test_a_thousand_blobs_are_read_in_pieces_and_each_key_is_found(bare: Repo) -> None:
    """Beside the plain way: each file by itself."""
    keys = [make_key() for _ in range(5)]
    bare.remember(*keys)
    random_bytes = random.Random(1).randbytes
    contents = {}
    for number in range(1000):
        held = uses(keys[number % 5]).encode() if number % 90 == 0 else b"x = %d\n" % number
        kind = number % 4
        contents[f"{number}{('.ipynb', '.py', '.bin', '.txt')[kind]}"] = (
            notebook(held.decode()) if kind == 0 else b"\0" + random_bytes(500) + held if kind == 2 else held
        )
    for name, data in contents.items():
        bare.write(name, data)
    bare.commit()
    watchlist = build_watchlist(str(bare.path), environ=bare.env)
    expected = {(name, f.fingerprint) for name, data in contents.items() for f in redact(data, watchlist).findings}
    assert len(expected) == 12
    assert {(found["file"], found["fingerprint"]) for found in scan(bare).data["findings"]} == expected


@pytest.mark.slow
def test_memory_stays_bounded_by_the_largest_blob(bare: Repo) -> None:
    for number in range(60):
        bare.write(f"{number}.ipynb", notebook(*[f"a line of {number} " * 6_000] * 20))
    bare.commit()
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=-3, check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    words = [sys.executable, "-c", code, sys.executable, "-m", "mistral_nb", "scan", "--git-history"]
    done = subprocess.run(words, cwd=bare.path, env=bare.env, capture_output=True, text=True, check=True)
    assert len(bare.objects()) > 90_000_000
    assert int(done.stdout) < 90  # MiB, of the largest of all its processes


def test_stopping_early_leaves_no_process_behind(long: Repo) -> None:
    names = [line.split()[0] for line in long.git("rev-list", "--objects", "--all").splitlines()]
    events = scan_objects(Git(str(long.path), long.env), names * 500, processes=2)
    next(events)
    events.close()
    left = subprocess.run(["ps", "-ww", "-A", "-o", "ppid=,args="], capture_output=True, text=True).stdout
    assert not [line for line in left.splitlines() if line.split()[0] == str(os.getpid()) and "git.reading" in line]


@pytest.mark.slow
def test_the_replacement_file_is_private_and_created_only_on_request(long: Repo, key: Key, tmp_path: Path) -> None:
    file = tmp_path / "replacements"
    report = scan(long, replacement_file=str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == f"literal:{key.reveal()}==>{MARKER}\n"
    assert "in clear" in str(report)
    assert key.reveal() not in str(report)
    file.write_text("mine")
    with pytest.raises(ReplacementsNotWritten):
        scan(long, replacement_file=str(file))
    assert file.read_text() == "mine"


@pytest.mark.slow
def test_the_command_line_prints_json_and_exits_1(long: Repo, key: Key) -> None:
    words = [sys.executable, "-m", "mistral_nb", "scan", "--git-history", "--json"]
    done = subprocess.run(words, cwd=long.path, env=long.env, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["keys"][0]["fingerprint"] == key.fingerprint


def test_history_and_paths_cannot_be_combined(long: Repo) -> None:
    with pytest.raises(WrongUsage):
        long.act("scan", paths=["."], git_history="")
    with pytest.raises(WrongUsage):
        long.act("scan", paths=["."], replacement_file="x")


def test_outside_a_repository_it_says_so(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(Exception, match="not a git repository"):
        scan(Repo(tmp_path / "nowhere", env, make=False))
    with pytest.raises(WrongUsage, match="Go into one, or scan files"):
        Repo(tmp_path / "nowhere", env, make=False).act("scan", paths=[], git_history="")


def test_a_missing_tree_is_reported(bare: Repo, key: Key, tmp_path: Path) -> None:
    bare.write("old/a.ipynb", notebook(uses(key)))
    bare.commit("with a key")
    bare.git("rm", "-q", "-r", "old")
    bare.write("b.ipynb", notebook("1"))
    bare.commit("without it")
    bare.git("config", "uploadpack.allowFilter", "true")
    bare.git("clone", "-q", "--filter=tree:0", bare.path.as_uri(), str(tmp_path / "treeless"))
    report = scan(Repo(tmp_path / "treeless", bare.env, make=False))
    assert report.exit_code == 3
    assert report.data["unreadable"]
    assert "not read" in str(report)


def test_a_damaged_commit_is_not_reported_as_a_wrong_range(bare: Repo) -> None:
    bare.write("a.txt", b"1")
    bare.commit()
    name = bare.git("rev-parse", "HEAD").strip()
    loose = bare.path / ".git/objects" / name[:2] / name[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"damaged")
    bare.write("b.txt", b"2")
    with pytest.raises(GitFailed) as failed:
        scan(bare, "HEAD~0")
    assert failed.value.exit_code == 3
    with pytest.raises(WrongUsage):
        scan(bare, "no-such-branch..")


@pytest.mark.slow
def test_user_settings_do_not_change_the_report(long: Repo) -> None:
    plain = scan(long).data["findings"]
    long.git("config", "log.showSignature", "true")
    long.git("config", "diff.relative", "true")
    long.git("config", "diff.orderFile", "/no/such/file")
    assert scan(long).data["findings"] == plain


def test_names_are_seen_whatever_git_shows_of_the_first_commit_and_what_they_are_made_of(bare: Repo, key: Key) -> None:
    bare.git("config", "log.showRoot", "false")
    bare.write(f"{key.reveal()}.txt", b"the same content")
    bare.write("a.txt", b"the same content")
    bare.commit()
    bare.git("rm", "-q", f"{key.reveal()}.txt")
    bare.git("commit", "-q", "-m", "removed")
    bare.git("branch", f"a\u2028{key.reveal()}")
    found = bare.act("scan", paths=[], git_history="")
    files = {one["file"] for one in found.report.data["findings"]}
    assert files == {f"{MARKER}.txt", f"branch a\u2028{MARKER}"}
    assert key.reveal() not in found.shown


def test_with_an_index_that_can_not_be_read_the_scan_says_so(long: Repo) -> None:
    (Path(long.env["MISTRAL_NB_HOME"]) / "workspaces.json").write_bytes(b"{")
    shown = str(scan(long))
    assert "workspaces.json" in shown
    assert "everything shaped like a key" in shown
