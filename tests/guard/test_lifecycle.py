"""Loading, unloading, failing, and places that have no Session."""

import sqlite3
import time

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.guard import ipython_history_files
from mistral_nb.guard.ipython_patches import EntryPatch, Patch
from mistral_nb.guard.kernel_messages import UNSEARCHED_TEXT
from mistral_nb.watchlist import Watchlist
from support.kernels import clean_environment, start_kernel
from support.keys import make_key, make_text
from support.leaks import found
from support.patience import PATIENCE
from support.recorder import BREAK, recorded_kernel
from support.terminals import terminal_ipython

KEY = make_text()
METHODS = "print([name in vars(S) for name in ('serialize', 'send', 'send_raw')])"


@pytest.fixture
def recorder(tmp_path):
    with recorded_kernel(tmp_path, KEY, guarded=True) as running:
        yield running


@pytest.mark.slow
def test_unloading_restores_the_session(recorder):
    kernel = recorder.kernel
    assert kernel.run(METHODS).text == "[True, True, True]\n"
    kernel.run("print('a' + K[:5], end='')\n%unload_ext mistral_nb")
    assert kernel.run(METHODS).text == "[False, False, False]\n"
    assert kernel.run("print(K)").text == f"{KEY}\n"
    kernel.run("%load_ext mistral_nb")
    assert kernel.run("print(K)").text == f"{MARKER}\n"


@pytest.mark.slow
def test_what_someone_wrapped_since_becomes_a_pass_through(recorder):
    kernel = recorder.kernel
    kernel.run("ours, calls = S.send, []\nS.send = lambda *a, **k: (calls.append(1), ours(*a, **k))[1]")
    kernel.run("%unload_ext mistral_nb")
    assert kernel.run("print(K, len(calls) > 0)").text == f"{KEY} True\n"
    kernel.run("%load_ext mistral_nb")
    assert kernel.run("print(K, len(calls) > 0)").text == f"{MARKER} True\n"


@pytest.mark.slow
def test_reloading_keeps_known_keys(recorder):
    kernel, gone = recorder.kernel, make_text()
    kernel.run(
        f"os.environ['LLM_MISTRAL_KEY'] = gone = ''.join({list(gone)!r})\nprint(gone, flush=True)\n"
        "del os.environ['LLM_MISTRAL_KEY']"
    )
    for _ in range(3):
        kernel.run("%reload_ext mistral_nb")
    assert kernel.run("print(gone, K)").text == f"{MARKER} {MARKER}\n"
    assert kernel.run("import mistral_nb.environment as s; print(len(s._subscribers))").text == "1\n"
    kernel.run("%unload_ext mistral_nb")
    assert kernel.run(METHODS).text == "[False, False, False]\n"


@pytest.mark.slow
def test_two_kernels_each_know_their_own_key(tmp_path):
    other = make_text()
    with (
        recorded_kernel(tmp_path / "a", KEY, guarded=True) as one,
        recorded_kernel(tmp_path / "b", other, guarded=True) as two,
    ):
        assert one.kernel.run(f"print(K, '-'.join(['{other[:16]}', '{other[16:]}']))").text == (
            f"{MARKER} {other[:16]}-{other[16:]}\n"
        )
        assert two.kernel.run("print(K)").text == f"{MARKER}\n"


@pytest.mark.slow
def test_a_restart_forgets_and_guards_again(recorder):
    recorder.kernel.restart()
    assert recorder.kernel.run("import os; K = os.environ['MISTRAL_API_KEY']; print(K)").text == f"{KEY}\n"
    recorder.kernel.run("%load_ext mistral_nb")
    assert recorder.kernel.run("print(K)").text == f"{MARKER}\n"


@pytest.mark.slow
def test_when_the_guard_fails_text_is_removed_and_the_kernel_survives(recorder):
    kernel = recorder.kernel
    kernel.run(BREAK)
    recorder.frames = []
    ran = kernel.run("print(K); display(K); K")
    assert ran.status == "ok"
    assert ran.text.strip() == UNSEARCHED_TEXT
    assert [list(bundle.values()) for bundle in ran.results] == [[UNSEARCHED_TEXT], [UNSEARCHED_TEXT]]
    failed = kernel.run("raise ValueError(K)")
    assert (failed.status, failed.error.name, failed.error.value) == ("error", "ValueError", UNSEARCHED_TEXT)
    comm = kernel.run("c = create_comm(target_name='own.target', data={'k': K, 'n': 3}, buffers=[K.encode()])")
    assert comm.status == "ok"
    assert any('"n": 3' in message and "own.target" in message for message in comm.messages)
    assert not found(recorder.frames, KEY)
    kernel.run("del PROCESS_SECRETS.matcher")
    assert kernel.run("print('back', K)").text == f"back {MARKER}\n"
    assert "without text" in kernel.run("%mistral_key status").shown


@pytest.mark.slow
def test_a_kernel_without_a_session_is_reported(tmp_path):
    with start_kernel(clean_environment(tmp_path, MISTRAL_API_KEY=KEY)) as kernel:
        code = (
            "class Other: pass\nkernel, ip = get_ipython().kernel, get_ipython()\nip.kernel = Other()\n"
            "try: ip.run_line_magic('load_ext', 'mistral_nb'); ip.run_line_magic('mistral_key', 'status').rows\n"
            "finally: ip.kernel = kernel\nfrom mistral_nb.guard import lifecycle as guard\nip.kernel = Other()\n"
            "said = guard.guard_state(ip).sentence\nip.kernel = kernel\nprint(said)"
        )
        assert "no Session to guard" in kernel.run(code).text


@pytest.mark.slow
def test_status_says_when_the_guard_is_off(recorder):
    code = "%unload_ext mistral_nb\nfrom mistral_nb import status\nprint(status())"
    assert "not guarded: %load_ext mistral_nb was not run" in recorder.kernel.run(code).text


@pytest.mark.slow
def test_terminal_ipython_guards_results_and_tracebacks(tmp_path):
    with terminal_ipython(clean_environment(tmp_path, MISTRAL_API_KEY=KEY)) as screen:
        screen.types("import os; K = os.environ['MISTRAL_API_KEY']; K == 1")
        screen.sees("Out[1]: False")
        screen.types("%load_ext mistral_nb")
        screen.sees("In [3]:")
        screen.types("{'key': K}")
        screen.sees(MARKER)
        screen.types("raise ValueError(K)")
        screen.sees(f"ValueError: {MARKER}")
        screen.types("%xmode Verbose")
        screen.sees("In [6]:")
        screen.types("(lambda secret: 1 / 0)(K)")
        screen.sees("ZeroDivisionError")
        screen.sees("In [7]:")
        screen.types("%set_env MISTRAL_API_KEY=$K")
        screen.sees(f"env: MISTRAL_API_KEY={MARKER}")
        screen.types("%mistral_key status")
        screen.sees("what print writes is not")
        assert KEY not in screen.raw
        screen.types("%unload_ext mistral_nb")
        screen.types("K")
        screen.sees(KEY)


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [True, False])
def test_the_real_terminal_is_guarded_when_a_setting_says_so(tmp_path, guarded, capfd):
    more = {"MISTRAL_NB_GUARD_TERMINAL": "1"} if guarded else {}
    with recorded_kernel(tmp_path, KEY, guarded=True, **more) as recorder:
        recorder.kernel.run(
            "os.write(1, b'one ' + K.encode() + b'\\n'); subprocess.run('echo two $MISTRAL_API_KEY >&2', shell=True)\n"
            "for c in 'three ' + K + '\\n': os.write(2, c.encode())\nos.write(1, b'tail ' + K[:5].encode())"
        )
        out = err = ""
        end = time.monotonic() + 10 * PATIENCE
        while not (f"tail {KEY[:5]}" in out and "two " in err and "three " in err) and time.monotonic() < end:
            more_out, more_err = capfd.readouterr()
            out, err = out + more_out, err + more_err
            time.sleep(0.05)
    more_out, more_err = capfd.readouterr()
    out, err = out + more_out, err + more_err
    assert "one " in out
    assert "two " in err
    assert "three " in err
    assert f"tail {KEY[:5]}" in out
    assert (KEY not in out + err) == guarded
    assert (f"three {MARKER}" in err) == guarded


class Thing:
    def say(self) -> str:
        return "thing"


def test_patches_can_be_undone_in_any_order():
    thing = Thing()
    one = Patch(thing, "say", lambda original: lambda: f"one {original()}")
    two = Patch(thing, "say", lambda original: lambda: f"two {original()}")
    assert thing.say() == "two one thing"
    one.remove()
    assert thing.say() == "two thing"
    two.remove()
    assert thing.say() == "thing"
    three = Patch(thing, "say", lambda original: lambda: f"three {original()}")
    three.remove()
    assert thing.say() == "thing"


def test_an_entry_of_a_table_is_restored():
    table = {"f": Thing().say}
    patch = EntryPatch(table, "f", lambda original: lambda: f"ours {original()}")
    assert table["f"]() == "ours thing"
    patch.remove()
    assert table["f"]() == "thing"


def a_history(folder, *lines: str):
    profile = folder / "ipython/profile_default"
    profile.mkdir(parents=True)
    file = profile / "history.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE history (session int, line int, source text, source_raw text)")
        database.execute("CREATE TABLE output_history (session int, line int, output text)")
        rows = [(1, n, line, line) for n, line in enumerate(lines)]
        database.executemany("INSERT INTO history VALUES (?, ?, ?, ?)", rows)
    database.close()
    return file


def test_an_existing_history_is_searched_and_cleaned_while_others_use_it(tmp_path):
    key, odd, never = make_key(), make_key(), make_key()
    lines = ("import os", f"%env MISTRAL_API_KEY={key.reveal()}", f"x = '{odd.reveal().encode().hex()}'", "ä = 1")
    suspected = f"mistral = Mistral(api_key='{never.reveal()}')"
    file = a_history(tmp_path, *lines, suspected)
    env = {"IPYTHONDIR": str(tmp_path / "ipython")}
    assert ipython_history_files.list_databases(env) == [str(file)]
    watchlist = Watchlist(known=(key, odd))
    assert ipython_history_files.search_database(str(file), watchlist).lines == 6
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("INSERT INTO history VALUES (2, 1, 'busy', 'busy')")
    assert ipython_history_files.clean_database(str(file), watchlist).lines == 6
    data = file.read_bytes()
    for gone in (key, never):
        assert gone.reveal().encode() not in data
    assert odd.reveal().encode().hex().encode() not in data
    sources = [row[0] for row in other.execute("SELECT source FROM history")]
    assert sources[0] == "import os"
    assert sources[1] == f"%env MISTRAL_API_KEY={MARKER}"
    assert sources[3] == "ä = 1"
    assert ipython_history_files.search_database(str(file), watchlist).lines == 0
    other.close()


def test_a_clean_history_keeps_its_bytes(tmp_path):
    file = a_history(tmp_path, "import os", "print(1)")
    before = file.read_bytes()
    assert ipython_history_files.clean_database(str(file), Watchlist(known=(make_key(),))).lines == 0
    assert file.read_bytes() == before


def test_a_damaged_history_is_reported(tmp_path):
    file = a_history(tmp_path, "x")
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(ipython_history_files.MistralNbError, match="could not be searched"):
        ipython_history_files.search_database(str(file), Watchlist(known=(make_key(),)))


@pytest.mark.slow
def test_a_start_that_fails_leaves_nothing_and_the_next_one_works(tmp_path):
    with start_kernel(clean_environment(tmp_path, MISTRAL_API_KEY=KEY)) as kernel:
        kernel.run("import os; K, ip = os.environ['MISTRAL_API_KEY'], get_ipython(); S = ip.kernel.session")
        broken = kernel.run("kept = ip.events.register; ip.events.register = None\n%load_ext mistral_nb")
        assert broken.error, broken.shown
        assert kernel.run(f"{METHODS}\nprint(type(os.environ) is os._Environ)").text == "[False, False, False]\nTrue\n"
        kernel.run("ip.events.register = kept\n%load_ext mistral_nb")
        assert kernel.run("print(K)").text == f"{MARKER}\n"


TRACES = """
def names(): return [
    *(sorted(vars(there)) for there in (S, ip, ip.history_manager, ip.magics_manager, ip.logger)),
    {kind: sorted(table) for kind, table in ip.magics_manager.magics.items()},
    {kind: list(map(repr, callbacks)) for kind, callbacks in ip.events.callbacks.items()},
    {event: {name: len(c.chain) for name, c in d.strs.items()} for event, d in ip.strdispatchers.items()},
    *map(repr, [*ip.input_transformers_cleanup, *ip.ast_transformers, *ip.kernel.shell_handlers.items()]),
    (type(os.environ), type(os.environb)), sorted(t.name for t in threading.enumerate()),
]
before = names()
"""


@pytest.mark.slow
def test_unloading_leaves_no_trace(tmp_path):
    with recorded_kernel(tmp_path, KEY, guarded=False) as recorder:
        kernel, same = (
            recorder.kernel,
            "print([now for then, now in zip(before, names()) if then != now])",
        )
        kernel.run(f"%history -n 1\nip.db\nip._last_input_line = ''\n{TRACES}")  # what IPython makes at first use
        kernel.run("%load_ext mistral_nb")
        assert kernel.run(same).text != "[]\n"
        kernel.run("%reload_ext mistral_nb\n%unload_ext mistral_nb")
        assert kernel.run(same).text == "[]\n"
