"""`scrub`: keys are removed, and nothing else changes: not a byte, a mode or a link."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mistral_nb import config
from mistral_nb.api_key import MARKER, Key
from mistral_nb.bounded_read import read_with_status
from mistral_nb.file_scrub import fast_path
from mistral_nb.file_scrub.clean_file import CleanOptions, FileChanged, _write_back, clean_file
from mistral_nb.report import Step, as_json
from mistral_nb.scanning.progress_bar import ProgressBar
from mistral_nb.storage.index import Index
from mistral_nb.watchlist import Watchlist
from support.commands import act, mistral_nb
from support.jupyter_servers import notebook
from support.keys import make_key, make_text
from support.patience import PATIENCE
from support.processes import started
from support.requirements import as_anybody, need
from support.terminals import CTRL_C, spawn

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


def holding(text: str, *more: str) -> str:
    return json.dumps(notebook("x = 1", f'key = "{text}"', *more), indent=3, sort_keys=True)


def scrub(new_context: Any, *paths: Path | str, everything: bool = False) -> Any:
    return act(new_context("cli"), "scrub", paths=[str(path) for path in paths], everything=everything)


def run(env: dict[str, str], *words: str, given: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([SCRIPT, *words], env=env, input=given, capture_output=True, timeout=60 * PATIENCE, **more)


def test_only_the_keys_characters_change(new_context: Any, key: Key, folder: Path) -> None:
    file = folder / "a b.ipynb"
    file.write_text(holding(key.reveal()))
    acted = scrub(new_context, file)
    assert file.read_text() == holding(key.reveal()).replace(key.reveal(), MARKER)
    assert acted.report.exit_code == 0
    assert str(acted.report) == "1 file: 1 key found in 1 file, all removed."
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


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_a_hard_link_that_still_contains_the_key_is_reported(new_context: Any, key: Key, folder: Path) -> None:
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal()))
    os.link(file, folder / "other.ipynb")
    acted = scrub(new_context, file)
    assert "it has another name (a hard link), which still contains the key" in acted.shown
    assert acted.report.exit_code == 1
    assert key.reveal() not in file.read_text()
    assert scrub(new_context, folder).report.exit_code == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_a_write_protected_file_is_kept_and_reported(environ: dict[str, str], key: Key, folder: Path) -> None:
    file, other = folder / "a.ipynb", folder / "b.ipynb"
    for made in (file, other):
        made.write_text(holding(key.reveal()))
    file.chmod(0o400)
    words = as_anybody(SCRIPT, "scrub", str(folder))
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60 * PATIENCE)
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
    assert bool(re.search(r"in line 1 \(.* only copy\)|binary files are not changed\)", acted.shown)) is not rewritten


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
def test_a_suspected_key_is_removed_only_from_notebooks_and_their_pairs(
    name: str, header: str, rewritten: bool, new_context: Any, folder: Path
) -> None:
    text = make_text()
    (folder / "paired.ipynb").write_text(holding("nothing"))
    before = f'{header}client = Mistral(api_key="{text}")\n'
    (folder / name).write_text(before)
    acted = scrub(new_context, folder / name)
    assert ((folder / name).read_text() == before) is not rewritten
    assert acted.report.exit_code == (0 if rewritten else 1)
    assert "(suspected)" in acted.shown


def test_a_key_in_no_store_is_reported_before_it_is_removed(
    new_context: Any, environ: dict[str, str], key: Key, folder: Path
) -> None:
    """While the line is shown, the file still holds the key: it may be the only copy, where nothing is set aside."""
    from mistral_nb.commands.scrub import action

    environ["MISTRAL_NB_SET_ASIDE"] = "off"
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal()))
    steps = action(new_context("cli"), paths=[str(file)])
    first = next(steps)
    assert isinstance(first, Step)
    assert first.text == f"{file}: removing; not in any store: …{key.tail} (remembered) in cell 2"
    assert key.reveal() in file.read_text()
    next(steps)
    assert key.reveal() not in file.read_text()


def test_a_stored_key_is_removed_without_a_warning(new_context: Any, sandbox: Any, folder: Path) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key, "expires": ""}, workspace="dev")
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    assert "not in any store" not in scrub(new_context, folder).shown
    assert key.reveal() not in (folder / "a.ipynb").read_text()


def test_a_file_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text("before")
    _, status = read_with_status(str(file))
    file.write_text("by another program")
    with pytest.raises(FileChanged):
        _write_back(str(file), b"ours", status, protected=True)
    assert file.read_text() == "by another program"


def test_what_another_program_saves_while_we_write_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()
    file, other = tmp_path / "a.ipynb", tmp_path / "other"
    file.write_text(f"version 1 {key.reveal()}\n")
    other.write_text(f"version 2 {key.reveal()}\n")
    fsync = os.fsync

    def save(descriptor: int) -> None:
        """Another program saves when ours has written its new file, and not put it in place yet."""
        if other.exists():
            assert list(tmp_path.glob(".mistral-nb-*.tmp"))
            other.replace(file)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", save)
    clean_file(str(file), Watchlist(known=(key,)), CleanOptions(write=True))
    assert not other.exists()
    assert "version 2 " in file.read_text()
    assert not list(tmp_path.glob(".mistral-nb-*.tmp"))


def test_a_link_to_an_environment_file_is_treated_like_it(new_context: Any, key: Key, folder: Path) -> None:
    (folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    for name in ("a.ipynb", "a.py", "a.txt"):
        (folder / name).symlink_to(".env")
        acted = scrub(new_context, folder / name)
        assert acted.report.exit_code == 1
        assert "left in place" in acted.shown
    assert (folder / ".env").read_text() == f"MISTRAL_API_KEY={key.reveal()}\n"


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀"])
def test_a_maximum_length_name_works(letter: str, new_context: Any, key: Key, folder: Path) -> None:
    name = letter * ((255 - len(".ipynb")) // len(letter.encode())) + ".ipynb"
    (folder / name).write_text(holding(key.reveal()))
    assert scrub(new_context, folder / name).report.exit_code == 0
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [
        (name, holding(key.reveal()).replace(key.reveal(), MARKER))
    ]


@pytest.mark.parametrize("words", [("scrub", "-"), ("scrub", "--all", "-"), ("scan", "-"), ("scan", "--json", "-")])
def test_a_damaged_index_is_reported_for_standard_input_too(words: tuple[str, ...], environ: dict[str, str]) -> None:
    index = Path(environ["MISTRAL_NB_HOME"]) / "workspaces.json"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("{")
    done = run(environ, *words, given=b"x = 1\n")
    assert b"everything shaped like a key" in done.stderr


@pytest.mark.parametrize("command", ["scan", "scrub"])
def test_a_file_named_dash_is_a_file_after_two_dashes(
    command: str, environ: dict[str, str], folder: Path, key: Key
) -> None:
    """As pre-commit names it."""
    (folder / "-").write_text(holding(key.reveal()))
    words = [SCRIPT, command, "--", "-"]
    given = b"no key here"
    done = subprocess.run(words, env=environ, cwd=folder, input=given, capture_output=True, timeout=60 * PATIENCE)
    assert f"…{key.tail}".encode() in done.stdout + done.stderr
    assert (key.reveal() in (folder / "-").read_text()) == (command == "scan")


GIVEN = [b"", b"x\r\n\xff\xfe", b"{", b"\xef\xbb\xbf{}\n", json.dumps(notebook("x")).encode()]


@pytest.mark.parametrize("given", GIVEN)
def test_standard_input_without_a_key_passes_through(given: bytes, environ: dict[str, str]) -> None:
    done = run(environ, "scrub", "-", given=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, given, b"")


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("command", ["scrub", "scan"])
@pytest.mark.parametrize("name", [*FILES, "gone.ipynb"])
def test_fast_path_and_usual_path_report_a_file_alike(
    command: str, name: str, environ: dict[str, str], key: Key, folder: Path
) -> None:
    content = FILES.get(name, lambda key: "")(key.reveal())
    told = []
    for more in ((), ("--all" if command == "scrub" else "--notebooks",)):  # with a flag it goes the long way
        if name in FILES:
            (folder / name).write_text(content)
        done = run(environ, command, name, *more, cwd=folder)
        after = (folder / name).read_text() if name in FILES else ""
        told.append((done.returncode, done.stdout.decode(), done.stderr.decode(), after))
    assert told[0] == told[1]


@pytest.mark.parametrize("words", [("scan", "FILE"), ("scrub", "FILE"), ("scrub", "-")])
@pytest.mark.parametrize("found", [False, True])
def test_a_clean_notebook_loads_no_argparse(
    words: tuple[str, ...], found: bool, environ: dict[str, str], key: Key, folder: Path
) -> None:
    file = folder / "a.ipynb"
    file.write_text(holding(key.reveal() if found else "nothing"))
    words = tuple(str(file) if word == "FILE" else word for word in words)
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]  # the prefilter searches for no passphrase
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
    assert loaded & {"logging", "pathlib"} == set()
    assert loaded & {"argparse", "dataclasses", "re"} == ({"argparse", "dataclasses", "re"} if found else set())
    assert "sys" in loaded


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["MISTRALAI_API_KEY", "mistral_token", "AZURE_MISTRAL_API_KEY"])
def test_a_key_in_a_misnamed_variable_is_removed_by_the_real_command_line(
    variable: str, folder: Path, environ: dict[str, str]
) -> None:
    file, key = folder / "a.ipynb", make_text()
    text = json.dumps(notebook("x = 1", f'value = "{key}"'))  # nothing names Mistral
    file.write_text(text)
    assert mistral_nb(environ, "scrub", str(file)).returncode == 0
    assert file.read_text() == text  # the control: nobody knows it
    environ[variable] = key
    mistral_nb(environ, "scrub", str(file))
    assert file.read_text() == text.replace(key, MARKER)


def test_the_fast_path_knows_every_secret_variable() -> None:
    assert set(fast_path.SECRETS) == {
        *config.KEY_VARIABLES,
        config.PASSPHRASE_VARIABLE,
        config.PASSPHRASE_FILE_VARIABLE,
        config.KEY_FILE_VARIABLE,
    }


def many(folder: Path, key: Key, count: int = 90) -> int:
    """So many notebooks of half a megabyte; the number of those that hold the key."""
    filler = "a line of words that are no key\\n" * 14_000
    for number in range(count):
        text = holding(key.reveal() if number % 9 == 0 else "nothing", filler)
        (folder / f"{number}.ipynb").write_text(text)
    return len(range(0, count, 9))


SHARES_ITS_WORK = """
import sys
from mistral_nb import cli
from mistral_nb.scanning import bulk_scrub

bulk_scrub._PARALLEL_MIN_BYTES = 1
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_many_files_are_shared_between_processes(environ: dict[str, str], key: Key, folder: Path) -> None:
    holding_it = many(folder, key)

    def share(command: str, *flags: str) -> "subprocess.CompletedProcess[bytes]":
        words = [sys.executable, "-c", SHARES_ITS_WORK, command, str(folder), *flags]
        return subprocess.run(words, env=environ, capture_output=True, timeout=60 * PATIENCE)

    done = share("scan", "--json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["files"], len(data["findings"])) == (1, 90, holding_it)
    done = share("scrub")
    assert done.returncode == 0
    assert f"90 files: 1 key in {holding_it} places found in {holding_it} files, all removed." in (done.stdout.decode())
    assert done.stderr.decode().count("Set aside: …") == holding_it
    assert len(Index(environ["MISTRAL_NB_HOME"]).read().set_aside) == 1
    assert not any(key.reveal() in file.read_text() for file in folder.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_if_the_worker_processes_are_killed_this_one_continues(environ: dict[str, str], folder: Path, key: Key) -> None:
    holding_it = many(folder, key)
    words = [sys.executable, "-c", SHARES_ITS_WORK, "scan", str(folder), "--json"]
    with started(words, env=environ, stdout=subprocess.PIPE) as process:
        killed = 0
        while not killed and process.poll() is None:
            for child in children(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                    killed += 1
        data = json.loads(process.communicate(timeout=60 * PATIENCE)[0])
    assert killed
    assert (process.returncode, data["files"], len(data["findings"])) == (1, 90, holding_it)


STARTS_WHILE_THE_POOL_BREAKS = """
import multiprocessing.context, os, sys, threading, time
from mistral_nb import cli
from mistral_nb.scanning import bulk_scrub

started = []
start = multiprocessing.context.SpawnProcess.start

def start_and_kill_the_first(process):
    start(process)
    started.append(process)
    if len(started) == 2:
        started[0].kill()
        [manager] = [thread for thread in threading.enumerate() if hasattr(thread, "call_queue")]
        end = time.monotonic() + 5
        while not manager.call_queue._reader.closed and time.monotonic() < end:  # it has ended those it knows of
            time.sleep(0.001)

multiprocessing.context.SpawnProcess.start = start_and_kill_the_first
bulk_scrub._PARALLEL_MIN_BYTES = bulk_scrub._BATCH_BYTES = 1
os.sched_getaffinity = lambda process: range(4)
code = cli.main(sys.argv[1:])
assert len(started) >= 2
assert multiprocessing.active_children() == []
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the script says how many cores there are")
def test_a_worker_that_starts_while_another_is_killed_is_ended(environ: dict[str, str], folder: Path, key: Key) -> None:
    for number in range(9):
        (folder / f"{number}.ipynb").write_text(holding(key.reveal()))
    words = [sys.executable, "-c", STARTS_WHILE_THE_POOL_BREAKS, "scan", str(folder), "--json"]
    with started(words, env=environ, stdout=subprocess.PIPE) as process:
        data = json.loads(process.communicate(timeout=30 * PATIENCE)[0])
    assert (process.returncode, data["files"], len(data["findings"])) == (1, 9, 9)


def children(process: int) -> list[int]:
    """The processes that look through files for this one."""
    asked = subprocess.run(["pgrep", "-P", str(process), "-f", "spawn_main"], capture_output=True, check=False)
    return [int(number) for number in asked.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
def test_ctrl_c_ends_it_and_every_file_is_intact(environ: dict[str, str], key: Key, folder: Path) -> None:
    many(folder, key, 400)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    with spawn([SCRIPT, "scrub", str(folder)], environ) as screen:
        while MARKER not in (folder / "0.ipynb").read_text():  # then it is in the middle of its work
            time.sleep(0.01)
        screen.presses(CTRL_C)
        code = screen.ends()
    assert "Traceback" not in screen.text
    assert (code, "Cancelled; files already cleaned stay cleaned" in screen.text) in ((130, True), (0, False))
    for name, text in before.items():
        assert (folder / name).read_text() in (text, text.replace(key.reveal(), MARKER))
    assert len(list(folder.iterdir())) == len(before)  # no temp file is left
    left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, check=False)
    assert left.returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
def test_a_bar_is_drawn_on_long_work_in_a_terminal_and_nowhere_else(
    environ: dict[str, str], key: Key, folder: Path
) -> None:
    many(folder, key, 400)
    with spawn([SCRIPT, "scan", str(folder)], environ) as screen:
        assert screen.ends() == 1
    assert b"\r[" not in run(environ, "scan", str(folder)).stderr
    steps = list(ProgressBar(100, clock=iter([0.0, 2.0, 2.0, 2.05, 3.0, 3.0]).__next__).advance(50))
    assert [step.text for step in steps] == [f"\r[{'#' * 15}{' ' * 15}]  50 %"]


def test_a_closed_pipe_is_not_an_error(environ: dict[str, str]) -> None:
    pipe = subprocess.PIPE
    with started([SCRIPT, "scrub", "-"], env=environ, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout and process.stdin and process.stderr
        process.stdout.close()
        process.stdin.write(b"x" * 1_000_000)
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.wait(20) in (0, -signal.SIGPIPE)


@pytest.mark.slow
def test_a_folder_means_its_notebooks_and_other_files_with_keys_are_counted(
    new_context: Any, key: Key, folder: Path
) -> None:
    text = f'key = "{key.reveal()}"\n'
    (folder / "a.ipynb").write_text(holding(key.reveal()))
    for name in ("app.py", ".env", "clean.py"):
        (folder / name).write_text("x = 1\n" if name == "clean.py" else text)
    acted = scrub(new_context, folder)
    assert key.reveal() not in (folder / "a.ipynb").read_text()
    assert (folder / "app.py").read_text() == (folder / ".env").read_text() == text
    assert acted.report.exit_code == 1
    assert (
        f"2 other files hold keys and were not changed: {folder / '.env'}, {folder / 'app.py'}. "
        "--all cleans sources and texts too."
    ) in acted.shown
    assert "4 files: 1 key in 3 places found in 3 files, removed in 1 of 3 places." in acted.shown
    acted = scrub(new_context, folder, everything=True)
    assert key.reveal() not in (folder / "app.py").read_text()
    assert (folder / ".env").read_text() == text
    assert (acted.report.exit_code, "other file" in acted.shown) == (1, False)


@pytest.mark.parametrize("suspected", [False, True])
def test_a_name_s_key_is_hidden_in_every_line(suspected: bool, new_context: Any, key: Key, folder: Path) -> None:
    """Also of a key that only the file itself tells of."""
    text = make_text() if suspected else key.reveal()
    code = f'client = Mistral(api_key="{text}")'
    (folder / f"{text}.ipynb").write_text(json.dumps(notebook(code)))
    (folder / f"{text}.py").write_text(f"{code}\n")
    acted = scrub(new_context, folder)
    assert any(".ipynb: 1 key removed" in step for step in acted.steps)
    assert "1 other file holds a key and was not changed" in acted.shown
    assert text[:15] not in acted.shown + as_json(acted.report)
    assert text[:15] in " ".join(os.listdir(folder)), "the search finds it"


def test_all_is_proposed_only_where_it_removes_something(new_context: Any, key: Key, folder: Path) -> None:
    (folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    (folder / "suspected.py").write_text(f'client = Mistral(api_key="{make_text()}")\n')
    shown = scrub(new_context, folder).shown
    assert "2 other files hold keys and were not changed" in shown
    assert "--all" not in shown
    (folder / "app.py").write_text(f'key = "{key.reveal()}"\n')
    assert "--all cleans sources and texts too." in scrub(new_context, folder).shown


@pytest.mark.parametrize("name", ["app.py", "conf.json"])
def test_a_file_that_is_named_beside_its_folder_is_treated_as_named(
    name: str, new_context: Any, key: Key, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path(name).write_text(f'{{"key": "{key.reveal()}"}}\n')
    scrub(new_context, Path())
    assert key.reveal() in Path(name).read_text()
    acted = scrub(new_context, Path(), Path(name))
    assert key.reveal() not in Path(name).read_text()
    assert acted.report.exit_code == 0
