"""Keys in history that are in no file: in messages, people, names; and in archives."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import Key
from mistral_nb.git.object_text import split_object
from mistral_nb.redaction.archive_members import TOO_LARGE
from mistral_nb.report import as_text
from support.git_repos import Repo, uses
from support.keys import make_key


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def in_message(repo: Repo, text: str) -> str:
    repo.git("commit", "-q", "--allow-empty", "-F", "-", given=f"Subject\n\nThe key is\n{text[:11]}\n{text[11:]}\n")
    return "the message of commit "


def in_author(repo: Repo, text: str) -> str:
    repo.git("commit", "-q", "--allow-empty", "-m", "x", GIT_AUTHOR_NAME=text)
    return "the author of commit "


def in_committer(repo: Repo, text: str) -> str:
    repo.git("commit", "-q", "--allow-empty", "-m", "x", GIT_COMMITTER_EMAIL=f"{text}@example.com")
    return "the committer of commit "


def in_header(repo: Repo, text: str) -> str:
    repo.git("commit", "-q", "--allow-empty", "-m", "x")
    head, _, message = repo.git("cat-file", "commit", "HEAD").partition("\n\n")
    name = repo.git("hash-object", "-t", "commit", "-w", "--stdin", given=f"{head}\nnote {text}\n\n{message}").strip()
    repo.git("update-ref", "refs/heads/main", name)
    return "the header of commit "


def in_tag_message(repo: Repo, text: str) -> str:
    repo.git("tag", "-a", "-F", "-", "v1", given=text)
    return "the message of tag "


def in_tag_name(repo: Repo, text: str) -> str:
    repo.git("tag", f"v-{text}")
    return "the name of tag v-["


def in_branch_name(repo: Repo, text: str) -> str:
    repo.git("branch", f"try/{text}")
    return "the name of branch try/["


def in_file_name(repo: Repo, text: str) -> str:
    """A pure renaming: the blob has another name too."""
    repo.git("mv", "start.txt", f"{text}.txt")
    repo.git("commit", "-q", "-m", "renamed")
    repo.git("mv", f"{text}.txt", "start.txt")
    repo.git("commit", "-q", "-m", "and back")
    return "the name of ["


def in_folder_name(repo: Repo, text: str) -> str:
    repo.write(f"a/{text}/b.txt", b"nothing")
    repo.commit()
    return "the name of a/["


def in_zip(repo: Repo, text: str) -> str:
    repo.write("data.zip", zipped("inner.zip", zipped("a.txt", text.encode())))
    repo.commit()
    return "line 1 of data.zip!inner.zip!a.txt"


def in_gzip(repo: Repo, text: str) -> str:
    repo.write("log.gz", gzip.compress(f"\n{text[:9]}\n{text[9:]}".encode()))
    repo.commit()
    return "line 2 of log.gz!content"


PLACES = (
    *(in_message, in_author, in_committer, in_header, in_tag_message, in_tag_name, in_branch_name),
    *(in_file_name, in_folder_name, in_zip, in_gzip),
)
REFERENCES = (in_tag_name, in_branch_name)


@pytest.fixture
def started(bare: Repo) -> Repo:
    bare.write("start.txt", b"nothing")
    bare.commit("the start")
    return bare


def scan(repo: Repo, revisions: str = "") -> Any:
    return repo.act("scan", paths=[], git_history=revisions).report


@pytest.mark.parametrize("put", PLACES)
def test_a_key_is_found_and_its_place_told_without_it(put: Callable[[Repo, str], str], started: Repo, key: Key) -> None:
    told = put(started, key.reveal())
    report = scan(started)
    assert report.exit_code == 1
    assert {found["tail"] for found in report.data["keys"]} == {key.tail}
    for shown in (as_text(report), json.dumps(report.data)):
        assert key.reveal() not in shown
    assert told in as_text(report)
    assert report.data["findings"][0]["commit"]
    assert (report.data["findings"][0]["blob"] is None) == (report.data["findings"][0]["place"] != "")


@pytest.mark.parametrize("put", PLACES)
def test_the_control_another_key_is_not_found(put: Callable[[Repo, str], str], started: Repo) -> None:
    put(started, make_key().reveal())
    assert scan(started).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("put", PLACES)
def test_it_is_not_pushed(put: Callable[[Repo, str], str], started: Repo, key: Key) -> None:
    started.git("init", "-q", "--bare", "../the remote.git")
    started.git("remote", "add", "origin", "../the remote.git")
    started.git("push", "-q", "origin", "main")
    started.protect(local=True, pre_push=True)
    put(started, key.reveal())
    refused = started.run("push", "--all", "origin")
    if put in (in_tag_message, in_tag_name):
        assert refused.returncode == 0, "a branch alone takes no tag along"
        refused = started.run("push", "--tags", "origin")
    assert refused.returncode != 0
    assert f"…{key.tail}" in refused.stdout + refused.stderr
    assert key.reveal() not in (refused.stdout + refused.stderr).split("error: failed to push", 1)[0]
    remote = Repo(started.path.parent / "the remote.git", started.env, make=False)
    everything = remote.git("for-each-ref").encode() + remote.objects()
    assert key.reveal().encode() not in everything
    started.git("push", "-q", "--no-verify", "--all", "origin")
    started.git("push", "-q", "--no-verify", "--tags", "origin")
    assert scan(remote).exit_code == 1, "the control: it was on its way there"


def test_known_and_suspected_keys_in_a_message(started: Repo) -> None:
    known, suspected = make_key(), make_key()
    started.git("commit", "-q", "--allow-empty", "-m", f"{uses(suspected)}\n\n{known.reveal()}")
    started.env["MISTRAL_API_KEY"] = known.reveal()
    assert {(found["tail"], found["tier"]) for found in scan(started).data["keys"]} == {
        (known.tail, "known"),
        (suspected.tail, "suspected"),
    }


def test_a_range_has_its_own_messages_and_names_alone(started: Repo, key: Key) -> None:
    in_message(started, key.reveal())
    in_file_name(started, key.reveal())
    started.git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert scan(started, "HEAD~1..HEAD").exit_code == 0
    places = {found["place"] for found in scan(started, "HEAD~4..HEAD").data["findings"]}
    assert places == {"message", "name"}


def test_what_is_not_read_of_an_archive_is_counted(started: Repo, key: Key) -> None:
    started.write("bomb.zip", zipped("zeros.bin", bytes(3 << 20)))
    started.write("picture.png", b"\x89PNG\0" + bytes(range(256)))
    started.commit()
    report = scan(started)
    assert report.exit_code == 0
    [unread] = report.data["unread_members"]
    assert (unread["member"], unread["reason"]) == ("zeros.bin", TOO_LARGE)
    assert report.data["binary"] == 1
    assert "1 archive member (1 too large)" in as_text(report)
    assert "1 blob: a key broken by line ends" in as_text(report)


def test_a_push_tells_what_it_did_not_read(started: Repo, tmp_path: Path) -> None:
    started.protect(local=True, pre_push=True)
    started.write("bomb.zip", zipped("zeros.bin", bytes(3 << 20)))
    started.commit()
    started.git("init", "-q", "--bare", "../the remote.git")
    done = started.run("push", "../the remote.git", "main")
    assert done.returncode == 0
    assert "not read in this push: 1 archive member (1 too large)." in done.stdout + done.stderr


def test_the_parts_of_a_commit() -> None:
    written = (
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b.c> 1700000000 +0000\n"
        b"committer C <c@b.c> 1700000000 +0000\ngpgsig -----BEGIN\n \n abc\nencoding x\n\nSubject\n\nBody"
    )
    assert list(split_object(written)) == [
        ("author", b"A <a@b.c>"),
        ("committer", b"C <c@b.c>"),
        ("header", b"-----BEGIN\n\nabc\nx"),
        ("message", b"Subject\n\nBody"),
    ]
