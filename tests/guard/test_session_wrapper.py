"""The guard in a real kernel: nothing lost, nothing delayed, nothing out of order, no interference."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER
from support.kernels import clean_environment, start_kernel
from support.keys import make_text
from support.leaks import found, longest_run
from support.patience import PATIENCE
from support.recorder import recorded_kernel

KEY = make_text()


@pytest.fixture(scope="module")
def kernel(recorder):
    return recorder.kernel


Arrival = tuple[float, str, str]


def arrivals(recorder, code: str, until: Callable[[list[Arrival]], bool] | None = None) -> list[Arrival]:
    """When each message of a cell came, of which type, and the text in it: all until it is idle, and ``until`` holds.

    Then, what was sent in the meantime as well.
    """
    sent = recorder.client.execute(code)
    came: list[Arrival] = []
    end = time.monotonic() + 15 * PATIENCE

    def take(seen: list[tuple[float, dict[str, Any]]]) -> None:
        for when, message in seen:
            content = message["content"]
            text = content.get("text") or str(content.get("data", "")) or content.get("execution_state", "")
            came.append((when, message["msg_type"], text))

    take(recorder.read_until_idle(sent))
    while until and not until(came) and time.monotonic() < end:
        take(recorder.drain(of=sent))
    take(recorder.drain(of=sent))
    recorder.client.get_shell_msg(timeout=5 * PATIENCE)
    return came


def test_held_text_is_sent_while_the_cell_goes_on(recorder, tmp_path):
    """The cell ends once it has come."""
    seen = tmp_path / "seen"
    waiting = f"import os\nwhile not os.path.exists({str(seen)!r}): time.sleep(0.01)"
    sent = recorder.client.execute(f"print('a' + K[:6], end='', flush=True)\n{waiting}\nprint('b')")
    streams = []
    while "".join(streams) != f"a{KEY[:6]}":
        message = recorder.client.get_iopub_msg(timeout=15 * PATIENCE)
        if message["parent_header"].get("msg_id") == sent and message["msg_type"] == "stream":
            streams.append(message["content"]["text"])
    seen.touch()
    recorder.read_until_idle(sent)
    recorder.client.get_shell_msg(timeout=15 * PATIENCE)
    assert streams == ["a", KEY[:6]]


def test_other_messages_of_the_cell_do_not_overtake_held_text(recorder):
    code = (
        "print('1' + K[:6], end='', flush=True); display('second'); print('3' + K[:5], end='', flush=True)\n"
        "print('fourth', file=sys.stderr, flush=True); print('5' + K[:4], end='')"
    )
    came = arrivals(recorder, code)
    said = "|".join(text for _, kind, text in came if kind in ("stream", "display_data"))
    order = [said.index(part) for part in (f"1|{KEY[:6]}", "second", f"3|{KEY[:5]}", "fourth", f"5|{KEY[:4]}")]
    assert order == sorted(order)
    assert [text for _, kind, text in came if kind == "status"][-1] == "idle"
    assert came[-1][1] == "status"  # all was out before the cell was idle


def test_held_text_is_sent_before_a_prompt(recorder):
    recorder.client.execute("print('name: ' + K[:7], end='', flush=True); got = input('? ')", allow_stdin=True)
    prompt = recorder.client.get_stdin_msg(timeout=10 * PATIENCE)
    assert prompt["content"]["prompt"] == "? "
    recorder.frames = []
    recorder.drain()
    assert f"{KEY[:7]}".encode() in b"".join(recorder.frames)
    recorder.client.input("x")
    recorder.client.get_shell_msg(timeout=10 * PATIENCE)


def test_an_interrupt_during_a_carry_loses_no_text(recorder):
    kernel = recorder.kernel
    for pause in (0.0, 0.02, 0.05, 0.1, 0.15, 0.3):
        sent = recorder.client.execute("print('kept ' + K[:8], end='', flush=True)\nwhile True: time.sleep(0.001)")
        text, interrupted = "", False
        while True:
            message = recorder.client.get_iopub_msg(timeout=10 * PATIENCE)
            if message["parent_header"].get("msg_id") != sent:
                continue
            if message["msg_type"] == "stream":
                text += message["content"]["text"]
                if not interrupted:
                    time.sleep(pause)
                    kernel.interrupt()
                    interrupted = True
            if message["content"].get("execution_state") == "idle":
                break
        recorder.client.get_shell_msg(timeout=5 * PATIENCE)
        assert text == f"kept {KEY[:8]}"
        assert kernel.run("print('on')").text == "on\n"


@pytest.mark.slow
def test_text_after_clear_output_and_after_the_cell_is_complete(recorder):
    recorder.frames = []
    code = "print('x' + K[:9], end=''); clear_output(); print(K[9:], end='')\n"
    code += "threading.Timer(0.3, print, ('late ' + K[:3],), {'end': ''}).start()"

    def streamed(came):
        return "".join(text for _, kind, text in came if kind == "stream")

    text = streamed(arrivals(recorder, code, lambda came: streamed(came).endswith(f"late {KEY[:3]}")))
    assert text == f"x{KEY[:9]}{MARKER}late {KEY[:3]}"
    assert not found(recorder.frames, KEY)


@pytest.mark.slow
def test_nothing_is_lost_when_the_kernel_ends(tmp_path):
    with recorded_kernel(tmp_path, KEY, guarded=True) as recorder:
        recorder.frames = []
        code = "import atexit; atexit.register(lambda: print('last words', K, flush=True))\nprint('a' + K[:5], end='')"
        assert recorder.kernel.run(code).text == f"a{KEY[:5]}"
        recorder.kernel.manager.request_shutdown()
        recorder.read_until_end()
        joined = b"".join(recorder.frames)
        assert b"shutdown_reply" in joined
        assert not found(recorder.frames, KEY)


@pytest.mark.slow
def test_text_of_twenty_threads_comes_whole_and_without_the_key(recorder):
    code = """
def say(n):
    for m in range(50):
        print(f'<{n}.{m}>{K}', flush=m % 7 == 0)
        if m % 10 == 0: display({'text/plain': f'{n} {K}'}, raw=True)
threads = [threading.Thread(target=say, args=(n,)) for n in range(20)]
for t in threads: t.start()
for t in threads: t.join()
"""
    recorder.frames = []
    ran = recorder.kernel.run(code, timeout=60 * PATIENCE)
    recorder.drain()
    assert not found(recorder.frames, KEY)
    for n in range(20):
        assert all(f"<{n}.{m}>" in ran.text for m in range(50))
    assert ran.text.count(MARKER) == 1000
    assert [MARKER in bundle["text/plain"] for bundle in ran.results].count(True) == 100


def test_sixty_forked_children_end_and_none_shows_the_key(recorder):
    code = """
print('parent ' + K[:4], end='', flush=True)
pids = []
for n in range(60):
    pid = os.fork()
    if pid == 0:
        print(f'child {n:02} {K}', flush=True); print(K[:10], end='', flush=True); print(K[10:], flush=True)
        os._exit(7)
    pids.append(pid)
end = time.monotonic() + 40
codes = {}
while len(codes) < 60 and time.monotonic() < end:
    for pid in set(pids) - set(codes):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done: codes[pid] = os.waitstatus_to_exitcode(status)
    time.sleep(0.02)
print('ended', len(codes), set(codes.values()))
"""
    recorder.frames = []
    ran = recorder.kernel.run(code, timeout=60 * PATIENCE)
    recorder.drain(0.5)
    assert "ended 60 {7}" in ran.text
    assert ran.text.count("child ") >= 60
    assert f"parent {KEY[:4]}" in ran.text
    assert ran.text.count(f"parent {KEY[:4]}") == 1
    assert not [
        frame for frame in recorder.frames if KEY.encode() in frame or longest_run(frame.decode("latin-1"), KEY) > 14
    ]


FORKS = {
    "the parent's start": "print('<' + K[:11], end='', flush=True)\nfork(lambda: print(K[11:22], end='>', flush=True))",
    "in pieces": "fork(lambda: [print(K[n : n + 8], end='', flush=True) for n in range(0, 32, 8)])",
    "after the parent's key": "print(K, end='', flush=True)\nfork(lambda: print(K[:11], end='', flush=True))",
}


@pytest.mark.slow_except("after the parent's key")
@pytest.mark.parametrize("code", FORKS.values(), ids=FORKS.keys())
def test_a_key_does_not_come_together_in_a_forked_child(recorder, code):
    recorder.frames = []
    text = recorder.kernel.run(f"{code}\ntime.sleep(0.3)").text
    recorder.drain(0.3)
    assert not found(recorder.frames, KEY)
    assert MARKER in text


def test_a_client_that_runs_inside_the_kernel_is_left_alone(kernel):
    code = """
from jupyter_client.session import Session
own = Session(key=b'x')
parts = own.serialize(own.msg('x', {'k': K}))
print(K.encode() in parts[-1], own.sign(parts[2:]) == parts[1], 'send' in vars(own), 'send' in vars(S.clone()))
"""
    assert kernel.run(code).text == "True True False False\n"


def test_a_key_that_comes_later_is_guarded(recorder):
    late, typed = make_text(), make_text()
    recorder.frames = []
    recorder.kernel.run(
        f"os.environ['CODESTRAL_API_KEY'] = ''.join({list(late)!r}); print(os.environ['CODESTRAL_API_KEY'])"
    )
    recorder.kernel.run("gone = os.environ.pop('CODESTRAL_API_KEY'); print(gone); gone")
    assert not found(recorder.frames, late)
    recorder.kernel.run(f"client = dict(server='mistral', api_key='{typed}'); client")
    assert not found(recorder.frames, typed)


def test_a_literal_is_reported_once_per_cell_before_the_cell_runs(kernel):
    typed = make_text()
    code = f"client = dict(server='mistral', api_key='{typed}'); print('ran')"
    ran = kernel.run(code)
    note = f"This cell contains a key, …{typed[-4:]}, in plain text."
    assert note in ran.results[0]["text/plain"]
    assert "%mistral_key" in ran.results[0]["text/html"]
    assert (ran.text, ran.stderr) == ("ran\n", "")
    assert note not in kernel.run(code).shown
    assert note in kernel.run(f"# another cell of mistral\nx = '{typed}'").shown
    for _ in range(2):  # the cell takes it away
        assert note in kernel.run(f"x = '{typed}'; from IPython.display import clear_output; clear_output()").shown
    assert "In[-2]" not in kernel.run("print(len(In))").stderr


def test_a_revoked_key_in_a_cell_is_not_offered_for_keeping(kernel):
    typed = make_text()
    ran = kernel.run(
        "from mistral_nb.paths import data_folder; from mistral_nb.api_key import Key\n"
        "from mistral_nb.storage.index import Index\n"
        f"Index(data_folder(os.environ)).remember(Key(''.join({list(typed)!r})), 'compromised')"
    )
    assert not ran.error, ran.shown
    said = kernel.run(f"client = dict(server='mistral', api_key='{typed}')").shown
    assert f"…{typed[-4:]}, which was revoked here as leaked." in said
    assert "%mistral_key login" not in said


def test_the_history_contains_the_marker(kernel):
    typed = make_text()
    kernel.run(f"mistral_key_of_mine = '{typed}'")
    told = kernel.run(
        "print([typed in h for typed in (mistral_key_of_mine, K) for h in (*In, _i, _ii, _iii)].count(True))"
    )
    assert told.text == "0\n"
    code = "ip.history_manager.writeout_cache(); db = open(ip.history_manager.hist_file, 'rb').read()\n"
    code += "print(mistral_key_of_mine.encode() in db, K.encode() in db, b'MISTRAL_API_KEY redacted' in db)"
    assert kernel.run(code).text == "False False True\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "file", "told"),
    [
        ("%notebook {file}", "all.ipynb", False),
        ("%history -f {file} 1-500", "h.txt", False),
        ("%save {file} 1-500", "saved.py", False),
        ("%logstart -o {file}", "log.py", False),
        ("name = '{file}'\n%notebook {{name}}", "named.ipynb", False),
        ("name = '{file}'\n%hist -f {{name}} 1-500", "named.txt", False),
        ("get_ipython().run_line_magic('history', '-f{file} 1-500')", "by_code.txt", False),
        ("if True:\n    %save -r {file} 1-500", "indented.ipy", False),
        ("%alias_magic mine save\n%mine '{file}' 1-500", "by alias.py", False),
        ("%store K >>{file}", "stored.txt", True),
        ("%store K >{file}", "stored_again.txt", True),
        ("name = '{file}'\nget_ipython().run_cell_magic('writefile', name, '{key}')", "by_code.env", True),
        ("%%writefile {file}\nMISTRAL_API_KEY={key}", "env.txt", True),
    ],
)
def test_a_file_written_by_a_magic_contains_the_marker_or_is_reported(kernel, code, file, told):
    kernel.run(f"x = '{KEY}'; x")
    ran = kernel.run(code.format(file=file, key=KEY))
    if "logstart" in code:
        kernel.run(f"y = '{KEY}'; y")
        kernel.run("%logstop")
    assert (f"{file} now contains a key in plain text" in ran.stderr) == told, ran.shown
    assert kernel.run(f"print(K in open('{file}').read())").text == f"{told}\n"
    if not told:
        assert kernel.run(f"print('MISTRAL_API_KEY redacted' in open('{file}').read())").text == "True\n"


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["-f", "-nf", "-onpf", "-yf"])
def test_what_was_typed_before_the_guard_is_not_written_by_history(tmp_path, flags):
    key, (before, after) = make_text(), (tmp_path / "before.txt", tmp_path / "after.txt")
    with start_kernel(clean_environment(tmp_path)) as kernel:
        kernel.run(f"x = '{key}'")
        kernel.run(f"%history {flags} {before} 1-9")
        kernel.run("import os; os.environ['MISTRAL_API_KEY'] = x\n%load_ext mistral_nb")
        ran = kernel.run(f"%history {flags} {after} 1-9")
        assert ran.status == "ok", ran.shown
    assert key in before.read_text()
    assert key not in after.read_text()
    assert MARKER in after.read_text()


def test_store_reports_that_its_file_contains_the_key(kernel):
    said = kernel.run("%store K").stderr
    if "pickleshare" in said:
        pytest.skip("this IPython stores nothing without pickleshare")
    assert "now contains a key in plain text (%store wrote it)" in said
    kernel.run("%store -d K")


@pytest.mark.parametrize("magic", ["%env", "%set_env"])
def test_setting_a_variable_does_not_echo_the_value(kernel, magic):
    ran = kernel.run(f"{magic} MISTRAL_API_KEY={KEY}")
    assert ran.text == f"env: MISTRAL_API_KEY={MARKER}\n"
    assert kernel.run("print(os.environ['MISTRAL_API_KEY'] == K)").text == "True\n"


@pytest.mark.slow
def test_the_marker_is_not_written_back_into_a_widget(recorder):
    kernel = recorder.kernel
    kernel.run("import ipywidgets; field = ipywidgets.Text(value=K, description='plain'); field")
    comm = kernel.run("print(field.comm.comm_id)").text.strip()

    def edit(**state: str) -> None:
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = recorder.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        recorder.client.shell_channel.send(message)
        recorder.drain()

    recorder.frames = []
    edit(value=f"{MARKER} edited", description="changed")
    assert kernel.run("print(field.value == K, field.description)").text == "True changed\n"
    assert b"was ignored" in b"".join(recorder.frames)
    edit(value="another text")
    assert kernel.run("print(field.value)").text == "another text\n"
    edit(description=f"{MARKER} in what was never redacted")
    assert MARKER in kernel.run("print(field.description)").text


@pytest.mark.slow
def test_status_and_doctor_say_that_the_kernel_is_guarded(kernel):
    assert "this kernel  guarded" in kernel.run("%mistral_key status").shown
    assert "this kernel" in kernel.run("%mistral_key doctor").shown


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [True, False])
def test_the_debuggers_copy_of_a_cell_contains_the_marker(tmp_path, guarded):
    typed, arguments = make_text(), {"adapterID": "x"}
    with recorded_kernel(tmp_path, KEY, guarded=guarded) as recorder:
        recorder.request(
            "control", "debug_request", {"type": "request", "seq": 1, "command": "initialize", "arguments": arguments}
        )
        code = f"one = '{KEY}'\nmistral_key = '{typed}'\n__import__('sys')._getframe().f_code.co_filename"
        asked = {"type": "request", "seq": 2, "command": "dumpCell", "arguments": {"code": code}}
        reply = recorder.request("control", "debug_request", asked)
        file = Path(reply["content"]["body"]["sourcePath"])
        data = file.read_text()
        assert [key in data for key in (KEY, typed)] == [not guarded] * 2
        assert data.count("\n") == 2
        assert recorder.kernel.run(code).results[-1]["text/plain"] == f"'{file}'"  # as breakpoints need it
