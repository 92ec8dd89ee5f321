"""Texts without what splits keys, and where their characters stand."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.guard.split_text import joined_texts, readings
from mistral_nb.redaction import normalize
from mistral_nb.redaction.normalize import View
from support.forms import FORMS
from support.keys import make_text
from support.written import GAPS, split_up

TEXTS = st.lists(st.sampled_from([*GAPS, "a1", "Z", " ", "<", ">", "&", "\\", "\x1b", "\n", "<td>", "é"]), max_size=30)


def join(data: bytes, json: bool = False) -> bytes:
    """The text without all that may be a gap."""
    return next(joined_texts(data, json), data)


def byte_text(text: str) -> str:
    return text.encode().decode("latin-1")


@given(TEXTS, st.booleans())
def test_the_quick_look_and_the_close_one_read_the_same(parts, as_json):
    text = byte_text(json.dumps("".join(parts), ensure_ascii=False) if as_json else "".join(parts))
    quick = [joined.decode("latin-1") for joined in joined_texts(text.encode("latin-1"), as_json)]
    assert {reading.text for reading in readings(text, as_json) if not reading.is_unwrapped} - {text} == {*quick} - {
        text
    }


@given(TEXTS)
def test_each_character_is_traced_to_itself(parts):
    text = byte_text("".join(parts)).replace("<td>", "")
    for reading in readings(text):
        for start, letter in enumerate(reading.text):
            ((low, high),) = reading.trace(start, start + 1)
            assert text[low:high] == letter
            assert reading.count_before(low) == start


@pytest.mark.parametrize("gap", GAPS)
def test_each_gap_between_letters_is_left_out(gap):
    key = make_text()
    text = split_up(random.Random(1), key, gap)
    assert join(text.encode()).decode().startswith(key)
    assert key not in text


@pytest.mark.parametrize(
    "text", ["a < b and c > d", "R&D", "C:\\users", "<td>12</td><td>34</td>", "a\x1b", "12 &amp; 34"]
)
def test_what_is_no_gap_stays(text):
    assert join(text.encode()) == text.encode()


UNSEEN = ("ANSI", "HTML", "zero", "soft", "word")
AROUND = [name for name in FORMS if name.startswith(UNSEEN) and name != "HTML attribute"]  # there the key is in a tag


@pytest.mark.parametrize("name", AROUND)
def test_what_files_are_read_without_is_left_out_here_too(name):
    key = make_text()
    text = FORMS[name](key).encode()
    view = normalize.remove_tags(normalize.decode_escapes(View(text)))
    assert (key.encode() in view.text) == (key.encode() in join(text))


def test_a_nul_hides_no_gap():
    key = make_text()
    assert join(f"[\0]{key[:16]}<wbr>{key[16:]}[\0]".encode()) == f"[\0]{key}[\0]".encode()


@pytest.mark.parametrize(
    "begin, end", [("<", ">"), ("\x1b[", "m"), ("\x1b]8;;", "\x07"), ("\\u003c", "\\u003e"), ("&", ";")]
)
def test_what_begins_in_one_text_of_a_message_and_ends_in_the_next_is_no_gap(begin, end):
    key = make_text()
    data = json.dumps([f"a{begin}", f"{key[:16]}<wbr>{key[16:]}{end}a"]).encode()
    assert any(key.encode() in joined for joined in joined_texts(data, json=True))
    assert not any(key.encode() in joined for joined in joined_texts(data.replace(b"<wbr>", b"|"), json=True))


@pytest.mark.parametrize("begin, end", [("<", ">"), ("\x1b]8;;", "\x07"), ("\\u003c", "\\u003e")])
@pytest.mark.parametrize("gap", ["\u200b", "&shy;"])
@pytest.mark.parametrize("as_json", [False, True])
def test_what_looks_like_a_gap_is_also_read_as_none(begin, end, gap, as_json):
    key = make_text()
    text = f"a{begin}{key[:16]}{gap}{key[16:]}{end}a"
    data = json.dumps(text, ensure_ascii=False).encode() if as_json else text.encode()
    assert any(key.encode() in joined for joined in joined_texts(data, as_json))
    assert key.encode() not in join(data, as_json)  # in which the letters belong to the gap


@pytest.mark.parametrize("quotings", [0, 1, 2, 3])
def test_the_backslash_that_ends_a_link_leaves_that_of_the_next_escape(quotings):
    key = make_text()
    text = f"{key[:16]}\x1b]8;;http://x.y\x1b\\\x1b[0m{key[16:]}"
    for _ in range(quotings):
        text = json.dumps(text)
    assert key in join(text.encode(), json=quotings > 0).decode()
    assert key in join(text.encode()).decode()
    assert key not in text


@pytest.mark.parametrize("code", ["\x9b", "\x1b[", "\x1b(", "\x1b"])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_code_of_a_terminal_that_a_page_shows_takes_no_letter_of_a_key(code, as_json):
    """JupyterLab knows colours alone."""
    key = "7F" + make_text()[2:]
    text = f"a{code}{key[:16]}<b>\x1b[0m{key[16:]}"
    data = json.dumps(text, ensure_ascii=False).encode() if as_json else text.encode()
    assert key.encode() not in data
    assert any(key.encode() in joined for joined in joined_texts(data, as_json))
    assert key.encode() not in join(data, as_json)
