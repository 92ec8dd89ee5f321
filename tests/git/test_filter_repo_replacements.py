"""Keys are taken out of a history as the report tells: with the real git filter-repo, seen in a new clone."""

import base64
import gzip
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.git.filter_repo_replacements import ReplacementsNotWritten
from mistral_nb.report import as_text
from support.git_repos import Repo, notebook, uses
from support.keys import make_key
from support.requirements import absent

FORMS = {
    "plain.py": lambda key: f'key = "{key}"  # ==> here\n',
    "base64.txt": lambda key: f"Authorization: Basic {base64.b64encode(b'user:' + key.encode()).decode()}\n",
    "base64_lines.txt": lambda key: base64.encodebytes(b"a few words before " + key.encode() + b" after").decode(),
    "hex.txt": lambda key: f"{key.encode().hex()}\n",
    "percent.txt": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "wrapped.txt": lambda key: f"the key is {key[:13]}\n{key[13:]} and that is all\n",
    "quoted.py": lambda key: f"key = ({key[:10]!r}\n    {key[10:]!r})\n",
    "coloured.log": lambda key: f"\x1b[31m{key[:9]}\x1b[0m{key[9:]}\x1b[0m\n",
    "tags.html": lambda key: f"<b>{key[:8]}</b><i>{key[8:]}</i>\n",
    "escaped.json": lambda key: json.dumps({"a": f"\n{key}"}).replace(key[5], f"\\u{ord(key[5]):04x}"),
    "outputs.ipynb": lambda key: notebook("1", outputs=(key[:12], key[12:])).decode(),
    "part.txt": lambda key: f"it begins with {key[:20]}\n",
}


def scan(repo: Repo, **flags: Any) -> Any:
    return repo.act("scan", paths=[], git_history="", **flags).report


def filter_repo(repo: Repo, report: Any) -> None:
    """Runs the command that the report gives."""
    folder = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which("git-filter-repo", path=folder)
    if not program:
        absent("git-filter-repo not installed")
    command = re.search(r"git filter-repo (.*?)[.;]?$", "\n".join(report.notes), re.MULTILINE)
    assert command, report.notes
    words = [program, "--force", *shlex.split(command[1])]
    subprocess.run(words, cwd=repo.path, env=repo.env, check=True, capture_output=True)


def clone(repo: Repo, folder: Path) -> Repo:
    repo.git("clone", "-q", "--mirror", repo.path.as_uri(), str(folder))
    return Repo(folder, repo.env, make=False)


@pytest.fixture
def full(bare: Repo, key: Key) -> Repo:
    """Each form in a commit of its own, then none in the files; messages of commits and of a tag too."""
    bare.env["MISTRAL_API_KEY"] = key.reveal()  # known: also its parts count
    for name, write in FORMS.items():
        bare.write(name, write(key.reveal()).encode())
        bare.commit(f"with {name}")
    for name in FORMS:
        bare.write(name, b"nothing\n")
    message = f"Subject\n\n{FORMS['base64.txt'](key.reveal())}\n{FORMS['wrapped.txt'](key.reveal())}\n{uses(key)}\n"
    bare.git("add", "-A")
    bare.git("commit", "-q", "-F", "-", given=message)
    bare.git("tag", "-a", "-F", "-", "v1", given=message)
    return bare


@pytest.mark.slow
def test_after_the_command_that_the_report_gives_a_new_clone_is_clean(full: Repo, key: Key, tmp_path: Path) -> None:
    files = {found["file"] for found in scan(clone(full, tmp_path / "before")).data["findings"]}
    assert files >= FORMS.keys(), "the control: every form is found"
    assert len(files) == len(FORMS) + 2, "and both messages"
    report = scan(full, replacement_file=str(tmp_path / "replacements"))
    assert f"delete {tmp_path / 'replacements'}" in as_text(report)
    filter_repo(full, report)
    after = clone(full, tmp_path / "after")
    assert scan(after).exit_code == 0, as_text(scan(after))
    assert after.objects_with(key) == []
    assert after.blob("HEAD~1:plain.py") == f'key = "{MARKER}"  # ==> here\n'.encode()
    assert json.loads(after.blob("HEAD~1:outputs.ipynb"))["cells"][0]["source"] == ["1"]
    assert len(after.git("log", "--format=%H").splitlines()) == len(FORMS) + 1


@pytest.mark.slow
def test_binary_blobs_and_archives_are_removed_whole(bare: Repo, key: Key, tmp_path: Path) -> None:
    bare.write("picture.png", b"\x89PNG\0" + key.reveal().encode() + b"\0")
    bare.write("log.gz", gzip.compress(key.reveal().encode()))
    bare.write("wide.txt", f"key {key.reveal()}".encode("utf-16"))
    bare.write("good.png", b"\x89PNG\0")
    bare.commit()
    report = scan(bare, replacement_file=str(tmp_path / "replacements"))
    assert "--strip-blobs-with-ids" in as_text(report)
    filter_repo(bare, report)
    after = clone(bare, tmp_path / "after")
    assert scan(after).exit_code == 0
    assert after.git("ls-tree", "--name-only", "HEAD").split() == ["good.png"]


def test_known_remembered_and_suspected_keys_are_in_the_file(bare: Repo, key: Key, tmp_path: Path) -> None:
    known, suspected = make_key(), make_key()
    for name, one in (("known", known), ("remembered", key), ("suspected", suspected)):
        bare.write(f"{name}.py", uses(one).encode())
    bare.commit()
    bare.env["MISTRAL_API_KEY"] = known.reveal()
    file = tmp_path / "replacements"
    scan(bare, replacement_file=str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(file.read_text().splitlines()) == {
        f"literal:{one.reveal()}==>{MARKER}" for one in (known, key, suspected)
    }


def test_what_the_files_can_not_remove_is_told(bare: Repo, key: Key, tmp_path: Path) -> None:
    bare.write(f"{key.reveal()}.txt", b"nothing")
    bare.git("add", ".")
    bare.git("commit", "-q", "-m", "x", GIT_AUTHOR_NAME=key.reveal())
    report = scan(bare, replacement_file=str(tmp_path / "replacements"))
    assert "2 names" in as_text(report)
    assert "--mailmap" in as_text(report)
    assert key.reveal() not in as_text(report)


def test_the_file_is_not_written_where_a_commit_could_take_it_in(bare: Repo, key: Key) -> None:
    bare.write("a.py", uses(key).encode())
    bare.commit()
    another = Repo(bare.path.parent / "another", bare.env)
    for place in (bare.path, bare.path / "a folder", another.path):
        place.mkdir(exist_ok=True)
        with pytest.raises(ReplacementsNotWritten, match="work tree"):
            scan(bare, replacement_file=str(place / "replacements"))
        assert not (place / "replacements").exists()
    scan(bare, replacement_file=str(bare.path / ".git/replacements"))
    assert bare.status() == '?? "a folder/"\n' or bare.status() == ""


def test_where_one_of_the_two_files_can_not_be_written_there_is_none(bare: Repo, key: Key, tmp_path: Path) -> None:
    bare.write("a.py", uses(key).encode())
    bare.write("picture.png", b"\x89PNG\0" + key.reveal().encode())
    bare.commit()
    blobs = tmp_path / "replacements.blobs"
    blobs.write_text("mine")
    with pytest.raises(ReplacementsNotWritten, match="replacements.blobs could not be written"):
        scan(bare, replacement_file=str(tmp_path / "replacements"))
    assert not (tmp_path / "replacements").exists()
    assert blobs.read_text() == "mine"
    blobs.unlink()
    scan(bare, replacement_file=str(tmp_path / "replacements"))
    assert key.reveal() in (tmp_path / "replacements").read_text(), "the control"
