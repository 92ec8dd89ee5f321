"""The prefilter: it may send too much to the engine, but never too little."""

import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import Key
from mistral_nb.redaction.prefilter import Prefilter
from mistral_nb.redaction.redact import redact
from mistral_nb.storage.index import Index
from mistral_nb.watchlist import build_watchlist
from support.forms import FORMS
from support.git_repos import notebook
from support.keys import make_key
from support.profiles import examples

KEYS = [make_key(random.Random(number)) for number in range(3)]
WRITTEN: dict[str, Callable[[Any], str]] = {
    "as Jupyter writes": lambda document: json.dumps(document, indent=1, ensure_ascii=False) + "\n",
    "indented by 4": lambda document: json.dumps(document, indent=4),
    "indented by none": lambda document: json.dumps(document, indent=0),
    "compact": lambda document: json.dumps(document, separators=(",", ":")),
    "on one line": json.dumps,
    "CRLF": lambda document: json.dumps(document, indent=1).replace("\n", "\r\n"),
    "in another order": lambda document: json.dumps(_reversed(document), indent=1),
    "UTF-16": lambda document: json.dumps(document, indent=1).encode("utf-16").decode("latin-1"),
}


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("home")
    for key in KEYS:
        Index(str(folder)).remember(key)
    return str(folder)


def agrees(data: bytes, home: str) -> bool:
    """Whether the prefilter skips nothing that the engine rewrites. Also true when both do nothing."""
    watchlist = build_watchlist("/", environ={"MISTRAL_NB_HOME": home}, with_environment=False)
    return redact(data, watchlist, name="x.ipynb").data is data or not Prefilter(home).is_clean(data)


def documents(text: str) -> list[Any]:
    """The text as a source, as an output, split over list items, and over stream outputs."""
    base = json.loads(notebook("import something", "2"))
    lines = text.splitlines(keepends=True) or [""]
    result = []
    for source, streams, data in (
        (lines, [], None),
        (text, [], None),
        (["x"], [lines], None),
        (["x"], [[text[:9]], [text[9:]]], None),
        (["x"], [[c] for c in text[:200]], None),
        (["x"], [], {"text/html": lines, "text/plain": text, "image/png": "iVBORw0KGgo" + "A" * 50}),
    ):
        document = json.loads(json.dumps(base))
        cell = document["cells"][0]
        cell["source"] = source
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": stream} for stream in streams]
        if data:
            cell["outputs"].append({"data": data, "metadata": {}, "output_type": "display_data"})
        result.append(document)
    halves = ({"output_type": "stream", "stream": "stdout", "text": [half]} for half in (text[:9], text[9:]))
    cell = {"cell_type": "code", "input": ["x"], "language": "python", "outputs": list(halves)}
    result.append({"metadata": {}, "nbformat": 3, "worksheets": [{"cells": [cell], "metadata": {}}]})
    return result


@pytest.mark.slow_except("-as Jupyter writes]", "[plain-", "[JSON in JSON in JSON-")
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_remembered_key_gets_a_full_search(
    form: Callable[[str], str], written: Callable[[Any], str], home: str
) -> None:
    for document in documents(form(KEYS[1].reveal())):
        text = written(document)
        data = text.encode("latin-1") if written is WRITTEN["UTF-16"] else text.encode("utf-8", "surrogatepass")
        assert agrees(data, home)


def test_the_engine_finds_keys_in_the_test_notebooks(home: str) -> None:
    """The negative control: most of those notebooks hold a key that the engine finds."""
    watchlist = build_watchlist("/", environ={"MISTRAL_NB_HOME": home}, with_environment=False)
    texts = [WRITTEN["as Jupyter writes"](documents(form(KEYS[1].reveal()))[0]).encode() for form in FORMS.values()]
    assert sum(bool(redact(text, watchlist).findings) for text in texts) > 0.9 * len(texts)


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize(
    "gap", ["\n\t", "\t\n", "\\n\\t", "\\x1b[0m", "\\033[1m\n", "&lrm;", "&NoBreak;", "| \u200b\n", "\u009b31m"]
)
def test_whatever_interrupts_a_key_gets_a_full_search(gap: str, written: Callable[[Any], str], home: str) -> None:
    key = KEYS[1].reveal()
    for document in documents(f"{key[:1]}{gap}{key[1:16]}{gap}{key[16:30]}{gap}{key[30:]}"):
        assert agrees(written(document).encode("latin-1" if written is WRITTEN["UTF-16"] else "utf-8"), home)


@pytest.mark.slow_except("-as Jupyter writes]", "[n-")
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("letter", "nrtbf")
def test_a_key_after_a_backslash_may_begin_like_a_line_break(
    letter: str, written: Callable[[Any], str], tmp_path: Path
) -> None:
    key = Key(letter + make_key(random.Random(1)).reveal()[1:])
    Index(str(tmp_path)).remember(key)
    plain = key.reveal()
    for text in (f"C:\\{plain}", f"\\\\{plain}", f"{letter}\n{plain[1:]}", f"\\r{plain}", f"\\u001b[0m{plain}"):
        for document in documents(text):
            assert agrees(written(document).encode("latin-1", "surrogatepass"), str(tmp_path))


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_key_that_ends_behind_an_escaped_r_is_seen(written: Callable[[Any], str], tmp_path: Path) -> None:
    key = Key(make_key(random.Random(2)).reveal()[:31] + "n")
    Index(str(tmp_path)).remember(key)
    text = f"the key is {key.reveal()[:12]}\\n{key.reveal()[12:31]}\\r\\n\\rn and so on"
    for document in documents(text):
        assert agrees(written(document).encode("latin-1", "surrogatepass"), str(tmp_path))


@pytest.mark.parametrize(
    "outer", ["JSON in JSON", "JSON in JSON, wrapped", "JSON in JSON in JSON", "after a backslash"]
)
@pytest.mark.parametrize("form", [form for form in FORMS if form.startswith(("base64", "hex", "percent"))])
def test_an_encoded_key_in_json_in_json_gets_a_full_search(form: str, outer: str, home: str) -> None:
    text = FORMS[outer](FORMS[form](KEYS[0].reveal()))
    for document in documents(text):
        assert agrees(json.dumps(document, indent=1).encode(), home)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("word", ["mistralai", "Mistral", "MISTRAL_API_KEY", "codestral", "Illegal header value b''"])
def test_every_suspected_key_gets_a_full_search(word: str, empty: bool, home: str, tmp_path: Path) -> None:
    unknown = make_key().reveal()
    for source in (f"x = '{unknown}'", f'x = "{unknown}"', f"\n{unknown}\n", f"<b>{unknown}</b>", f"k={unknown}&y"):
        data = notebook(source, word)
        assert agrees(data, str(tmp_path) if empty else home)
        assert not Prefilter(str(tmp_path) if empty else home).is_clean(data)


PARTS = ((0, 32), (0, 11), (11, 32), (0, 30), (30, 32))
pieces = st.one_of(
    st.sampled_from([key.reveal()[slice(*part)] for key in KEYS for part in PARTS]),
    st.sampled_from(
        [
            *("\n", "\n  ", "<b>", "</b>", "<", ">", "\x1b[31m", "\x1b[0m", "\x1b", "|", "│ ", "\u200b", "&shy;"),
            *("&#173;", "\\n", '"', "'", "\\", "%", "%41", ", ", '", "', "\r", "\t"),
            *("Mistral", "[", "]", "{", "}", "},{", "é", "\0", "m"),
        ]
    ),
    st.text(string.ascii_letters + string.digits + "_- =+/.", max_size=12),
)


@pytest.mark.slow
@settings(max_examples=examples(400))
@given(
    parts=st.lists(pieces, max_size=14),
    document=st.integers(0, 5),
    style=st.sampled_from(sorted(set(WRITTEN) - {"UTF-16"})),
)
def test_any_text_around_and_inside_a_key(parts: list[str], document: int, style: str, home: str) -> None:
    data = WRITTEN[style](documents("".join(parts))[document]).encode("utf-8", "surrogatepass")
    assert agrees(data, home)
    assert agrees(json.dumps("".join(parts)).encode(), home)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"seen": 1}',
        b'{"seen": [1]}',
        b'{"seen": [{"tail": "abcd"}]}',
        b'{"seen": [{"fingerprint": "x", "tail": "", "length": 32}]}',
        b'{"seen": [{"fingerprint": "x", "tail": "abcd", "length": 0}]}',
        b'{"seen": []} and more',
        b"\xff\xfe",
    ],
)
def test_an_invalid_index_means_a_full_search(content: bytes, tmp_path: Path) -> None:
    Path(tmp_path, "workspaces.json").write_bytes(content)
    assert not Prefilter(str(tmp_path)).is_clean(notebook("1"))


def test_ordinary_notebooks_need_no_full_search(home: str, tmp_path: Path) -> None:
    ordinary = notebook(
        "from mistralai import Mistral\nclient = Mistral(api_key=os.environ['MISTRAL_API_KEY'])\n",
        "plt.plot(x)",
        outputs=("<b>bold</b>\n", "\x1b[31mred\x1b[0m\n", "0000-0000\n" * 100),
    )
    assert Prefilter(home).is_clean(ordinary)
    assert Prefilter(str(tmp_path)).is_clean(ordinary)
    assert Prefilter(home).is_clean(b"")


def test_a_short_key_is_looked_for_too(tmp_path: Path) -> None:
    short = Key(make_key().reveal()[:16])
    Index(str(tmp_path)).remember(short)
    assert not Prefilter(str(tmp_path)).is_clean(notebook(f"x = '{short.reveal()}'"))
