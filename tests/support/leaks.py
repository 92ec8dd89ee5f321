"""Ways in which a cell can leak a key to a front end, and the search for what came through."""

# ruff: noqa: E501, a cell's code is a line of its own

import base64
import json
import re
import string
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

_URL_SAFE = str.maketrans("+/", "-_")
_DIGITS = string.ascii_letters + string.digits + "+/-_=%"


def forms(key: str) -> list[str]:
    """The whole key plain, in hex and percent form, and the base64 digits that all of it decides."""
    data = key.encode()
    percent = ["".join(f"%{byte:02{case}}" for byte in data) for case in "xX"]
    drop = (0, 2, 3)
    sixtyfour = [base64.b64encode(bytes(n) + data).decode()[drop[n] : (n + len(data)) * 8 // 6] for n in range(3)]
    return [quote(key), data.hex(), data.hex().upper(), *percent, *sixtyfour]


def longest_run(text: str, key: str) -> int:
    """How many consecutive characters of the key stand in the text at most."""
    best = 0
    for start in range(len(key)):
        while start + best + 1 <= len(key) and key[start : start + best + 1] in text:
            best += 1
    return best


# What is not seen between two letters. A page shows the codes of terminals and a terminal shows tags, so each is left out
# of some views alone.
_CODES = r"(?:\x1b|\\+u001b|\\+x1b)\[[0-9;]*m"
_TAGS = r"<(?!/?[tT][dDhHrR][\s>/])[^<>]*>"
_UNSEEN = (
    r"&(?:shy|ZeroWidthSpace|#8203|#x200B);|[\u00ad\u061c\u180e\u200b-\u200d\u2060\u206f\ufeff]"
    r"|\0|\\+u(?:0000|00ad|061c|180e|200[b-d]|206[0f]|feff)|\\+x(?:00|ad)"
)
_VIEWS = [
    re.compile("|".join(parts))
    for parts in ((_CODES, _TAGS, _UNSEEN), (_CODES, _UNSEEN), (_TAGS, _UNSEEN), (_CODES,), (_TAGS,), (_UNSEEN,))
]
_LINE_BREAK = re.compile(r"'?(?:\\+[rn]|[\r\n])+(?: b')?")
_SEPARATORS = [
    re.compile(rf"(?<=[0-9a-fA-F]{{2}}){separator}(?=[0-9a-fA-F]{{2}})")
    for separator in (" ", ":", "_", r"\.", ",", "-", ", 0x", r"\\+x")
]


def shown_of(text: str, key: str) -> str:
    """How much of the key a text shows: "" if no 15 characters in a row and no encoded form of the whole."""
    decoded = re.sub(r"&#(\d\d+);", _decode_letter, text)
    views = [text, *dict.fromkeys(view.sub("", each) for view in _VIEWS for each in (text, decoded))]
    plain, *encoded = forms(key)
    encoded += [form.translate(_URL_SAFE) for form in encoded]
    for view in views:
        if longest_run(view, key) >= min(15, len(key)):
            return "the key" if plain in view else "a part of the key"
        readable = (view, _LINE_BREAK.sub("", view))
        if any(form in each for each in readable for form in encoded):
            return "an encoded form"
    separated = (separator.sub("", text) for separator in _SEPARATORS)
    return "an encoded form" if any(form in each for each in separated for form in encoded) else ""


def _decode_letter(match: re.Match[str]) -> str:
    code = int(match[1])
    return chr(code) if code < 128 and chr(code) in _DIGITS else match[0]


class Leak(NamedTuple):
    """One way to leak. ``code`` runs as a cell; then ``requests`` go out, as a front end sends them.

    ``K`` is the key in a cell, ``{K}`` in ``code`` is its text typed by a person. ``wait``: seconds in
    which messages still come after the cell. ``extra``: what ``execute_request`` carries besides.
    """

    group: str
    name: str
    code: str = ""
    requests: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    wait: float = 0
    extra: Mapping[str, Any] = MappingProxyType({})
    subshell: bool = False


PRELUDE = """
import asyncio, base64, ctypes, json, logging, multiprocessing, os, pprint, subprocess, sys, textwrap, threading, time, warnings
from urllib.parse import quote
import ipywidgets as w
from comm import create_comm
from IPython.display import *
K = os.environ["MISTRAL_API_KEY"]
ip = get_ipython()
S, IO, P = ip.kernel.session, ip.kernel.iopub_socket, ip.kernel.get_parent()
def pieces(size): return [K[n:n + size] for n in range(0, len(K), size)]
class Shown:
    def __init__(self, **reprs): self.reprs = reprs
    def __repr__(self): return self.reprs.get("plain", "shown")
    def _repr_mimebundle_(self, **_): return {name.replace("_", "/", 1): v for name, v in self.reprs.items() if name != "plain"}
class Doc: pass
Doc.__doc__ = "the key is " + K
def fork(f):
    pid = os.fork()
    if not pid:
        try: f(); sys.stdout.flush(); sys.stderr.flush()
        finally: os._exit(0)
    os.waitpid(pid, 0)
def png():
    import struct, zlib
    def part(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    dot = part(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + part(b"IDAT", zlib.compress(b"\\0\\0")) + part(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + part(b"tEXt", b"Comment\\0" + K.encode()) + dot
"""


def _rows(group: str, /, **codes: str) -> list[Leak]:
    return [Leak(group, name, code) for name, code in codes.items()]


def _request(name: str, channel: str, kind: str, before: str = "", **content: Any) -> Leak:
    return Leak("request", name, before, ((channel, kind, content),))


_DEBUG = (
    (
        "control",
        "debug_request",
        {"type": "request", "seq": 1, "command": "initialize", "arguments": {"adapterID": "x"}},
    ),
    ("control", "debug_request", {"type": "request", "seq": 2, "command": "attach", "arguments": {}}),
)


def _debug(name: str, command: str, **arguments: Any) -> Leak:
    last = ("control", "debug_request", {"type": "request", "seq": 3, "command": command, "arguments": arguments})
    return Leak("debug", name, "secret_value = K", (*_DEBUG, last), wait=0.3)


LEAKS: list[Leak] = [
    *_rows(
        "stream",
        print="print(K)",
        print_to_stderr="print(K, file=sys.stderr)",
        write="sys.stdout.write('key ' + K); None",
        writelines="sys.stdout.writelines(['a', K, 'b'])",
        unterminated="print(K, end='')",
        in_many_lines="print('\\n'.join(f'{n} {K}' for n in range(20_000)))",
        logging="logging.getLogger('x').warning('with %s', K)",
        warning="warnings.warn('with ' + K)",
        pretty="pprint.pprint({'api_key': K})",
        thread="t = threading.Thread(target=print, args=(K,)); t.start(); t.join()",
        task="async def f(): print(K)\nawait asyncio.create_task(f())",
        redirected="import contextlib\nwith contextlib.redirect_stdout(sys.stderr): print(K)",
        carriage_return="print('...', K, end='\\r')",
        after_an_escape="print('\\x1b[31m' + K + '\\x1b[0m')",
        traceback_module="import traceback\ntry: raise ValueError(K)\nexcept ValueError: traceback.print_exc()",
    ),
    Leak("stream", "after the cell's end", "threading.Timer(0.2, print, (K,)).start()", wait=1.0),
    *_rows(
        "result",
        text="K",
        list="[K, 1]",
        environment="os.environ",
        as_bytes="K.encode()",
        dict_key="{K: 1}",
        representation="Shown(plain='<client ' + K + '>')",
        html="Shown(text_html='<b>' + K + '</b>')",
        as_json="Shown(application_json={'a': [{'b': K}]})",
        json_key="Shown(application_json={K: 1})",
        own_type="Shown(**{'application_x-own+json': {'key': K}})",
        an_error="ValueError(K)",
        partial="import functools; functools.partial(print, K)",
    ),
    *_rows(
        "display",
        text="display(K)",
        html="display(HTML(f'<a href=\"?key={K}\">x</a>'))",
        markdown="display(Markdown(f'`{K}`'))",
        javascript="display(Javascript(f'var k = \"{K}\"'))",
        json="display(JSON({'key': K}))",
        svg="display(SVG(f'<svg xmlns=\"http://www.w3.org/2000/svg\"><text>{K}</text></svg>'))",
        latex="display(Latex(K))",
        update="h = display('x', display_id=True); h.update(K)",
        metadata="display({'text/plain': 'x'}, raw=True, metadata={'note': K})",
        transient="publish_display_data({'text/plain': 'x'}, transient={'note': K})",
        display_id="display('x', display_id=K)",
        raw="display({'text/plain': K, 'application/x+json': {'k': [K]}}, raw=True)",
        nested_json="display({'application/vnd.x+json': {'spec': json.dumps({'k': json.dumps(['\\n' + K])})}}, raw=True)",
        after_clear="print('x'); clear_output(); display(K)",
    ),
    *_rows(
        "error",
        value="raise ValueError(K)",
        key_error="{}[K]",
        assertion="assert not K, K",
        cause="try: raise ValueError(K)\nexcept ValueError as e: raise RuntimeError('x') from e",
        context="try: raise ValueError(K)\nexcept ValueError: 1/0",
        group="raise ExceptionGroup('many', [ValueError(K)])",
        note="e = ValueError('x'); e.add_note(K); raise e",
        typed="raise ValueError('{K}')",
        syntax="x = '{K}' +",
        name="raise type('E' + K, (Exception,), {})('x')",
        file_name="exec(compile('1/0', K, 'exec'))",
        exit="raise SystemExit(K)",
        own_traceback="class E(Exception):\n  def _render_traceback_(self): return ['own ' + K]\nraise E",
        verbose="%xmode Verbose\ndef f(secret): 1/0\nf(K)",
        plain="%xmode Plain\nraise ValueError(K)",
        minimal="%xmode Minimal\nraise ValueError(K)",
        in_a_thread="%xmode Context\ndef f(): raise ValueError(K)\nt = threading.Thread(target=f); t.start(); t.join()",
        in_a_task="async def f(): raise ValueError(K)\nawait asyncio.create_task(f())",
    ),
    *_rows(
        "split",
        by_character="for c in K: print(c, end='', flush=True)",
        in_halves="print(K[:16], end='', flush=True); print(K[16:])",
        in_tens="for n in range(0, 32, 10): print(K[n:n+10], end='', flush=True)",
        slowly="for n in range(0, 32, 8): print(K[n:n+8], end='', flush=True); time.sleep(0.3)",
        between_errors="for n in range(0, 32, 8): print(K[n:n+8], end='', flush=True); print('x', file=sys.stderr, flush=True)",
        between_displays="for n in range(0, 32, 8): print(K[n:n+8], end='', flush=True); display('x')",
        by_the_session="for t in (K[:16], K[16:]): S.send(IO, 'stream', {'name': 'stdout', 'text': t}, parent=ip.kernel.get_parent())",
        by_threads=(
            "for n in range(0, 32, 8):\n  t = threading.Thread(target=lambda: print(K[n:n+8], end='', flush=True))\n"
            "  t.start(); t.join()"
        ),
        encoded="for c in K.encode().hex(): print(c, end='', flush=True)",
    ),
    Leak("shell", "a user expression", "1", extra={"user_expressions": {"a": "K"}}),
    Leak("shell", "a user expression that fails", "1", extra={"user_expressions": {"a": "{}[K]"}}),
    *_rows(
        "shell",
        pager="from IPython.core import page; page.page('see ' + K)",
        next_input="ip.set_next_input('x = ' + K)",
        documentation="Doc?",
        own_payload="ip.payload_manager.write_payload({'source': 'page', 'data': {'text/plain': K}, 'start': 0})",
        error_reply="import builtins; raise builtins.OSError(5, K, K)",
    ),
    *_rows(
        "fd",
        one="os.write(1, K.encode() + b'\\n'); time.sleep(0.3)",
        two="os.write(2, K.encode() + b'\\n'); time.sleep(0.3)",
        original_stdout="sys.__stdout__.write(K + '\\n'); sys.__stdout__.flush(); time.sleep(0.3)",
        c_library="libc = ctypes.CDLL(None); libc.puts(K.encode()); libc.fflush(None); time.sleep(0.3)",
    ),
    *_rows(
        "process",
        echo="!echo $MISTRAL_API_KEY",
        captured="!!echo $MISTRAL_API_KEY",
        assigned="x = !echo $MISTRAL_API_KEY\nx",
        bash="%%bash\necho $MISTRAL_API_KEY >&2",
        script="%%script python3\nimport os; print(os.environ['MISTRAL_API_KEY'])",
        inherited="subprocess.run('echo $MISTRAL_API_KEY', shell=True); time.sleep(0.3)",
        system="os.system('echo $MISTRAL_API_KEY'); time.sleep(0.3)",
        popen="print(os.popen('env').read())",
        forked="fork(lambda: print(K))",
        forked_display="fork(lambda: (print('x', flush=True), display(K)))",
        multiprocessing="p = multiprocessing.get_context('fork').Process(target=print, args=(K,)); p.start(); p.join(); time.sleep(0.1)",
    ),
    _request("completion of a dict's key", "shell", "complete_request", "d = {K: 1}", code="d['", cursor_pos=3),
    _request(
        "completion of a name",
        "shell",
        "complete_request",
        "ip.Completer.use_jedi = False; globals()['zq' + K] = 1",
        code="zq",
        cursor_pos=2,
    ),
    _request("inspection", "shell", "inspect_request", code="Doc", cursor_pos=3, detail_level=0),
    _request("inspection of a value", "shell", "inspect_request", code="K", cursor_pos=1, detail_level=1),
    _request(
        "history's tail",
        "shell",
        "history_request",
        "typed = '{K}'",
        hist_access_type="tail",
        n=5,
        raw=True,
        output=False,
    ),
    _request(
        "history's range",
        "shell",
        "history_request",
        "typed = '{K}' # again",
        hist_access_type="range",
        session=0,
        start=1,
        stop=500,
        raw=False,
        output=True,
    ),
    _request("comms that are open", "shell", "comm_info_request", "create_comm(target_name=K)", target_name=None),
    Leak("request", "a prompt", "input(K)"),
    Leak("request", "a masked prompt", "import getpass; getpass.getpass('key ' + K + '? ')"),
    *_rows(
        "magic",
        environment="%env MISTRAL_API_KEY",
        setting="%env MISTRAL_API_KEY={K}",
        setting_again="%set_env MISTRAL_API_KEY={K}",
        history="typed = '{K}'\n%history -n 1-500",
        whos="%whos",
        source="%pinfo2 Doc",
        time="%time print(K)",
        captured="from IPython.utils.capture import capture_output\nwith capture_output() as c: print(K)\nc.show()",
        file="open('f.txt', 'w').write(K)\n%cat f.txt",
        pager="%less f.txt",
        loaded="%load f.txt",
        macro="%macro -r m 1-500\nprint(m)",
    ),
    *_rows(
        "comm",
        opened="c = create_comm(target_name='x', data={'k': K})",
        sent="c = create_comm(target_name='x'); c.send({'k': {'deep': [K]}})",
        closed="c = create_comm(target_name='x'); c.close({'k': K})",
        metadata="c = create_comm(target_name='x'); c.send({}, metadata={'k': K})",
        own_id="create_comm(target_name='x', comm_id=K)",
        buffer="c = create_comm(target_name='x'); c.send({}, buffers=[b'ab' + K.encode()])",
        buffer_view="c = create_comm(target_name='x'); c.send({}, buffers=[memoryview(bytearray(K.encode()))])",
        wide_buffer="c = create_comm(target_name='x'); c.send({}, buffers=[K.encode('utf-32-le')])",
        widget="t = w.Text(K); t",
        widget_update="t = w.Text('x'); t.value = K",
        widget_binary="i = w.Image(value=b'x'); i.value = b'GIF89a' + K.encode()",
        widget_output="o = w.Output()\nwith o: print(K)\no",
        message_of_any_type="S.send(IO, 'own_type', {'k': K}, parent=P)",
        raw_message="S.send_raw(IO.io_thread, [S.pack(S.msg_header('own')), b'{}', b'{}', S.pack({'k': K})])",
        topic="S.send(IO, 'own_type', {}, parent=P, ident=K.encode())",
    ),
    *_rows(
        "encoded",
        base64="print(base64.b64encode(K.encode()).decode())",
        base64_after_one="print(base64.b64encode(b'a' + K.encode()).decode())",
        base64_after_two="base64.b64encode(b'ab' + K.encode() + b'c')",
        basic_header="{'Authorization': 'Basic ' + base64.b64encode(b'user:' + K.encode()).decode()}",
        hex="K.encode().hex()",
        upper_hex="print(K.encode().hex().upper())",
        percent="''.join(f'%{byte:02X}' for byte in K.encode())",
        inside_an_image="display(Image(png()))",
        part="K[3:20]",
        wrapped="import textwrap; print(textwrap.fill('Bearer ' + K, 24, break_long_words=True))",
    ),
    *_rows(
        "in lines",
        of_76="print(base64.encodebytes(b'-' * 40 + K.encode()).decode())",
        of_64="print('\\n'.join(textwrap.wrap(base64.b64encode(b'-' * 41 + K.encode() + b'-' * 99).decode(), 64)))",
        as_bytes="base64.encodebytes(b'-' * 42 + K.encode())",
        as_json="print(json.dumps({'data': base64.encodebytes(b'-' * 40 + K.encode()).decode()}))",
        in_an_email="from email.mime.application import MIMEApplication\nprint(MIMEApplication(b'-' * 40 + K.encode()))",
        with_crlf="display({'text/plain': base64.encodebytes(b'-' * 40 + K.encode()).decode().replace('\\n', '\\r\\n')}, raw=True)",
        pretty="pprint.pprint(base64.b64encode(b'-' * 51 + K.encode() + b'-' * 70))",
        an_image="display({'image/png': base64.encodebytes(png()).decode()}, raw=True)",
        printed_one_by_one="for line in base64.encodebytes(b'-' * 40 + K.encode()).splitlines(): print(line.decode(), flush=True)",
        printed_slowly="for line in base64.encodebytes(b'-' * 40 + K.encode()).splitlines(): print(line.decode(), flush=True); time.sleep(0.3)",
        by_character="for c in base64.encodebytes(b'-' * 40 + K.encode()).decode(): print(c, end='', flush=True)",
        in_an_error="raise ValueError(base64.encodebytes(b'-' * 40 + K.encode()))",
        in_a_widget="w.Textarea(base64.encodebytes(b'-' * 40 + K.encode()).decode())",
        in_a_comm="c = create_comm(target_name='x'); c.send({'k': base64.encodebytes(b'-' * 40 + K.encode()).decode()})",
    ),
    *_rows(
        "separated hex",
        space="K.encode().hex(' ')",
        colon="print(K.encode().hex(':'))",
        dash="print(K.encode().hex('-').upper())",
        comma="display(HTML(K.encode().hex(',')))",
        escapes="print(''.join(f'\\\\x{byte:02x}' for byte in K.encode()))",
        escapes_in_a_repr="''.join(f'\\\\x{byte:02x}' for byte in K.encode())",
        literals="print(', '.join(f'0x{byte:02x}' for byte in K.encode()))",
        by_character="for c in K.encode().hex(' '): print(c, end='', flush=True)",
        in_a_widget="w.Text(K.encode().hex(':'))",
        in_an_error="raise ValueError(K.encode().hex(' '))",
    ),
    *_rows(
        "split",
        by_word_breaks="display(HTML('<wbr>'.join(pieces(5))))",
        by_tags="display(HTML(''.join(f'<span style=\"color: red\">{p}</span>' for p in pieces(7))))",
        by_a_tag_each="display(HTML(''.join(f'<i>{p}</i>' for p in K)))",
        by_entities="display(HTML('&shy;'.join(pieces(9)) + '&#8203;'.join(pieces(3))))",
        by_coded_letters="display(HTML(''.join(f'&#{ord(c)};' if n % 9 == 8 else c for n, c in enumerate(K))))",
        by_zero_width="display({'text/plain': '\\u200b'.join(pieces(4))}, raw=True)",
        by_zero_width_in_a_repr="'\\u200b'.join(pieces(4))",
        by_soft_hyphens="display(Markdown('\\u00ad'.join(pieces(8))))",
        by_joiners="print('\\u2060'.join(pieces(3)) + '\\ufeff'.join(pieces(10)))",
        by_colours="print(''.join(f'\\x1b[3{n % 8}m{p}\\x1b[0m' for n, p in enumerate(pieces(6))))",
        by_colours_in_json="print(json.dumps('\\x1b[1;31m'.join(pieces(6))))",
        by_colours_in_a_repr="'\\x1b[1;31m'.join(pieces(6))",
        by_colours_each="for c in K: print(f'\\x1b[38;5;208m{c}\\x1b[0m', end='', flush=True)",
        by_colours_in_pieces="for c in '\\x1b[31m'.join(pieces(6)): print(c, end='', flush=True)",
        by_word_breaks_in_messages="for p in pieces(6): print(p + '<wbr>', end='', flush=True)",
        by_colours_in_an_error="raise ValueError('\\x1b[31m'.join(pieces(6)))",
        by_zero_width_in_an_error="raise ValueError('\\u200b'.join(pieces(6)))",
        by_word_breaks_in_a_widget="w.HTML('<wbr>'.join(pieces(6)))",
        by_zero_width_in_a_widget="t = w.Text('x'); t.value = '\\u200b'.join(pieces(6))",
        by_zero_width_in_a_comm="c = create_comm(target_name='x'); c.send({'k': ['\\u200b'.join(pieces(6))]})",
        by_colours_in_a_display="display({'text/plain': '\\x1b[31m'.join(pieces(6))}, raw=True)",
    ),
    Leak("subshell", "stream", "print(K)", subshell=True),
    Leak("subshell", "result", "K", subshell=True),
    Leak("subshell", "error", "raise ValueError(K)", subshell=True),
    _debug("evaluated", "evaluate", expression="'=' + __import__('os').environ['MISTRAL_API_KEY']"),
    _debug("variables", "inspectVariables"),
    _debug("rich", "richInspectVariables", variableName="secret_value"),
    Leak(
        "own session",
        "a Session made by the cell",
        "from jupyter_client.session import Session\n"
        "Session(key=S.key, session=S.session).send(IO.io_thread, 'own_type', {'k': K}, parent=P)",
        wait=0.2,
    ),
]
PASSES = {"own session"}  # what the guard, which wraps the kernel's Session, does not see


def found(frames: Sequence[bytes], key: str) -> str:
    """What of the key the frames of some messages hold: the whole, an encoded form, or 15 characters."""
    streams: dict[str, str] = {}
    for frame in frames:
        plain = frame.replace(b"\0", b"").decode("latin-1")
        readable = frame.replace(b"\0", b"").decode("utf-8", "replace")
        what = shown_of(plain, key) or shown_of(readable, key)
        if what:
            return f"{what} in a frame"
        if plain.startswith('{"name":') and '"text":' in plain[:40]:
            content = json.loads(frame)
            streams[content["name"]] = streams.get(content["name"], "") + content["text"]
    for name, text in streams.items():
        if shown_of(text, key):
            return f"{shown_of(text, key)} in {name}, joined"
    return ""
