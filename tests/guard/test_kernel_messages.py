"""Messages that no kernel sends by itself: unusual shapes and buffers, and what can't be searched or packed."""

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.guard.kernel_messages import UNSEARCHED_TEXT
from support.keys import make_text
from support.leaks import found
from support.patience import PATIENCE
from support.recorder import BREAK, recorded_kernel

KEY = make_text()
FAILURES = (
    "from mistral_nb.guard.lifecycle import _guards; "
    "print('failures', sum(g.session.failures for g in _guards.values()))"
)
STREAM = "S.send(IO, 'stream', {{'name': 'stdout', 'text': {text}{more}}}, parent=P{options})"


def stream(text: str, more: str = "", options: str = "") -> str:
    return STREAM.format(text=text, more=more, options=options)


ODD = {
    "another field of a stream": stream("'x'", ", 'note': K"),
    "a stream's name": "S.send(IO, 'stream', {'name': K, 'text': 'x'}, parent=P)",
    "a stream with buffers": stream("K", options=", buffers=[b'x']"),
    "buffers of a stream": stream("'x'", options=", buffers=[b'x' + K.encode()]"),
    "a stream with buffers, in pieces": (
        f"{stream('K[:11]', options=', buffers=[b chr(120)]')}\n{stream('K[11:22]', options=', buffers=[b chr(120)]')}"
    ).replace("b chr(120)", "b'x'"),
    "a stream with another field, in pieces": f"{stream('K[:11]', ', 1: 2')}\n{stream('K[11:22]', ', 1: 2')}",
    "a stream that is packed already": "S.send(IO, 'stream', S.pack({'name': 'stdout', 'text': K}), parent=P)",
    "a reload in between": "print(K[:11], end='', flush=True)\n%reload_ext mistral_nb\nprint(K[11:22], flush=True)",
}


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory):
    with recorded_kernel(tmp_path_factory.mktemp("unguarded"), KEY, guarded=False) as running:
        running.kernel.run("%load_ext mistral_nb\n%unload_ext mistral_nb")
        yield running


def frames_of(recorder, code):
    recorder.drain()
    recorder.frames = []
    recorder.client.execute(f"P = ip.kernel.get_parent()\n{code}")
    assert recorder.client.get_shell_msg(timeout=10 * PATIENCE)["content"]["status"] == "ok"
    recorder.drain(0.5)
    return recorder.frames


@pytest.mark.parametrize("code", ODD.values(), ids=ODD.keys())
def test_no_unusual_message_contains_the_key(recorder, code):
    before = recorder.kernel.run(FAILURES).text
    assert not found(frames_of(recorder, code), KEY)
    assert recorder.kernel.run(FAILURES).text in (before, "failures 0\n")  # a reload counts anew


@pytest.mark.slow_except("a stream's name")
@pytest.mark.parametrize("code", ODD.values(), ids=ODD.keys())
def test_without_the_guard_the_same_search_finds_it(unguarded, code):
    code = code.replace("%reload_ext mistral_nb", "")
    assert found(frames_of(unguarded, code), KEY)


REFUSED = {
    "content": "S.send(IO, 'own', {'k': object()}, parent=P)",
    "a stream's metadata": stream("K", options=", metadata={'k': object()}"),
    "a stream's text": stream("object()"),
    "a buffer that is in pieces": "S.send(IO, 'own', {}, parent=P, buffers=[memoryview(K.encode() * 2)[::2]])",
}


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED.keys())
def test_what_the_kernel_refuses_is_no_failure_of_the_guard(recorder, code):
    before = recorder.kernel.run(FAILURES).text
    recorder.frames = []
    code = f"P = ip.kernel.get_parent()\ntry: {code}\nexcept (TypeError, ValueError) as e: print('refused')"
    recorder.kernel.run(code)
    assert not found(recorder.frames, KEY)
    assert recorder.kernel.run(FAILURES).text == before
    assert recorder.kernel.run("print('on', K)").text == f"on {MARKER}\n"


@pytest.mark.slow
def test_a_raw_message_is_withheld_when_the_guard_fails(recorder):
    kernel = recorder.kernel
    kernel.run(BREAK)
    recorder.frames = []
    raw = "S.send_raw(IO.io_thread, [S.pack(S.msg_header('own')), b'{}', b'{}', S.pack({'k': K}), K.encode()])"
    broken = "S.send_raw(IO.io_thread, [K.encode(), b'{}', b'{}', b'{}'])"
    assert kernel.run(f"{raw}\n{broken}").status == "ok"
    recorder.drain(0.3)
    kernel.run("del PROCESS_SECRETS.matcher")
    joined = b"".join(recorder.frames)
    assert not found(recorder.frames, KEY)
    assert UNSEARCHED_TEXT.encode() in joined
    assert b'"own"' in joined
    assert kernel.run("print('back', K)").text == f"back {MARKER}\n"
