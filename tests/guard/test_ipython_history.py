"""A key that was typed into a cell is removed from IPython's history, wherever it is stored."""

import contextlib
import sqlite3
import sys
import time
from types import SimpleNamespace

import pytest

from mistral_nb.api_key import MARKER, Secret
from mistral_nb.errors import MistralNbError
from mistral_nb.guard.ipython_history import remove_from_history
from support.ipython_shells import open_shell
from support.kernels import clean_environment, start_kernel
from support.keys import make_key, make_text
from support.patience import PATIENCE, wait_for
from support.processes import started
from support.terminals import terminal_ipython

# Runs in a cell: the key arrives by a file, so that only the cells under test hold it.
TAKE_OUT = """
from mistral_nb.api_key import Secret
from mistral_nb.guard.ipython_history import remove_from_history
changed = remove_from_history(get_ipython(), Secret(open({path!r}).read()))
"""


@pytest.fixture
def make_shell(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(**history):
            history.setdefault("hist_file", str(tmp_path / "history.sqlite"))
            return stack.enter_context(open_shell(tmp_path, **history))

        yield make


@pytest.fixture
def shell(make_shell):
    return make_shell()


def run(shell, *cells):
    for cell in cells:
        shell.run_cell(cell, store_history=True, silent=False)


def written(shell):
    """Wait until the saver thread has written every line."""
    manager = shell.history_manager
    wait_for(lambda: not (manager.db_input_cache or manager.db_output_cache), 10)


def in_memory(shell, text):
    """The names of all places in memory that hold ``text``."""
    found = [f"user_ns[{name}]" for name, value in shell.user_ns.items() if _is_input(name) and text in str(value)]
    found += [
        f"hidden[{name}]" for name, value in shell.user_ns_hidden.items() if _is_input(name) and text in str(value)
    ]
    state = {} if shell.history_manager is None else shell.history_manager._trait_values
    skipped = (
        "db",
        "shell",
        "save_thread",
        "parent",
        "config",
        "output_hist",
    )  # output_hist: the user's own objects
    return found + [name for name, value in state.items() if name not in skipped and text in str(value)]


def _is_input(name):
    return name in ("In", "_ih") or name.startswith("_i")


def in_files(folder, text):
    """The files under ``folder`` whose raw bytes hold ``text``."""
    return [file.name for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def rows(file):
    with contextlib.closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT source, source_raw FROM history ORDER BY session, line").fetchall()


def test_no_place_in_memory_or_on_disk_keeps_it(shell, tmp_path):
    text = make_text()
    run(shell, f"a = '{text}'", "b = 2", f"%env MADE_UP={text}", f"c = '{text}'", f"d = '{text}'", "e = 5")
    written(shell)
    before = in_memory(shell, text)
    assert {"user_ns[In]", "user_ns[_ih]", "user_ns[_i1]", "user_ns[_i]", "user_ns[_ii]"} <= set(before)
    assert {"hidden[_i1]", "input_hist_raw", "input_hist_parsed", "_i"} <= set(before)
    assert in_files(tmp_path, text) == ["history.sqlite"]  # negative control: the search finds it

    assert remove_from_history(shell, Secret(text)) > 20

    assert in_memory(shell, text) == []
    assert in_files(tmp_path, text) == []
    assert rows(tmp_path / "history.sqlite")[:2] == [(f"a = '{MARKER}'",) * 2, ("b = 2",) * 2]
    assert shell.user_ns["In"][2] == shell.user_ns["_i2"] == "b = 2"
    assert shell.user_ns["a"] == text  # the user's own variables are the user's
    assert remove_from_history(shell, Secret(text)) == 0


def test_the_running_line_is_removed_too(shell, tmp_path):
    text = make_text()
    shell.user_ns["take_out_now"] = lambda shown: remove_from_history(shell, Secret(shown))
    run(shell, f"take_out_now('{text}')", "1", "2", "3", "4")
    written(shell)
    assert in_memory(shell, text) == []
    assert in_files(tmp_path, text) == []
    assert rows(tmp_path / "history.sqlite")[0][0] == f"take_out_now('{MARKER}')"


def test_lines_that_wait_in_the_cache_are_written_clean(make_shell, tmp_path):
    text = make_text()
    shell = make_shell(db_cache_size=1000)
    run(shell, f"a = '{text}'")
    assert "db_input_cache" in in_memory(shell, text)
    assert remove_from_history(shell, Secret(text))
    shell.history_manager.writeout_cache()
    assert rows(tmp_path / "history.sqlite") == [(f"a = '{MARKER}'",) * 2]
    assert in_files(tmp_path, text) == []


def test_logged_outputs_are_removed(make_shell, tmp_path):
    text = make_text()
    shell = make_shell(db_log_output=True)
    run(shell, f"'{text}'", f"raise ValueError('{text}')", f"print('{text}')")
    written(shell)
    assert in_files(tmp_path, text)
    remove_from_history(shell, Secret(text))
    assert in_memory(shell, text) == []
    assert in_files(tmp_path, text) == []


def test_earlier_sessions_of_the_same_database_are_cleaned(make_shell, tmp_path):
    text = make_text()
    first = make_shell()
    run(first, f"a = '{text}'")
    written(first)
    second = make_shell()
    assert remove_from_history(second, Secret(text)) == 2
    assert in_files(tmp_path, text) == []


@pytest.mark.parametrize("history", [{"enabled": False}, {"hist_file": ":memory:"}])
def test_without_a_database_file_memory_is_cleaned(make_shell, history):
    text = make_text()
    shell = make_shell(**history)
    run(shell, f"a = '{text}'", "2")
    assert in_memory(shell, text)
    assert remove_from_history(shell, Secret(text))
    assert in_memory(shell, text) == []
    if "hist_file" in history:
        shell.history_manager.writeout_cache()
        assert not [row for row in shell.history_manager.db.execute("SELECT * FROM history") if text in str(row)]


def test_a_shell_without_a_history_manager_is_fine():
    text = make_text()
    bare = SimpleNamespace(user_ns={"_i1": "nothing here"})
    assert remove_from_history(bare, Secret(text)) == remove_from_history(object(), Secret(text)) == 0
    bare.user_ns["_i1"] = text
    assert remove_from_history(bare, Secret(text)) == 1


def test_an_empty_secret_changes_nothing(shell):
    run(shell, "a = 1")
    assert remove_from_history(shell, Secret("")) == 0
    assert shell.user_ns["In"][1] == "a = 1"


@pytest.mark.slow_except("start-100", "middle-50000", "end-4000")
@pytest.mark.parametrize("length", [100, 4_000, 50_000])
@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_cells_longer_than_a_page_are_cleaned(shell, tmp_path, length, where):
    text = make_text()
    before = {"start": 0, "middle": length // 2, "end": length}[where]
    cell = f"# {'x' * before}{text}{'y' * (length - before)}"
    run(shell, *[f"# {'z' * 900}"] * 5, cell, *[f"# {'z' * 900}"] * 5)
    written(shell)
    remove_from_history(shell, Secret(text))
    assert in_files(tmp_path, text) == []
    assert rows(tmp_path / "history.sqlite")[5][1] == cell.replace(text, MARKER)


def test_what_deleted_rows_left_behind_is_overwritten(shell, tmp_path):
    text = make_text()
    file = tmp_path / "history.sqlite"
    run(shell, "# " + "x" * 3000, f"a = '{text}'", "# " + "x" * 3000)
    written(shell)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA secure_delete=OFF")
        database.execute("DELETE FROM history WHERE line = 2")
    assert in_files(tmp_path, text) == ["history.sqlite"]
    remove_from_history(shell, Secret(text))
    assert in_files(tmp_path, text) == []
    assert len(rows(file)) == 2


def test_a_database_locked_by_another_is_reported_within_the_limit(shell, tmp_path):
    text = make_text()
    run(shell, f"a = '{text}'")
    written(shell)
    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(MistralNbError, match="may still be in IPython's history") as caught:
            remove_from_history(shell, Secret(text), seconds=1)
        assert time.monotonic() - began < 10 * PATIENCE
        assert "another program has it locked" in caught.value.failed
        assert text not in str(caught.value)
        assert in_memory(shell, text) == []
        other.execute("ROLLBACK")
    assert remove_from_history(shell, Secret(text))
    assert in_files(tmp_path, text) == []


def test_a_line_held_by_the_blocked_saver_is_not_forgotten(shell, tmp_path):
    text = make_text()
    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        run(shell, f"a = '{text}'")
        wait_for(shell.history_manager.db_input_cache_lock.locked)  # by the saver, which waits for the database
        with pytest.raises(MistralNbError, match=r"still writing to it|locked"):
            remove_from_history(shell, Secret(text), seconds=0.5)
        other.execute("ROLLBACK")
    written(shell)
    remove_from_history(shell, Secret(text))
    assert in_files(tmp_path, text) == []


@pytest.mark.slow
def test_a_write_ahead_log_is_emptied_or_the_reader_in_the_way_is_named(shell, tmp_path):
    text = make_text()
    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
        run(shell, f"a = '{text}'")
        written(shell)
        assert in_files(tmp_path, text) == ["history.sqlite-wal"]
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM history").fetchone()
        with pytest.raises(MistralNbError, match="may still be in IPython's history"):
            remove_from_history(shell, Secret(text), seconds=1)
        other.execute("COMMIT")
        remove_from_history(shell, Secret(text))
        assert in_files(tmp_path, text) == []


def test_a_damaged_database_is_reported(make_shell, tmp_path):
    text = make_text()
    shell = make_shell(db_cache_size=1000)
    run(shell, f"a = '{text}'")
    (tmp_path / "history.sqlite").write_bytes(b"this is no database, " * 500)
    with pytest.raises(MistralNbError, match="DatabaseError"):
        remove_from_history(shell, Secret(text))
    assert in_memory(shell, text) == []


WRITER = """
import sqlite3, sys
for number in range(200):
    connection = sqlite3.connect(sys.argv[1], timeout=30)
    with connection:
        connection.execute("INSERT INTO history VALUES (?, ?, 'mine', 'mine')", (int(sys.argv[2]), number))
    connection.close()
"""


@pytest.mark.slow
def test_lines_that_others_write_meanwhile_are_kept(shell, tmp_path):
    file = tmp_path / "history.sqlite"
    texts = [make_text() for _ in range(20)]
    with contextlib.ExitStack() as stack:
        words = [[sys.executable, "-c", WRITER, file, str(number)] for number in (1000, 1001)]
        writers = [stack.enter_context(started(words)) for words in words]
        for text in texts:
            run(shell, f"a = '{text}'")
            assert remove_from_history(shell, Secret(text), seconds=20 * PATIENCE)
        assert [writer.wait(60 * PATIENCE) for writer in writers] == [0, 0]
    written(shell)
    assert sum(row[0] == "mine" for row in rows(file)) == 400
    assert sum(MARKER in row[0] for row in rows(file)) == 20
    assert [text for text in texts if in_files(tmp_path, text)] == []
    with contextlib.closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_two_real_kernels_share_a_database_and_none_keeps_the_key(tmp_path):
    key = make_key()
    secret_file = tmp_path / "outside"
    env = clean_environment(tmp_path / "in")
    secret_file.write_text(key.reveal())
    with start_kernel(env) as kernel, start_kernel(env) as other:
        other.run("'the other one'")
        kernel.run(f"%set_env MADE_UP={key.reveal()}")
        kernel.run("1")
        other.run("2")
        wait_for(lambda: in_files(tmp_path / "in", key.reveal()) == ["history.sqlite"])
        ran = kernel.run(TAKE_OUT.format(path=str(secret_file)) + f"changed # {key.reveal()}")
        assert ran.error is None
        assert int(ran.results[0]["text/plain"]) > 5
        assert in_files(tmp_path / "in", key.reveal()) == []
        assert "MADE_UP=" in kernel.run("%history -n").text
        assert key.reveal() not in kernel.run("%history").text + kernel.run("%history -g MADE_UP").text
        kernel.shut_down()
        other.shut_down()
    assert in_files(tmp_path / "in", key.reveal()) == []
    (history,) = (tmp_path / "in").rglob("history.sqlite")
    assert ("'the other one'",) * 2 in rows(history)


@pytest.mark.slow
def test_arrow_up_does_not_bring_it_back_in_a_terminal(tmp_path):
    text = make_text()
    secret_file = tmp_path / "outside"
    env = clean_environment(tmp_path / "in")
    secret_file.write_text(text)
    with terminal_ipython(env, simple_prompt=False) as screen:
        screen.types(f"a = '{text}'")
        screen.sees("In [2]:")
        for number, line in enumerate(TAKE_OUT.format(path=str(secret_file)).strip().splitlines()):
            screen.types(line)
            screen.sees(f"In [{number + 3}]:")
        shown = len(screen.raw)
        screen.presses("\x1b[A" * 4)
        screen.sees(MARKER)
        assert text not in screen.raw[shown:]
        assert text in screen.raw
        screen.presses("\x03")
        screen.types("exit")
        screen.ends()
    assert in_files(tmp_path / "in", text) == []
