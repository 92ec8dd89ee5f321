"""`scrub`: keys go, and nothing else changes: not a byte, a mode or a link."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from acting import act
from keys import make_key, make_text
from parts import as_anybody, need
from servers import notebook
from terminals import CTRL_C, spawn

from mistral_nb import config, fast
from mistral_nb.actions import files
from mistral_nb.key import MARKER, Key
from mistral_nb.report import Step
from mistral_nb.saving.clean import FileChanged, Order, _read, _replace, clean_file
from mistral_nb.watch import Watchlist

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


def holding(text: str, *more: str) -> str:
    return json.dumps(notebook("x = 1", f'key = "{text}"', *more), indent=3, sort_keys=True)


def scrub(new_context: Any, *paths: Path | str, everything: bool = False) -> Any:
    return act(new_context("cli"), "scrub", paths=[str(path) for path in paths], everything=everything)


def run(env: dict[str, str], *words: str, given: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([SCRIPT, *words], env=env, input=given, capture_output=True, timeout=60, **more)


def test_only_the_keys_characters_change(new_context: Any, key: Key, folder: Path) -> None:
    file = folder / "a b.ipynb"
    file.write_text(holding(key.reveal()))
    acted = scrub(new_context, file)
    assert file.read_text() == holding(key.reveal()).replace(key.reveal(), MARKER)
    assert acted.report.exit_code == 0
    assert str(acted.report) == "1 file: 1 key found (1 remembered) in 1 file, all removed."
    assert f"1 key removed: …{key.tail} (remembered) in cell 2" in acted.shown
    assert key.reveal()[:15] not in acted.shown


def test_twice_is_once(new_context: Any, key: Key, folder: Path) -> None:
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal()))
    scrub(new_context, file)
    before, status = file.read_bytes(), file.stat()
    assert "no key found" in scrub(new_context, file).shown
    assert file.read_bytes() == before
    assert file.stat() == status  # it was not even written again


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_mode_and_symbolic_link_stay(new_context: Any, key: Key, folder: Path) -> None:
    file, link = folder / "a.ipynb", folder / "link.ipynb"
    file.write_text(holding(key.reveal()))
    file.chmod(0o640)
    link.symlink_to("a.ipynb")
    scrub(new_context, link)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert key.reveal() not in file.read_text()


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_another_name_of_a_file_is_said_to_hold_the_key_still(new_context: Any, key: Key, folder: Path) -> None:
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal()))
    os.link(file, folder / "other.ipynb")
    acted = scrub(new_context, file)
    assert "it has another name (a hard link), and there the key still is" in acted.shown
    assert acted.report.exit_code == 1
    assert key.reveal() not in file.read_text()
    assert scrub(new_context, folder).report.exit_code == 0


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_a_write_protected_file_stays_and_is_said(environ: dict[str, str], key: Key, folder: Path) -> None:
    file, other = folder / "a.ipynb", folder / "b.ipynb"
    for made in (file, other):
        made.write_text(holding(key.reveal()))
    file.chmod(0o400)
    words = as_anybody(SCRIPT, "scrub", str(folder))
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "a.ipynb: could not be cleaned: it is write-protected" in done.stdout + done.stderr
    assert key.reveal() in file.read_text()
    assert key.reveal() not in other.read_text()


@pytest.mark.parametrize(
    ("name", "rewritten"),
    [
        ("a.ipynb", True),
        ("a.py", True),
        ("a.md", True),
        ("a.qmd", True),
        ("a.R", True),
        ("a.jl", True),
        ("a.txt", True),
        (".env", False),
        (".env.local", False),
        ("prod.env", False),
        ("ignored.py", False),
        ("binary.dat", False),
    ],
)
def test_what_may_be_the_only_copy_is_reported_and_left(
    name: str, rewritten: bool, new_context: Any, key: Key, folder: Path
) -> None:
    need("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("ignored.*\n")
    before = b"\0" * name.startswith("binary") + f'KEY = "{key.reveal()}"\n'.encode()
    (folder / name).write_bytes(before)
    acted = scrub(new_context, folder / name)
    assert ((folder / name).read_bytes() == before) is not rewritten
    assert acted.report.exit_code == (0 if rewritten else 1)
    assert f"…{key.tail} (remembered)" in acted.shown
    assert ("found and left in place" in acted.shown) is not rewritten


@pytest.mark.parametrize(
    ("name", "header", "rewritten"),
    [
        ("a.ipynb", "", True),
        ("a.py", "", False),
        ("a.py", "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py\n# ---\n", True),
        ("paired.md", "", True),
        ("a.md", "", False),
        ("a.txt", "", False),
    ],
)
def test_a_suspected_key_goes_from_notebooks_and_their_pairs_alone(
    name: str, header: str, rewritten: bool, new_context: Any, folder: Path
) -> None:
    text = make_text()
    (folder / "paired.ipynb").write_text(holding("nothing"))
    before = f'{header}client = Mistral(api_key="{text}")\n'
    (folder / name).write_text(before)
    acted = scrub(new_context, folder / name)
    assert ((folder / name).read_text() == before) is not rewritten
    assert acted.report.exit_code == (0 if rewritten else 1)
    assert "1 suspected" in acted.shown


def test_a_key_that_no_store_keeps_is_named_before_it_goes(new_context: Any, key: Key, folder: Path) -> None:
    """While the line is shown, the file still holds the key: it may be the only copy."""
    from mistral_nb.actions.scrub import action

    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal()))
    steps = action(new_context("cli"), paths=[str(file)])
    first = next(steps)
    assert isinstance(first, Step)
    assert first.text == f"{file}: removing, and kept in no store here: …{key.tail} (remembered) in cell 2"
    assert key.reveal() in file.read_text()
    next(steps)
    assert key.reveal() not in file.read_text()


def test_a_key_that_a_store_keeps_goes_without_further_words(new_context: Any, sandbox: Any, folder: Path) -> None:
    key = sandbox.make_key()
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="dev")
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    assert "kept in no store" not in scrub(new_context, folder).shown
    assert key.reveal() not in (folder / "a.ipynb").read_text()


def test_a_file_that_somebody_writes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text("before")
    _, status = _read(str(file))
    file.write_text("by another program")
    with pytest.raises(FileChanged):
        _replace(str(file), b"ours", status, protected=True)
    assert file.read_text() == "by another program"


def test_what_another_program_saves_while_we_write_is_not_lost(tmp_path: Path) -> None:
    key = make_key()
    file, other = tmp_path / "a.ipynb", tmp_path / "other"
    file.write_text(f"version 1 {key.reveal()}\n" + "x " * 15_000_000)  # writing it takes a while
    other.write_text(f"version 2 {key.reveal()}\n")

    def save() -> None:
        while not list(tmp_path.glob(".mistral-nb-*.tmp")):
            time.sleep(0.0005)
        other.replace(file)

    saving = threading.Thread(target=save)
    saving.start()
    clean_file(str(file), Watchlist(known=(key,)), Order(write=True))
    saving.join()
    assert "version 2 " in file.read_text()
    assert not list(tmp_path.glob(".mistral-nb-*.tmp"))


def test_a_link_to_an_environment_file_is_no_way_around_it(new_context: Any, key: Key, folder: Path) -> None:
    (folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    for name in ("a.ipynb", "a.py", "a.txt"):
        (folder / name).symlink_to(".env")
        acted = scrub(new_context, folder / name)
        assert acted.report.exit_code == 1
        assert "left in place" in acted.shown
    assert (folder / ".env").read_text() == f"MISTRAL_API_KEY={key.reveal()}\n"


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀"])
def test_a_name_as_long_as_it_may_be_is_no_obstacle(letter: str, new_context: Any, key: Key, folder: Path) -> None:
    name = letter * ((255 - len(".ipynb")) // len(letter.encode())) + ".ipynb"
    (folder / name).write_text(holding(key.reveal()))
    assert scrub(new_context, folder / name).report.exit_code == 0
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [
        (name, holding(key.reveal()).replace(key.reveal(), MARKER))
    ]


@pytest.mark.parametrize("words", [("scrub", "-"), ("scrub", "--all", "-"), ("scan", "-"), ("scan", "--json", "-")])
def test_a_damaged_index_is_said_of_standard_input_too(words: tuple[str, ...], environ: dict[str, str]) -> None:
    index = Path(environ["MISTRAL_NB_HOME"]) / "workspaces.json"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("{")
    done = run(environ, *words, given=b"x = 1\n")
    assert b"every key-shaped run" in done.stderr


GIVEN = [b"", b"x\r\n\xff\xfe", b"{", b"\xef\xbb\xbf{}\n", json.dumps(notebook("x")).encode()]


@pytest.mark.parametrize("given", GIVEN)
def test_standard_input_without_a_key_passes_through(given: bytes, environ: dict[str, str]) -> None:
    done = run(environ, "scrub", "-", given=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, given, b"")


def test_standard_input_is_filtered(environ: dict[str, str], key: Key) -> None:
    given = b"\xff\r\n" + holding(key.reveal()).encode()
    done = run(environ, "scrub", "-", given=given)
    assert done.stdout == given.replace(key.reveal().encode(), MARKER.encode())
    assert done.returncode == 0
    assert f"standard input: 1 key removed: …{key.tail} (remembered)" in done.stderr.decode()
    scanned = run(environ, "scan", "-", given=given)
    assert scanned.returncode == 1
    assert key.reveal()[:15].encode() not in scanned.stdout + scanned.stderr + done.stderr


FILES = {
    "quiet.ipynb": lambda key: holding("nothing"),
    "remembered.ipynb": holding,
    "suspected.ipynb": lambda key: holding(make_text(), "import mistralai"),
    "noted.ipynb": lambda key: holding("x", f'AUTH0_CLIENT_ID = "{make_text()}"', "import mistralai"),
    "source.py": lambda key: f'k = "{key}"',
    ".env": lambda key: f"MISTRAL_API_KEY={key}",
    "empty.ipynb": lambda key: "",
}


@pytest.mark.parametrize("command", ["scrub", "scan"])
@pytest.mark.parametrize("name", [*FILES, "gone.ipynb"])
def test_one_file_is_told_the_same_on_the_short_way_and_the_long(
    command: str, name: str, environ: dict[str, str], key: Key, folder: Path
) -> None:
    content = FILES.get(name, lambda key: "")(key.reveal())
    told = []
    for more in ((), ("--all",)):  # with a flag it goes the long way
        if name in FILES:
            (folder / name).write_text(content)
        done = run(environ, command, name, *more, cwd=folder)
        after = (folder / name).read_text() if name in FILES else ""
        told.append((done.returncode, done.stdout.decode(), done.stderr.decode(), after))
    assert told[0] == told[1]


@pytest.mark.parametrize("words", [("scan", "FILE"), ("scrub", "FILE"), ("scrub", "-")])
@pytest.mark.parametrize("found", [False, True])
def test_the_short_way_loads_no_argparse(
    words: tuple[str, ...], found: bool, environ: dict[str, str], key: Key, folder: Path
) -> None:
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal() if found else "nothing"))
    words = tuple(str(file) if word == "FILE" else word for word in words)
    code = (
        "import sys; from mistral_nb.cli import main; main(sys.argv[1:]); print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environ,
        input=file.read_bytes(),
        capture_output=True,
        check=True,
    )
    loaded = set(done.stderr.decode().split())
    assert loaded & {"argparse", "dataclasses", "logging", "pathlib"} == set()
    assert ("re" in loaded) is found
    assert "sys" in loaded


def test_the_short_way_knows_every_secret_at_hand() -> None:
    assert set(fast.SECRETS) == {*config.KEY_VARIABLES, config.PASSPHRASE_VARIABLE}


def many(folder: Path, key: Key, count: int = 90) -> int:
    """More than pays off to share between processes; the number of those that hold the key."""
    filler = "a line of words that are no key\\n" * 14_000
    for number in range(count):
        text = holding(key.reveal() if number % 9 == 0 else "nothing", filler)
        (folder / f"{number}.ipynb").write_text(text)
    return len(range(0, count, 9))


def test_many_files_are_shared_between_processes(environ: dict[str, str], key: Key, folder: Path) -> None:
    holding_it = many(folder, key)
    done = run(environ, "scan", str(folder), "--json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["files"], len(data["findings"])) == (1, 90, holding_it)
    done = run(environ, "scrub", str(folder))
    assert done.returncode == 0
    assert f"90 files: {holding_it} keys found ({holding_it} remembered) in {holding_it} files, all removed." in (
        done.stdout.decode()
    )
    assert done.stderr.decode().count("kept in no store here") == holding_it
    assert not any(key.reveal() in file.read_text() for file in folder.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_when_the_other_processes_are_killed_this_one_goes_on(environ: dict[str, str], folder: Path, key: Key) -> None:
    holding_it = many(folder, key)
    process = subprocess.Popen([SCRIPT, "scan", str(folder), "--json"], env=environ, stdout=subprocess.PIPE)
    killed = 0
    while not killed and process.poll() is None:
        for child in children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                killed += 1
    data = json.loads(process.communicate(timeout=60)[0])
    assert killed
    assert (process.returncode, data["files"], len(data["findings"])) == (1, 90, holding_it)


def children(process: int) -> list[int]:
    """The processes that look through files for this one."""
    asked = subprocess.run(["pgrep", "-P", str(process), "-f", "spawn_main"], capture_output=True, check=False)
    return [int(number) for number in asked.stdout.split()]


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
def test_ctrl_c_ends_it_and_every_file_is_whole(environ: dict[str, str], key: Key, folder: Path) -> None:
    many(folder, key, 400)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    with spawn([SCRIPT, "scrub", str(folder)], environ) as screen:
        while MARKER not in (folder / "0.ipynb").read_text():  # then it is in the middle of its work
            time.sleep(0.01)
        screen.presses(CTRL_C)
        code = screen.ends()
    assert "Traceback" not in screen.text
    assert (code, "Cancelled; files already cleaned stay so" in screen.text) in ((130, True), (0, False))
    for name, text in before.items():
        assert (folder / name).read_text() in (text, text.replace(key.reveal(), MARKER))
    assert len(list(folder.iterdir())) == len(before)  # no temp file is left
    left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, check=False)
    assert left.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
def test_a_bar_is_drawn_on_long_work_in_a_terminal_and_nowhere_else(
    environ: dict[str, str], key: Key, folder: Path
) -> None:
    many(folder, key, 400)
    with spawn([SCRIPT, "scan", str(folder)], environ) as screen:
        assert screen.ends() == 1
    assert b"\r[" not in run(environ, "scan", str(folder)).stderr
    steps = list(files.Bar(100, clock=iter([0.0, 2.0, 2.0, 2.05, 3.0, 3.0]).__next__).advanced(50))
    assert [step.text for step in steps] == [f"\r[{'#' * 15}{' ' * 15}]  50 %"]


def test_a_closed_pipe_is_no_error(environ: dict[str, str]) -> None:
    process = subprocess.Popen(
        [SCRIPT, "scrub", "-"], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stdin and process.stderr
    process.stdout.close()
    process.stdin.write(b"x" * 1_000_000)
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) in (0, -signal.SIGPIPE)
