"""The process git talks to, spoken to as git speaks."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from git_repos import notebook, uses
from keys import make_key

from mistral_nb.git import packets
from mistral_nb.git.filter import Filter, Unusable, serve
from mistral_nb.key import MARKER
from mistral_nb.store.index import Index

GREETING = packets.lines(b"git-filter-client", b"version=2")
OFFER = packets.lines(b"capability=clean", b"capability=smudge", b"capability=delay")


def request(command: bytes, path: bytes, data: bytes, *more: bytes) -> bytes:
    return packets.lines(b"command=" + command, b"pathname=" + path, *more) + b"".join(packets.content([data]))


def answers(stream: bytes, home: Path, work: Filter | None = None) -> io.BytesIO:
    out = io.BytesIO()
    serve(work or Filter(str(home)), io.BytesIO(stream).read, out.writelines)
    out.seek(0)
    return out


def answer(out: io.BytesIO) -> tuple[list[bytes], bytes]:
    status = packets.read_lines(out.read)
    if status != [b"status=success"]:
        return status, b""
    content = b"".join(packets.read_content(out.read))
    return status + packets.read_lines(out.read), content


def test_it_shakes_hands_and_offers_clean_and_smudge_alone(tmp_path: Path) -> None:
    out = answers(GREETING + OFFER, tmp_path)
    assert packets.read_lines(out.read) == [b"git-filter-server", b"version=2"]
    assert packets.read_lines(out.read) == [b"capability=clean", b"capability=smudge"]
    assert out.read() == b""


def test_it_takes_version_2_among_others_and_claims_no_capability_that_was_not_offered(tmp_path: Path) -> None:
    greeting = packets.lines(b"git-filter-client", b"version=2", b"version=42")
    out = answers(greeting + packets.lines(b"capability=smudge", b"capability=time-travel"), tmp_path)
    assert packets.read_lines(out.read) == [b"git-filter-server", b"version=2"]
    assert packets.read_lines(out.read) == [b"capability=smudge"]


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        packets.lines(b"git-filter-client", b"version=3"),
        packets.lines(b"git-filter-client"),
        packets.lines(b"somebody-else", b"version=2"),
    ],
)
def test_it_does_not_start_with_what_it_does_not_speak(greeting: bytes, tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        answers(greeting, tmp_path)


def test_keys_go_on_the_way_in_and_nothing_changes_on_the_way_out(tmp_path: Path) -> None:
    key = make_key()
    Index(str(tmp_path)).remember(key)
    dirty, clean = notebook(uses(key)), notebook("1 + 1")
    stream = GREETING + OFFER
    stream += request(b"clean", b"a.ipynb", dirty) + request(b"clean", b"b.ipynb", clean, b"ref=x", b"can-delay=1")
    stream += request(b"smudge", b"c.ipynb", dirty) + request(b"clean", b"empty.ipynb", b"")
    out = answers(stream, tmp_path)
    packets.read_lines(out.read)
    packets.read_lines(out.read)
    assert answer(out) == ([b"status=success"], dirty.replace(key.reveal().encode(), MARKER.encode()))
    assert answer(out) == ([b"status=success"], clean)
    assert answer(out) == ([b"status=success"], dirty)
    assert answer(out) == ([b"status=success"], b"")


def test_an_unknown_command_is_declined_and_the_next_file_is_served(tmp_path: Path) -> None:
    stream = GREETING + OFFER + request(b"list_available_blobs", b"", b"") + request(b"clean", b"a.ipynb", b"{}")
    out = answers(stream, tmp_path)
    packets.read_lines(out.read)
    packets.read_lines(out.read)
    assert answer(out) == ([b"status=abort"], b"")
    assert answer(out) == ([b"status=success"], b"{}")


def test_one_file_that_fails_is_that_files_status_with_the_reason_and_without_the_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = make_key()

    class Broken(Filter):
        def clean(self, path: str, pieces: list[bytes]) -> list[bytes]:
            if path == "bad.ipynb":
                raise ValueError(f"something about {key.reveal()}")
            return super().clean(path, pieces)

    stream = GREETING + OFFER + request(b"clean", b"bad.ipynb", notebook(uses(key)))
    stream += request(b"clean", b"b.ipynb", b"")
    out = answers(stream, tmp_path, Broken(str(tmp_path)))
    packets.read_lines(out.read)
    packets.read_lines(out.read)
    assert answer(out) == ([b"status=error"], b"")
    assert answer(out) == ([b"status=success"], b"")
    said = capfd.readouterr().err
    assert "bad.ipynb" in said
    assert "ValueError" in said
    assert key.reveal() not in said


def test_the_way_to_a_quiet_file_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from mistral_nb.git.filter import Filter\n"
        "work = Filter(sys.argv[2]); data = [open(sys.argv[3], 'rb').read()]\n"
        "assert work.clean('a.ipynb', data) is data\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    Index(str(tmp_path)).remember(make_key())
    file = tmp_path / "a.ipynb"
    file.write_bytes(notebook("from mistralai import Mistral", "<b>1</b>", outputs=("one\n", "\x1b[31mtwo\x1b[0m\n")))
    root = str(Path(packets.__file__).parents[2])
    words = [sys.executable, "-I", "-S", "-c", code, root, str(tmp_path), str(file)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heavy = {"re", "typing", "json", "enum", "functools", "collections", "contextlib", "hashlib", "subprocess"}
    assert not heavy & set(done.stdout.split())
    assert "mistral_nb.scrub" not in done.stdout


@pytest.mark.parametrize("action", ["clean", "smudge"])
def test_the_one_shot_form_does_the_same(action: str, tmp_path: Path) -> None:
    key = make_key()
    Index(str(tmp_path)).remember(key)
    data = notebook(uses(key))
    words = [sys.executable, "-m", "mistral_nb", "git-filter", f"--{action}", "a b.ipynb"]
    env = os.environ | {"MISTRAL_NB_HOME": str(tmp_path)}
    done = subprocess.run(words, input=data, capture_output=True, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (key.reveal().encode() in done.stdout) == (action == "smudge")


def test_started_by_hand_it_says_what_it_is_for(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mistral_nb", "git-filter"]
    done = subprocess.run(words, input="hello", capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "for git to start" in done.stderr


@pytest.mark.parametrize(("path", "goes"), [(b"a.ipynb", True), (b"A.IPYNB", True), (b"a.py", False)])
def test_a_suspected_key_goes_from_notebooks_whatever_the_case_of_their_name(
    path: bytes, goes: bool, tmp_path: Path
) -> None:
    text = make_key().reveal()
    held = notebook(f'MISTRAL_API_KEY = "{text}"')
    out = answers(GREETING + OFFER + request(b"clean", path, held), tmp_path)
    packets.read_lines(out.read), packets.read_lines(out.read)
    assert (text.encode() not in answer(out)[1]) == goes
