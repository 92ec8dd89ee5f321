"""Nothing waits for ever: pipes are bounded in time, devices and growing files in bytes."""

import ast
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mistral_nb import config, watchlist
from mistral_nb.api_key import Key
from mistral_nb.bounded_read import MAX_OWN_FILE, MAX_SECRET, MAX_SETTINGS, PIPE_SECONDS, read_file, read_with_status
from mistral_nb.errors import IndexUnreadable, MistralNbError, PassphraseNeeded, StoreError
from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file
from mistral_nb.git.attributes import _read_if_present
from mistral_nb.git.protected_repos import ProtectedRepos, ProtectedReposUnreadable
from mistral_nb.keys.key_file import read_key_file
from mistral_nb.redaction.prefilter import Prefilter
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_discovery import read_env_file
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_passphrase import read_passphrase
from mistral_nb.watchlist import Watchlist, build_watchlist
from support.kernels import clean_environment
from support.keys import make_key
from support.patience import PATIENCE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no named pipes and devices on Windows")
SOON = PIPE_SECONDS + 10 * PATIENCE  # what hangs takes longer


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return str(path)


@pytest.fixture
def soon() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SOON


def _write_later(path: str, *pieces: bytes, pause: float = 0.1) -> threading.Thread:
    def write() -> None:
        with open(path, "wb", buffering=0) as file:
            for piece in pieces:
                time.sleep(pause)
                try:
                    file.write(piece)
                except BrokenPipeError:
                    return

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_a_pipe_with_a_writer_is_read_to_its_end(pipe: str, soon: None) -> None:
    _write_later(pipe, b"one ", b"two", pause=0.3)
    assert read_file(pipe, 100, pipe_seconds=SOON) == b"one two"


def test_a_pipe_without_a_writer_and_one_that_drips_end_in_time(pipe: str, soon: None) -> None:
    with pytest.raises(TimeoutError, match="within 0.5 seconds"):
        read_file(pipe, 100, pipe_seconds=0.5)
    _write_later(pipe, *[b"x"] * 50)
    with pytest.raises(TimeoutError):
        read_file(pipe, 100, pipe_seconds=0.5)


def test_a_pipe_that_never_ends_is_cut_by_its_size(pipe: str, soon: None) -> None:
    _write_later(pipe, *[b"x" * 4096] * 1000, pause=0)
    with pytest.raises(OSError, match="larger than 64 KB"):
        read_file(pipe, MAX_SECRET, pipe_seconds=SOON)


def test_without_seconds_only_regular_files_are_read(pipe: str, tmp_path: Path, soon: None) -> None:
    for path in (pipe, "/dev/zero", str(tmp_path)):
        with pytest.raises(OSError, match="not a regular file"):
            read_file(path, 100)
    with pytest.raises(OSError, match="a folder"):
        read_file(str(tmp_path), 100, pipe_seconds=1)
    file = tmp_path / "a"
    file.write_bytes(b"x" * 100)
    assert read_file(str(file), 100) == b"x" * 100  # negative control
    with pytest.raises(OSError, match="larger than"):
        read_file(str(file), 99)


def test_a_file_that_grows_while_it_is_read_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "log.ipynb"
    file.write_bytes(b"x")
    read = os.read

    def read_and_grow(descriptor: int, size: int) -> bytes:
        with file.open("ab") as stream:
            stream.write(b"y" * (1 << 20))
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", read_and_grow)
    with pytest.raises(OSError, match="grows while it is read"):
        read_with_status(str(file))
    outcome = clean_file(str(file), Watchlist(), CleanOptions(write=False))
    assert outcome.problem == "it grows while it is read"
    monkeypatch.undo()
    assert clean_file(str(file), Watchlist(), CleanOptions(write=False)).problem == ""  # negative control


def test_a_file_of_proc_which_has_no_size_is_read() -> None:
    if not os.path.exists("/proc/self/status"):
        pytest.skip("no /proc here")
    assert b"Pid:" in read_with_status("/proc/self/status")[0]


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)  # sparse: no disk is used


PLACES = {"a pipe": os.mkfifo, "a device": _device, "a huge file": _huge}
READERS: dict[str, tuple[str, Callable[[Path], object], type[Exception] | None]] = {
    # a file's name, what reads it, and the error that says so (None: it goes on without)
    "key file": ("key", lambda f: read_key_file(str(f)), MistralNbError),
    "passphrase file": ("passphrase", lambda f: read_passphrase(str(f)), PassphraseNeeded),
    "index": ("workspaces.json", lambda f: Index(str(f.parent)).read(), IndexUnreadable),
    "vault": ("vault.bin", lambda f: _vault_at(f).read_all(), StoreError),
    "list of repositories": ("protected.json", lambda f: _repos_at(f).read_all(), ProtectedReposUnreadable),
    "attributes": ("attributes", lambda f: _read_if_present(str(f)), OSError),
    "prefilter": ("workspaces.json", lambda f: _check(not Prefilter(str(f.parent)).is_clean(b"x")), None),
    "settings": ("pyproject.toml", lambda f: config.find_project(str(f.parent)), None),
    "revoked keys": (watchlist.REVOKED_FILE, lambda f: _check(build_watchlist(str(f.parent)).problems), None),
    ".env": (".env", lambda f: _check(read_env_file(str(f)) is None), None),
    "a notebook": ("a.ipynb", lambda f: clean_file(str(f), Watchlist(), CleanOptions(write=True)), None),
}


def _vault_at(file: Path) -> Vault:
    vault = Vault(str(file.parent), None)
    vault.path = str(file)
    return vault


def _repos_at(file: Path) -> ProtectedRepos:
    repos = ProtectedRepos(str(file.parent))
    repos.path = str(file)
    return repos


def _check(condition: object) -> None:
    assert condition


BOUNDED = [(reader, place) for reader in READERS for place in PLACES]
BOUNDED.remove(("a notebook", "a huge file"))  # what a person names is read whole


@pytest.mark.parametrize(("reader", "place"), BOUNDED)
def test_every_reader_is_bounded(
    reader: str, place: str, tmp_path: Path, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, read, error = READERS[reader]
    monkeypatch.setenv("MISTRAL_NB_HOME", str(tmp_path / "home"))
    PLACES[place](tmp_path / name)
    if error is None:
        read(tmp_path / name)
    else:
        with pytest.raises(error, match=r"larger than|regular file|within 3 seconds"):
            read(tmp_path / name)


def test_the_reader_of_every_place_is_the_bounded_one() -> None:
    """A control for the table: whatever opens a file for reading elsewhere is listed here, with its reason."""
    fine = {
        "guard/file_magics.py": "what a magic has just written",
        "guard/ipython_history.py": "logs of IPython's own database",
        "jupyter/save_coverage.py": "/proc",
        "jupyter/upload_parts.py": "the two ends of a regular file",
        "commands/demo.py": "its own files",
        "demo/saved_notebook.py": "its own files",
        "storage/backup_file.py": "a file that the person named",
        "git/filter_process.py": "git's pipe",
        "cli.py": "the null device",
        "bounded_read.py": "",
    }
    package = Path(config.__file__).parent
    opened = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _opens_for_reading(ast.unparse(node)):
                opened.add(file.relative_to(package).as_posix())
    assert opened <= set(fine), opened - set(fine)
    assert "bounded_read.py" in opened  # negative control: the search finds one


def _opens_for_reading(call: str) -> bool:
    if call.startswith(("open(", "os.open(")):
        return not any(mode in call for mode in ("'w'", "'wb'", "'a'", "O_WRONLY", "O_RDWR", "folder, os.O_RDONLY"))
    return call.endswith((".read_bytes()", ".read_text()"))


def test_a_key_and_a_passphrase_from_a_process_substitution(tmp_path: Path) -> None:
    key, env = make_key(), clean_environment(tmp_path)
    (tmp_path / "key").write_text(key.reveal())
    code = "import sys; from mistral_nb.keys.key_file import read_key_file as r; print(r(sys.argv[1]).fingerprint)"
    words = ["bash", "-c", f'"$0" -c "{code}" <(sleep 0.3; cat key)', sys.executable]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30 * PATIENCE)
    assert done.stdout.strip() == key.fingerprint, done.stderr
    code = "import sys, mistral_nb.storage.vault_passphrase as p; print(len(p.read_passphrase(sys.argv[1]).reveal()))"
    words = ["bash", "-c", f'"$0" -c "{code}" <(sleep 0.3; cat key)', sys.executable]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30 * PATIENCE)
    assert done.stdout.strip() == "32", done.stderr
    (tmp_path / "file").write_text(key.reveal())
    assert isinstance(read_key_file(str(tmp_path / "file")), Key)


@pytest.mark.parametrize(
    "words", [["scan", "."], ["scan", "pipe.ipynb"], ["scrub", "."], ["status"], ["scan", "a.ipynb"]]
)
def test_commands_in_a_folder_of_pipes_end(words: str, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("pipe.ipynb", "pyproject.toml", ".mistral-nb-revoked", ".env", ".gitattributes"):
        os.mkfifo(folder / name)
    (folder / "a.ipynb").write_text("{}")
    command = [sys.executable, "-m", "mistral_nb", *words]
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(tmp_path), capture_output=True, text=True, timeout=30
    )
    assert done.returncode in (0, 1, 3), done.stderr
    assert "Unexpected" not in done.stderr


HOSTILE_SETTINGS: dict[str, Callable[[], str]] = {
    "one dotted key": lambda: "[tool.mistral-nb]\n" + ".".join("a" * 32_000) + " = 1\n",
    "one dotted table": lambda: "[tool.mistral-nb]\n[" + " . ".join("a" * 32_000) + "]\n",
    "quoted parts": lambda: "[tool.mistral-nb]\n" + ".".join(['"="'] * 32_000) + " = 1\n",
    "in an inline table": lambda: "[tool.mistral-nb]\nx = {" + ".".join("a" * 32_000) + " = 1}\n",
    "behind a string of several lines": lambda: (
        "[tool.mistral-nb]\nx = ['''\n\"''', {" + ".".join("a" * 32_000) + ' = 1}, ""]\n'
    ),
    "many dotted keys": lambda: (
        "[tool.mistral-nb]\n" + "".join(f"{'.'.join('a' * 14)}.k{n} = 1\n" for n in range(6_000))
    ),
    "quotes that never close": lambda: "[tool.mistral-nb]\n" + '"""\\"""' * 140_000,
    "nested": lambda: "[tool.mistral-nb]\nx = " + "[" * 500_000,
    "five megabytes": lambda: "[tool.mistral-nb]\n" + "a.b.c = 1\n" * 500_000,
}


@pytest.mark.parametrize("kind", HOSTILE_SETTINGS)
def test_hostile_settings_cost_little_and_are_reported(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(HOSTILE_SETTINGS[kind]())
    start = time.thread_time()
    found = config.find_project(str(tmp_path))
    assert time.thread_time() - start < 3
    assert found.problem or kind == "many dotted keys"


def test_settings_that_are_not_hostile_are_read(tmp_path: Path) -> None:
    rest = (
        "[project]\nversion = '1.2.3'  # a.b.c\ndescription = '''\n" + "a.b." * 500 + "\n'''\n"
        "floats = [" + "1.5, " * 500 + "]\nnames = [" + "'a.b.c.d', " * 500 + "]\n"
        'other = """\n' + ". " * 500 + '"""\n[tool.a.b.c.d."e.f"]\ng.h.i = 1\n'
    )
    (tmp_path / "pyproject.toml").write_text(f"{rest}[tool.mistral-nb]\nworkspace = 'prod'\n")
    assert config.find_project(str(tmp_path)) == (
        str(tmp_path / "pyproject.toml"), {"workspace": "prod"}, "",
    )  # fmt: skip
    assert len(rest) < MAX_SETTINGS < MAX_OWN_FILE
