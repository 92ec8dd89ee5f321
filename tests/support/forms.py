"""The forms in which a key can stand in a text, the places in a notebook, and the styles of a file."""

import base64
import json
import random
import textwrap
from collections.abc import Callable
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.storage.index import RememberedKey
from mistral_nb.watchlist import Watchlist
from support.keys import make_key

Form = Callable[[str], str]


def _base64_after(prefix: bytes, encode: Callable[[bytes], bytes], after: bytes = b"") -> Form:
    return lambda key: f"data = {encode(prefix + key.encode() + after).decode()}"


def _framed(key: str, width: int) -> str:
    rows = [f"│ {line:<{width}} │" for line in textwrap.wrap(key, width)]
    return "\n".join(["╭" + "─" * (width + 2) + "╮", *rows, "╰" + "─" * (width + 2) + "╯"])


def _table_row(key: str) -> str:
    first, *others = textwrap.wrap(key, 9)
    return "\n".join([f"┃ name ┃ {first} ┃", *(f"┃      ┃ {line:<9} ┃" for line in others)])


def _coloured(key: str) -> str:
    return "".join(f"\x1b[1;3{number % 8}m{c}\x1b[0m" for number, c in enumerate(key))


FORMS: dict[str, Form] = {
    "plain": lambda key: f"key = '{key}'",
    "alone": lambda key: key,
    "glued": lambda key: f"abc{key}xyz9",
    "twice": lambda key: key + key,
    "in a long run": lambda key: "a1B2" * 100 + key + "Z9y8" * 100,
    "after an escape": lambda key: f"\n{key}\n\t{key}\t",
    "base64": _base64_after(b"", base64.b64encode),
    "base64, one on": _base64_after(b"a", base64.b64encode),
    "base64, two on": _base64_after(b"ab", base64.b64encode, b"yz"),
    "base64, in a header": _base64_after(b"Authorization: Bearer ", base64.b64encode, b"\n"),
    "base64, bytes around": _base64_after(b"\xff\xfe", base64.b64encode, b"\xff\xff\xff"),
    "base64, url-safe": _base64_after(b"\xff\xfe\xfd", base64.urlsafe_b64encode, b"\xff\xff"),
    "base64, wrapped": lambda key: base64.encodebytes(b"-" * 40 + key.encode() + b"-" * 40).decode(),
    "hex": lambda key: key.encode().hex(),
    "hex, upper case": lambda key: key.encode().hex().upper(),
    "hex, in a dump": lambda key: "0" + b"ab".hex() + key.encode().hex() + "ff",
    "percent": lambda key: "?k=" + "".join(f"%{ord(c):02X}" for c in key) + "&x=1",
    "percent, some": lambda key: "?k=" + "".join(f"%{ord(c):02x}" if c in "aeiouAEIOU13579" else c for c in key),
    "ANSI around": lambda key: f"\x1b[31m{key}\x1b[0m",
    "ANSI inside": lambda key: f"{key[:11]}\x1b[0m\x1b[33m{key[11:]}",
    "ANSI at each": _coloured,
    "ANSI link": lambda key: f"\x1b]8;;http://x.y\x1b\\{key[:20]}\x1b]8;;\x1b\\{key[20:]}",
    "ANSI link, then a colour": lambda key: f"\x1b]8;;http://x.y\x1b\\\x1b[1m{key[:20]}\x1b]8;;\x1b\\\x1b[0m{key[20:]}",
    "ANSI, 256 colours": lambda key: f"{key[:3]}\x1b[38;5;208m{key[3:]}\x1b[39m",
    "ANSI, cut short before it": lambda key: f"\x1b[0888  '{key}",
    "after a backslash": lambda key: f"C:\\{key} \\\\n{key} \\r{key}",
    "HTML tags": lambda key: f'<span style="color: red">{key[:13]}</span><b class="x">{key[13:]}</b>',
    "HTML tag at each": lambda key: "".join(f"<i>{c}</i>" for c in key),
    "HTML word breaks": lambda key: f"{key[:16]}<wbr>{key[16:]}",
    "HTML soft hyphen": lambda key: f"{key[:16]}&shy;{key[16:]}",
    "HTML attribute": lambda key: f'<a href="https://x.y/?k={key}">x</a>',
    "HTML, wrapped": lambda key: f"<pre><b>{key[:18]}</b>\n<b>{key[18:]}</b></pre>",
    "HTML, coloured frames": lambda key: _framed(key, 12).replace("│", '<span class="f">│</span>'),
    "HTML, escaped brackets": lambda key: f"\\u003cb\\u003e{key[:13]}\\u003c/b\\u003e{key[13:]}",
    "HTML, loose brackets": lambda key: f"if a < b: {key[:9]}<b>{key[9:20]}</b>{key[20:]} < c > d",
    "zero width": "\u200b".join,
    "soft hyphen": lambda key: f"{key[:9]}\u00ad{key[9:]}",
    "word joiner": lambda key: f"{key[:9]}\u2060{key[9:20]}\ufeff{key[20:]}",
    "wrapped": lambda key: f"the key is {key[:14]}\n{key[14:]} and so on",
    "wrapped, CRLF": lambda key: f"the key is {key[:14]}\r\n{key[14:]} and so on",
    "wrapped, indented": lambda key: f"the key is {key[:14]}\n        {key[14:]} and so on",
    "wrapped, padded": lambda key: f"the key is {key[:14]}   \n   {key[14:]}   \n",
    "wrapped at 10": lambda key: "\n".join(textwrap.wrap(key, 10)),
    "wrapped at 1": "\n".join,
    "framed": lambda key: _framed(key, 20),
    "framed, narrow": lambda key: _framed(key, 7),
    "framed, coloured": lambda key: _framed(key, 12).replace("│", "\x1b[32m│\x1b[0m"),
    "framed, ASCII": lambda key: _framed(key, 12).replace("│", "|").replace("─", "-"),
    "in a table": _table_row,
    "JSON in JSON": lambda key: json.dumps({"headers": {"key": key}}),
    "JSON in JSON in JSON": lambda key: json.dumps(json.dumps({"text": f"\n{key}\n"})),
    "JSON in JSON, wrapped": lambda key: json.dumps({"text": f"{key[:14]}\n{key[14:]}"}),
    "escaped letters": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "escaped, some": lambda key: "".join(f"\\u{ord(c):04X}" if c.isupper() else c for c in key),
}


def notebook(*outputs: dict[str, Any], source: Any = "1", **metadata: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": list(outputs)}
    first = {"cell_type": "markdown", "metadata": {}, "source": ["# A title\n", "and some text"]}
    cells = [first, cell | {"source": source}]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def stream(text: Any, name: str = "stdout") -> dict[str, Any]:
    return {"name": name, "output_type": "stream", "text": text}


def display(mime: str, value: Any, **metadata: Any) -> dict[str, Any]:
    return {"data": {mime: value}, "metadata": metadata, "output_type": "display_data"}


def _widgets(text: str) -> dict[str, Any]:
    state = {"abc": {"model_module": "@jupyter-widgets/controls", "state": {"value": text}}}
    return {"application/vnd.jupyter.widget-state+json": {"state": state, "version_major": 2}}


def _with_cell(cell: dict[str, Any]) -> dict[str, Any]:
    whole = notebook()
    whole["cells"].append(cell)
    return whole


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "source": lambda text: notebook(source=text),
    "source lines": lambda text: notebook(source=text.splitlines(True)),
    "stream": lambda text: notebook(stream(text)),
    "stream lines": lambda text: notebook(stream(text.splitlines(True), "stderr")),
    "text/plain": lambda text: notebook(display("text/plain", text.splitlines(True))),
    "text/html": lambda text: notebook(display("text/html", [text])),
    "image/svg+xml": lambda text: notebook(display("image/svg+xml", f"<svg>{text}</svg>")),
    "JSON value": lambda text: notebook(display("application/json", {"a": [1, {"b": text}]})),
    "JSON name": lambda text: notebook(display("application/json", {text: 1})),
    "traceback": lambda text: notebook(
        {"output_type": "error", "ename": "E", "evalue": text, "traceback": ["\x1b[31mE", text]}
    ),
    "cell metadata": lambda text: _with_cell({"cell_type": "raw", "metadata": {"tags": [text]}, "source": ""}),
    "output metadata": lambda text: notebook(display("text/plain", "x", isolated=text)),
    "papermill": lambda text: notebook(papermill={"parameters": {"api": text}}),
    "widget state": lambda text: notebook(widgets=_widgets(text)),
    "attachment": lambda text: _with_cell(
        {"cell_type": "markdown", "metadata": {}, "source": "", "attachments": {"a.txt": {"text/plain": text}}}
    ),
    "raw cell": lambda text: _with_cell({"cell_type": "raw", "metadata": {}, "source": text}),
    "worksheet": lambda text: {
        "worksheets": [{"cells": [{"cell_type": "code", "input": text, "outputs": []}]}],
        "metadata": {},
        "nbformat": 3,
    },
}

STYLES: dict[str, Callable[[Any], bytes]] = {
    "as Jupyter": lambda value: (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(),
    "ASCII": lambda value: json.dumps(value, indent=1).encode(),
    "sorted, 4 spaces": lambda value: json.dumps(value, indent=4, sort_keys=True).encode(),
    "one line": lambda value: json.dumps(value).encode(),
    "compact": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(),
    "CRLF": lambda value: json.dumps(value, indent=2).replace("\n", "\r\n").encode(),
    "tabs": lambda value: json.dumps(value, indent="\t", ensure_ascii=False).encode(),
    "BOM": lambda value: b"\xef\xbb\xbf" + json.dumps(value, indent=1).encode(),
    "UTF-16": lambda value: json.dumps(value, indent=1, ensure_ascii=False).encode("utf-16"),
    "UTF-16 without a mark": lambda value: json.dumps(value, indent=1).encode("utf-16-be"),
}


def rng_of(*names: str) -> random.Random:
    """The same keys in each run for the same row, so that a failure comes back."""
    return random.Random("/".join(names))


def seen(key: Key) -> RememberedKey:
    return RememberedKey(key.fingerprint, key.length, key.tail, "live", "2026-01-01")


def known(key: Key) -> Watchlist:
    return Watchlist(known=(key,))


def remembered(key: Key) -> Watchlist:
    rng = rng_of("others")
    return Watchlist(remembered=(*(seen(make_key(rng)) for _ in range(10)), seen(key)))


LEAKS = {
    "os.environ": "import os\nos.environ['MISTRAL_API_KEY'] = '{k}'\n",
    "%env": "%env MISTRAL_API_KEY={k}\n",
    "%env with a space": "%env MISTRAL_API_KEY {k}\n",
    "export": "!export MISTRAL_API_KEY={k}\n",
    "double quotes": 'from mistralai import Mistral\nclient = Mistral(api_key="{k}")\n',
    "no name at all": "from mistralai import Mistral\nprint('{k}')\n",
    "a bare output": "# mistral\n'{k}'",
    "header": "import mistralai\nheaders = {{'Authorization': 'Bearer {k}'}}\n",
    "JSON": '{{"mistral": {{"api_key": "{k}"}}}}',
    "YAML": "mistral_api_key: {k}\n",
    "codestral": "CODESTRAL_API_KEY='{k}'\n",
    "an SDK": "from langchain_mistralai import ChatMistralAI\nkey = '{k}'\n",
    "traceback": "LocalProtocolError: Illegal header value b'Bearer {k}\\n'\n",
    "coloured": "mistral \x1b[31m'{k}'\x1b[39m\n",
    "coloured, no quotes": "mistral \x1b[38;5;28m{k}\x1b[39m\n",
    "HTML": "<b>mistral</b><code>{k}</code>",
    "curl": "curl https://api.mistral.ai/v1/models -H 'Authorization: Bearer {k}'\n",
    "URL": "https://api.mistral.ai/v1/models?api_key={k}&x=1\n",
    "Markdown": "The **Mistral** key is `{k}`.\n",
    "line by itself": "mistral\n{k}\n",
    "a process's environment": "PATH=/bin\0MISTRAL_API_KEY={k}\0HOME=/root\0",
    "after a tab": "mistral\t{k}\t",
    "with a keep comment elsewhere": "# mistral-nb: keep\nMISTRAL_API_KEY = '{k}'\n",
}
