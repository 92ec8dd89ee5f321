"""The process git talks to, spoken to as git speaks."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.git import pkt_line
from mistral_nb.git.filter_process import Filter, ProtocolError, serve
from mistral_nb.storage.index import Index
from support.git_repos import notebook, uses
from support.keys import make_key

GREETING = pkt_line.encode_lines(b"git-filter-client", b"version=2")
OFFER = pkt_line.encode_lines(b"capability=clean", b"capability=smudge", b"capability=delay")


def request(command: bytes, path: bytes, data: bytes, *more: bytes) -> bytes:
    return pkt_line.encode_lines(b"command=" + command, b"pathname=" + path, *more) + b"".join(
        pkt_line.encode_content([data])
    )


def answers(stream: bytes, home: Path, work: Filter | None = None) -> io.BytesIO:
    out = io.BytesIO()
    serve(work or Filter(str(home)), io.BytesIO(stream).read, out.writelines)
    out.seek(0)
    return out


def answer(out: io.BytesIO) -> tuple[list[bytes], bytes]:
    status = pkt_line.read_lines(out.read)
    if status != [b"status=success"]:
        return status, b""
    content = b"".join(pkt_line.read_content(out.read))
    return status + pkt_line.read_lines(out.read), content


def test_it_shakes_hands_and_offers_clean_and_smudge_alone(tmp_path: Path) -> None:
    out = answers(GREETING + OFFER, tmp_path)
    assert pkt_line.read_lines(out.read) == [b"git-filter-server", b"version=2"]
    assert pkt_line.read_lines(out.read) == [b"capability=clean", b"capability=smudge"]
    assert out.read() == b""


def test_it_takes_version_2_among_others_and_claims_no_capability_that_was_not_offered(tmp_path: Path) -> None:
    greeting = pkt_line.encode_lines(b"git-filter-client", b"version=2", b"version=42")
    out = answers(greeting + pkt_line.encode_lines(b"capability=smudge", b"capability=time-travel"), tmp_path)
    assert pkt_line.read_lines(out.read) == [b"git-filter-server", b"version=2"]
    assert pkt_line.read_lines(out.read) == [b"capability=smudge"]


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        pkt_line.encode_lines(b"git-filter-client", b"version=3"),
        pkt_line.encode_lines(b"git-filter-client"),
        pkt_line.encode_lines(b"somebody-else", b"version=2"),
    ],
)
def test_it_refuses_other_protocols(greeting: bytes, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError):
        answers(greeting, tmp_path)


def test_clean_removes_keys_and_smudge_changes_nothing(tmp_path: Path) -> None:
    key = make_key()
    Index(str(tmp_path)).remember(key)
    dirty, clean = notebook(uses(key)), notebook("1 + 1")
    stream = GREETING + OFFER
    stream += request(b"clean", b"a.ipynb", dirty) + request(b"clean", b"b.ipynb", clean, b"ref=x", b"can-delay=1")
    stream += request(b"smudge", b"c.ipynb", dirty) + request(b"clean", b"empty.ipynb", b"")
    out = answers(stream, tmp_path)
    pkt_line.read_lines(out.read)
    pkt_line.read_lines(out.read)
    assert answer(out) == ([b"status=success"], dirty.replace(key.reveal().encode(), MARKER.encode()))
    assert answer(out) == ([b"status=success"], clean)
    assert answer(out) == ([b"status=success"], dirty)
    assert answer(out) == ([b"status=success"], b"")


def test_an_unknown_command_is_declined_and_the_next_file_is_served(tmp_path: Path) -> None:
    stream = GREETING + OFFER + request(b"list_available_blobs", b"", b"") + request(b"clean", b"a.ipynb", b"{}")
    out = answers(stream, tmp_path)
    pkt_line.read_lines(out.read)
    pkt_line.read_lines(out.read)
    assert answer(out) == ([b"status=abort"], b"")
    assert answer(out) == ([b"status=success"], b"{}")


def test_a_failing_file_gets_its_own_status_and_a_reason_without_the_key(
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
    pkt_line.read_lines(out.read)
    pkt_line.read_lines(out.read)
    assert answer(out) == ([b"status=error"], b"")
    assert answer(out) == ([b"status=success"], b"")
    said = capfd.readouterr().err
    assert "bad.ipynb" in said
    assert "ValueError" in said
    assert key.reveal() not in said


def test_a_file_without_keys_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from mistral_nb.git.filter_process import Filter\n"
        "work = Filter(sys.argv[2]); data = [open(sys.argv[3], 'rb').read()]\n"
        "assert work.clean('a.ipynb', data) is data\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    Index(str(tmp_path)).remember(make_key())
    file = tmp_path / "a.ipynb"
    file.write_bytes(notebook("from mistralai import Mistral", "<b>1</b>", outputs=("one\n", "\x1b[31mtwo\x1b[0m\n")))
    root = str(Path(pkt_line.__file__).parents[2])
    words = [sys.executable, "-I", "-S", "-c", code, root, str(tmp_path), str(file)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heavy = {"re", "typing", "json", "enum", "functools", "collections", "contextlib", "hashlib", "subprocess"}
    assert not heavy & set(done.stdout.split())
    assert "mistral_nb.redaction.redact" not in done.stdout


@pytest.mark.parametrize("action", ["clean", "smudge"])
def test_the_one_shot_form_does_the_same(action: str, tmp_path: Path) -> None:
    key = make_key()
    Index(str(tmp_path)).remember(key)
    data = notebook(uses(key))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from mistral_nb.git.filter_process import main; main()"
    root = str(Path(pkt_line.__file__).parents[2])
    words = [sys.executable, "-I", "-S", "-c", code, root, str(tmp_path), action, "a b.ipynb"]
    done = subprocess.run(words, input=data, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (key.reveal().encode() in done.stdout) == (action == "smudge")


def test_started_manually_it_says_what_it_is_for(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mistral_nb", "git-filter"]
    done = subprocess.run(words, input="hello", capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "run by git" in done.stderr


@pytest.mark.parametrize(("path", "goes"), [(b"a.ipynb", True), (b"A.IPYNB", True), (b"a.py", False)])
def test_a_suspected_key_is_removed_from_notebooks_whatever_the_case_of_their_name(
    path: bytes, goes: bool, tmp_path: Path
) -> None:
    text = make_key().reveal()
    held = notebook(f'MISTRAL_API_KEY = "{text}"')
    out = answers(GREETING + OFFER + request(b"clean", path, held), tmp_path)
    pkt_line.read_lines(out.read), pkt_line.read_lines(out.read)
    assert (text.encode() not in answer(out)[1]) == goes
