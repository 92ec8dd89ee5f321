"""A process other than a kernel: what it prints, logs and dies of, with the guard and without."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.guard import lifecycle, process_output
from support import TESTS
from support.kernels import clean_environment
from support.keys import make_text
from support.leaks import shown_of
from support.patience import PATIENCE, wait_for

START = """
import atexit, collections, json, logging, logging.handlers, os, pickle, subprocess, sys, threading, traceback
from mistral_nb.guard.process_output import guard_process_output
guarded = sys.argv[1] == "guarded"
K = os.environ["MISTRAL_API_KEY"]
"""
# Each row is told by its first word; those of `logging` by the file they stand in, too.
WORKER = (
    START
    + """
class JsonFormatter(logging.Formatter):
    def format(self, record):
        error = "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info else record.exc_text
        extra = vars(record)
        return json.dumps([record.getMessage(), error, extra.get("payload"), str(extra.get("client"))])
class Store(logging.Handler):
    def emit(self, record):
        with open("kept.log", "a") as file: print(record.msg, record.args, record.exc_info, vars(record), file=file)
        with open("pickled.log", "ab") as file: file.write(socket_handler.makePickle(record))
class OwnHandle(logging.Handler):
    def handle(self, record):
        with open("handle.log", "a") as file: print(record.getMessage(), file=file)
class Client:
    def __str__(self): return "client " + K
def add(handler, formatter=None):
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
def fork(act):
    pid = os.fork()
    if not pid:
        try: act()
        finally: os._exit(0)
    os.waitpid(pid, 0)
socket_handler = logging.handlers.SocketHandler("127.0.0.1", 9)
atexit.register(lambda: print("at_exit", K))
add(logging.FileHandler("before.log"))
add(logging.StreamHandler())
print("early words")
if guarded:
    guard_process_output()
    guard_process_output()
add(logging.FileHandler("after.log"))
add(logging.FileHandler("json.log"), JsonFormatter())
add(Store())
add(OwnHandle())

print("print", K)
print("stderr", K, file=sys.stderr)
print("pieces", K[:16], end="", flush=True); print(K[16:], flush=True)
sys.__stdout__.write("original " + K + "\\n")
sys.__stdout__.flush()
os.write(1, b"descriptor " + K.encode() + b"\\n")
subprocess.run(["sh", "-c", "echo child $MISTRAL_API_KEY; echo child_stderr $MISTRAL_API_KEY >&2"])
fork(lambda: print("fork", K, flush=True))
fork(lambda: (guarded and guard_process_output(), print("fork_guarded", K, flush=True)))
log = logging.getLogger("late")
log.warning("message %s", K)
log.warning("mapping %(key)s", {"key": K})
log.warning("unused", extra={"payload": {"key": ["payload " + K]}})
log.warning("object", extra={"client": Client()})
try: raise ValueError("exception " + K)
except ValueError: log.exception("failed")
thread = threading.Thread(target=lambda: {}["thread " + K]); thread.start(); thread.join()
print("last", K, end="")
raise ValueError("uncaught " + K)
"""
)
ROWS = {
    "stdout": ("print", "pieces", "original", "descriptor", "child", "fork", "fork_guarded", "last", "at_exit"),
    "stderr": ("stderr", "child_stderr", "message", "mapping", "exception", "thread", "uncaught"),
    "before.log": ("message", "mapping", "exception"),
    "after.log": ("message", "mapping", "exception"),
    "json.log": ("message", "mapping", "exception", "payload", "client"),
    "handle.log": ("message", "mapping"),
    "kept.log": ("message", "mapping", "exception", "payload"),
    "pickled.log": ("message", "mapping", "exception", "payload"),
}


def run(folder: Path, key: str, code: str, *words: str, python: Sequence[str] = ("-c",)) -> dict[str, str]:
    """The texts of stdout, stderr and each log that a process wrote in its folder."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, *python, code, *words],
        cwd=folder,
        env=clean_environment(folder, MISTRAL_API_KEY=key, PYTHONPATH=TESTS, PYTHONUNBUFFERED=""),
        capture_output=True,
        timeout=60 * PATIENCE,
    )
    logs = {file.name: file.read_bytes().decode("latin-1") for file in folder.glob("*.log")}
    return {"stdout": done.stdout.decode(), "stderr": done.stderr.decode(), **logs}


@pytest.fixture(scope="module")
def key():
    return make_text()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, key):
    return run(tmp_path_factory.mktemp("process") / "guarded", key, WORKER, "guarded")


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory, key):
    return run(tmp_path_factory.mktemp("process") / "unguarded", key, WORKER, "unguarded")


@pytest.mark.parametrize(("place", "row"), [(place, row) for place, rows in ROWS.items() for row in rows])
def test_what_a_process_writes_has_the_marker(guarded, unguarded, key, place, row):
    assert f"{row} {key}" in unguarded[place]  # negative control
    assert f"{row} {MARKER}" in guarded[place]


@pytest.mark.parametrize("place", ROWS)
def test_nothing_else_of_it_has_the_key(guarded, unguarded, key, place):
    assert shown_of(unguarded[place], key) == "the key"
    assert shown_of(guarded[place], key) == ""


def test_what_was_printed_before_stays_in_its_place(guarded):
    assert guarded["stdout"].startswith("early words\nprint")


def test_a_text_without_a_key_stays_as_it_was(tmp_path, key):
    code = WORKER.replace('os.environ["MISTRAL_API_KEY"]', "'some words'").replace("$MISTRAL_API_KEY", "more words")
    guarded, unguarded = (run(tmp_path / word, key, code, word) for word in ("guarded", "unguarded"))
    guarded.pop("pickled.log"), unguarded.pop("pickled.log")  # with times
    assert guarded.pop("kept.log").count("some words") == unguarded.pop("kept.log").count("some words") > 0
    assert guarded == unguarded
    assert "print some words" in guarded["stdout"]


@pytest.mark.parametrize("guarded", [True, False])
def test_what_was_written_before_an_exit_without_clean_up_is_passed_on(tmp_path, key, guarded):
    code = START + "if guarded: guard_process_output()\nprint('key', K, K[:9], end='', flush=True)\nos._exit(3)"
    texts = run(tmp_path / "exit", key, code, "guarded" if guarded else "unguarded")
    assert texts["stdout"] == f"key {MARKER if guarded else key} {key[:9]}"


@pytest.mark.parametrize("guarded", [True, False])
def test_on_windows_the_streams_of_python_and_logs_are_redacted(tmp_path, key, guarded):
    """Not tried there: this system plays it. What children write is not redacted."""
    code = START + (
        "if guarded: guard_process_output()\n"
        "print('print', K); print('pieces', K[:9], end=''); print(K[9:]); print('start', K[:9], end='')\n"
        "logging.warning('message %s', K)\nprint('after', K)\nraise ValueError('uncaught ' + K)"
    )
    texts = run(
        tmp_path / "windows",
        key,
        code,
        "guarded" if guarded else "unguarded",
        python=["-m", "support.other_system", "win32"],
    )
    shown = MARKER if guarded else key
    assert texts["stdout"] == f"print {shown}\npieces {shown}\nstart {key[:9]}after {shown}\n"
    assert f"message {shown}" in texts["stderr"]
    assert f"uncaught {shown}" in texts["stderr"]
    assert bool(shown_of(texts["stdout"] + texts["stderr"], key)) != guarded


@pytest.mark.parametrize("guarded", [True, False])
def test_a_stream_that_leads_to_no_descriptor_is_redacted(tmp_path, key, guarded):
    code = START + (
        "import io\nsys.stdout = io.StringIO()\nif guarded: guard_process_output()\n"
        "sys.stdout.writelines(['lines ', K]); print()\nsys.__stdout__.write(sys.stdout.getvalue()[:9] + K)\n"
        "open('own.log', 'w').write(sys.stdout.getvalue())"
    )
    texts = run(tmp_path / "stream", key, code, "guarded" if guarded else "unguarded")
    assert texts["own.log"] == f"lines {MARKER if guarded else key}\n"
    assert texts["stdout"] == f"lines {texts['own.log'][6:9]}{MARKER if guarded else key}"


def test_a_closed_descriptor_is_left_alone(tmp_path, key):
    code = START + "os.close(1)\nguard_process_output()\nprint('still', K, file=sys.stderr)"
    assert f"still {MARKER}" in run(tmp_path / "closed", key, code, "guarded")["stderr"]


def test_what_the_guard_does_not_see_keeps_the_key(tmp_path, key):
    code = START + (
        "import ctypes\nprint('before', K, flush=True)\nguard_process_output()\n"
        "open('own.log', 'w').write(K)\nctypes.CDLL(None).puts(b'held back ' + K.encode())\nprint('after', K)"
    )
    texts = run(tmp_path / "unseen", key, code, "guarded")
    assert texts["own.log"] == key
    assert texts["stdout"] == f"before {key}\nafter {MARKER}\nheld back {key}\n"


@pytest.mark.slow
def test_a_child_that_outlives_its_parent_does_not_block(tmp_path, key):
    code = START + (
        "guard_process_output()\nlife, end = os.pipe()\n"
        "if os.fork(): print('parent'); sys.exit()\n"
        "os.close(end); os.read(life, 1)\n"  # until the parent is gone
        "try:\n"
        "  while os.write(1, bytes(100_000)): pass\n"
        "except OSError: open('refused', 'w').close()\n"
        "os._exit(0)"
    )
    assert run(tmp_path / "parent", key, code, "guarded")["stdout"] == "parent\n"
    wait_for((tmp_path / "parent/refused").exists)


def test_a_search_that_fails_removes_the_text(tmp_path, key):
    code = START + (
        "from mistral_nb.guard.known_secrets import PROCESS_SECRETS\n"
        "guard_process_output()\nPROCESS_SECRETS._cached_matcher = None\n"
        "logging.basicConfig(filename='own.log')\nlogging.warning('key %s', K)"
    )
    assert "could not search" in run(tmp_path / "failed", key, code, "guarded")["own.log"]


def test_in_ipython_its_own_guard_is_started(monkeypatch):
    started = []
    monkeypatch.setattr(process_output, "running_shell", lambda: "a shell")
    monkeypatch.setattr(lifecycle, "start", started.append)
    process_output.guard_process_output()
    assert started == ["a shell"]
    assert process_output._State.process == 0
