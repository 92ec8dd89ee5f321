"""Pools and other children of a kernel have its key, and what they print is guarded as its own output is."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from mistral_nb.api_key import MARKER
from support.commands import mistral_nb
from support.kernels import clean_environment, is_remembered
from support.keys import make_text
from support.leaks import found
from support.patience import PATIENCE, wait_for
from support.recorder import Recorder, recorded_kernel

KEY = make_text()
# Prints the key by Python, by a child of its own and by a descriptor; then, on both, a line to wait for.
TASK = """
import os, subprocess
def show(end):
    key = os.environ["MISTRAL_API_KEY"]
    print("by print", key, flush=True)
    subprocess.run("echo by a child $MISTRAL_API_KEY", shell=True)
    os.write(2, f"by a descriptor {key}\\n".encode())
    for number in (1, 2):
        os.write(number, f"{end}\\n".encode())
"""
SHELL = "'echo by a child $MISTRAL_API_KEY; echo by a child $MISTRAL_API_KEY >&2; echo %s; echo %s >&2' % (end, end)"
WAYS = {
    **{
        f"ProcessPoolExecutor, {method}": f"""
import concurrent.futures, multiprocessing
with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context({method!r})) as pool:
    pool.submit(task.show, end).result()
"""
        for method in ("spawn", "fork", "forkserver")
    },
    **{
        f"multiprocessing, {method}": f"""
import multiprocessing
process = multiprocessing.get_context({method!r}).Process(target=task.show, args=(end,))
process.start()
process.join()
"""
        for method in ("spawn", "fork", "forkserver")
    },
    "joblib": "import joblib; joblib.Parallel(2)(joblib.delayed(task.show)(end) for _ in range(2))",
    "subprocess": f"import subprocess; subprocess.run({SHELL}, shell=True)",
    "a pipe that the cell prints": f"""
import subprocess, sys
ran = subprocess.run({SHELL}, shell=True, capture_output=True, text=True)
print(ran.stdout)
print(ran.stderr, file=sys.stderr)
""",
}


class Desk(NamedTuple):
    """A kernel, what a front end gets of it, and the file in its terminal's place."""

    recorder: Recorder
    terminal: Path

    def run(self, way: str) -> tuple[list[bytes], bytes]:
        """What the front end and the terminal got of a way to start a child, once its last line has come."""
        before, self.recorder.frames = self.terminal.stat().st_size, []
        lines, end = 4 if way == "joblib" else 2, f"end of {way}"
        ran = self.recorder.kernel.run(f"import task\nend = ' '.join({end.split()!r})\n{WAYS[way]}")
        assert ran.status == "ok", ran.shown
        wait_for(lambda: self._count(end.encode()) >= lines, 30)
        if "pipe" not in way:  # the terminal gets what a child writes there itself
            wait_for(lambda: self.terminal.read_bytes()[before:].count(end.encode()) >= lines, 30)
        return self.recorder.frames, self.terminal.read_bytes()[before:]

    def _count(self, end: bytes) -> int:
        self.recorder.drain()
        return sum(frame.count(end) for frame in self.recorder.frames)


@contextlib.contextmanager
def _desk(folder: Path, *, guarded: bool) -> Iterator[Desk]:
    (folder / "home").mkdir()
    (folder / "home/task.py").write_text(TASK)
    terminal = folder / "terminal"
    more = {"MISTRAL_NB_GUARD_TERMINAL": "1"} if guarded else {}
    with (
        terminal.open("wb") as file,
        recorded_kernel(
            folder, KEY, guarded=guarded, terminal=file, PYTHONPATH=str(folder / "home"), **more
        ) as recorder,
    ):
        yield Desk(recorder, terminal)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Desk]:
    with _desk(tmp_path_factory.mktemp("guarded"), guarded=True) as desk:
        yield desk


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory) -> Iterator[Desk]:
    with _desk(tmp_path_factory.mktemp("unguarded"), guarded=False) as desk:
        yield desk


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_child_has_the_key_and_shows_it_to_nobody(way, guarded):
    frames, terminal = guarded.run(way)
    assert not found(frames, KEY)
    assert KEY.encode() not in terminal
    assert sum(frame.count(MARKER.encode()) for frame in frames) >= 2
    assert (MARKER.encode() in terminal) == ("pipe" not in way)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_without_the_guard_the_same_search_finds_it(way, unguarded):
    frames, terminal = unguarded.run(way)
    assert found(frames, KEY)
    assert (KEY.encode() in terminal) == ("pipe" not in way)


# Runs a notebook in a kernel of its own, from a cell.
EXECUTE = {
    "papermill": "import papermill; papermill.execute_notebook({0!r}, {1!r}, progress_bar=False)",
    "nbclient": """
import nbclient, nbformat
notebook = nbformat.read({0!r}, 4)
nbclient.NotebookClient(notebook).execute()
nbformat.write(notebook, {1!r})
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", EXECUTE)
def test_an_executed_notebook_has_the_key_and_shows_it_unless_it_loads_the_guard(how, guarded, tmp_path):
    """The guard of the kernel that starts it sees none of its outputs: they go into the file."""
    env = clean_environment(guarded.terminal.parent)
    wait_for(lambda: is_remembered(env, KEY))
    for load, count in (("%load_ext mistral_nb\n", 0), ("", 1)):
        cell = nbformat.v4.new_code_cell(f"{load}import os; print('has', os.environ['MISTRAL_API_KEY'])")
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), tmp_path / "in.ipynb")
        code = EXECUTE[how].format(str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"))
        ran = guarded.recorder.kernel.run(code)
        assert ran.status == "ok", ran.shown
        written = (tmp_path / "out.ipynb").read_text()
        assert (written.count(f"has {MARKER}"), written.count(f"has {KEY}")) == (1 - count, count)
        assert mistral_nb(env, "scan", str(tmp_path / "out.ipynb")).returncode == count


SCRIPT = """
import concurrent.futures, multiprocessing, sys
import mistral_nb.worker, task
if __name__ == "__main__":
    for method in ("spawn", "fork", "forkserver"):
        with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context(method), initializer=eval(sys.argv[1])
        ) as pool:
            pool.submit(task.show, f"end of {method}").result()
"""


@pytest.mark.slow
@pytest.mark.parametrize("initializer", ["mistral_nb.worker.setup", "None"])
def test_a_pool_of_a_script_is_guarded_by_its_initializer(initializer, tmp_path):
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [sys.executable, str(tmp_path / "script.py"), initializer]
    env = clean_environment(tmp_path, MISTRAL_API_KEY=KEY)
    ran = subprocess.run(words, env=env, capture_output=True, text=True, check=True, timeout=60 * PATIENCE)
    is_guarded = initializer != "None"
    assert (KEY in ran.stdout + ran.stderr) != is_guarded
    for method in ("spawn", "fork", "forkserver"):
        assert (ran.stdout.count(f"end of {method}\n"), ran.stderr.count(f"end of {method}\n")) == (1, 1)
    assert (ran.stdout + ran.stderr).count(MARKER if is_guarded else KEY) == 9
