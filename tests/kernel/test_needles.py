"""What a packed message, a text or a buffer looks like after the search for secrets."""

import base64
import json
import pickle
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keys import make_key, make_text
from leaks import forms, longest_run

from mistral_nb.kernel.carry import Carry
from mistral_nb.kernel.needles import Needles
from mistral_nb.key import MARKER, Key, Secret

KEY = make_key(random.Random(42))
NEEDLES = Needles([KEY])
TEXT = KEY.reveal()


def packed(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def redacted(value: object) -> object:
    return json.loads(NEEDLES.redact_packed(packed(value)))


@pytest.mark.parametrize("form", forms(TEXT))
def test_every_whole_form_goes(form):
    data = NEEDLES.redact_packed(packed({"text": f"<{form}>"}))
    assert form.encode() not in data
    assert MARKER.encode() in data


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_a_key_inside_something_encoded_goes(before, encode):
    data = encode(before + TEXT.encode() + b" and more").decode()
    clean = redacted([data])[0]
    assert clean != data
    assert forms(TEXT)[0] not in clean
    assert not any(form in clean for form in forms(TEXT))


@pytest.mark.parametrize("length", range(1, 33))
def test_parts_go_from_fifteen_characters_on(length):
    for start in range(33 - length):
        part = TEXT[start : start + length]
        expected = f"({MARKER})" if length >= 15 else f"({part})"
        assert NEEDLES.redact(f"({part})") == expected
        assert redacted([f"({part})"]) == [expected]


@pytest.mark.parametrize("start", range(20))
@pytest.mark.parametrize("escape", ["\n", "\t", "\x1b", "\u2028", "\\", '"', "\x00", "\r\n"])
def test_an_escape_right_before_a_part_stays_whole(escape, start):
    """The n of a packed line break may be the key's own character before the part."""
    letter = json.dumps(escape)[-2]
    key = Key(TEXT[: start - 1] + letter + TEXT[start:] if start and letter.isalnum() else TEXT)
    needles = Needles([key])
    clean = json.loads(needles.redact_packed(packed([escape + key.reveal()[start:]])))[0]
    assert clean.startswith(escape)
    assert longest_run(clean, key.reveal()) <= 14
    nested = json.loads(json.loads(needles.redact_packed(packed(packed([escape + key.reveal()[start:]]).decode()))))[0]
    assert nested.startswith(escape)
    assert longest_run(nested, key.reveal()) <= 14


@settings(max_examples=150, deadline=None)
@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_message_without_a_key_is_handed_back_as_it_is(value):
    data = packed(value)
    assert NEEDLES.redact_packed(data) is data
    assert NEEDLES.mask(data) is data


@settings(max_examples=150, deadline=None)
@given(st.text(), st.text(), st.integers(0, 31), st.integers(1, 32))
def test_a_message_stays_json_whatever_stands_around_a_key(before, after, start, end):
    clean = redacted({before: [before + TEXT + after, before + TEXT[start:end] + after]})
    assert longest_run(json.dumps(clean, ensure_ascii=False), TEXT) <= 14


def test_large_messages_are_searched_to_their_ends():
    for size in (28_990, 29_000, 58_000, 100_000):
        for place in (0, 1, 28_980, size - 1):
            text = "." * place + TEXT + "." * (size - place)
            assert redacted([text]) == [text.replace(TEXT, MARKER)]


def test_many_keys_take_linear_time():
    assert redacted([f"{TEXT} " * 20_000]) == [f"{MARKER} " * 20_000]


def test_what_is_not_json_keeps_its_length():
    value = {"text": TEXT, "n": 3}
    clean = NEEDLES.redact_packed(pickle.dumps(value), filler="*")
    assert pickle.loads(clean) == {"text": "*" * 32, "n": 3}


ENCODINGS = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("before", ["", "before ", "x"])
def test_a_buffer_keeps_its_length_and_loses_its_key(encoding, before):
    buffer = f"{before}{TEXT} after".encode(encoding)
    clean = NEEDLES.mask(buffer)
    assert clean.decode(encoding) == f"{before}{'*' * 32} after"
    assert NEEDLES.mask(b"\xff" + buffer + b"\xff") == b"\xff" + clean + b"\xff"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("length", [13, 15, 20, 31])
def test_parts_in_a_buffer_go_from_fifteen_characters_on(encoding, length):
    for start in range(33 - length):
        part = TEXT[start : start + length]
        clean = NEEDLES.mask(f"({part})".encode(encoding)).decode(encoding)
        assert clean == (f"({'*' * length})" if length >= 15 else f"({part})")


PASSPHRASES = [
    "correct horse battery staple",
    "it's a horse, isn't it?",
    'he said "open" \\ the vault',
    "it's a \"mix\" of 'both' \\' quotes",
    "schlüssel für den tresor",
    "ключ от всех дверей",
    "two\nlines\tof a passphrase",
]
WAYS = {
    "plain": str,
    "repr": repr,
    "in a list": lambda text: repr([text]),
    "with another quote": lambda text: repr([text + "'", text + '"', text + "'\""]),
    "ascii": ascii,
    "json": lambda text: json.dumps(text, ensure_ascii=False),
    "ascii json": json.dumps,
    "json in json": lambda text: json.dumps([json.dumps([text])]),
    "bytes": lambda text: repr(text.encode()),
    "bytes with another quote": lambda text: repr([(text + "'").encode(), (text + '"').encode()]),
}


def runs_of(text: str, way: str) -> int:
    """How many stretches of letters, as the way of writing leaves them, are still there."""
    return sum(word in way for word in re.findall("[A-Za-z]{4,}", text))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_goes_from_a_text_and_from_a_message(text, way):
    needles, shown = Needles([Secret(text)]), way(text)
    for clean in (needles.redact(shown), *json.loads(needles.redact_packed(packed([shown])))):
        assert MARKER in clean
        assert runs_of(text, clean) == 0
    assert runs_of(text, shown) or not re.search("[A-Za-z]{4,}", text)  # the search finds what there is


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_is_carried_however_it_is_written(text, way):
    needles, carry, shown = Needles([Secret(text)]), Carry(), way(text)
    pieces = [carry.feed(letter, needles) for letter in shown]
    clean = "".join([*pieces, carry.flush(needles)])
    assert MARKER in clean
    assert runs_of(text, clean) == 0


@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_goes_however_it_is_written(text):
    needles = Needles([Secret(text)])
    ways = [text, repr(text), json.dumps(text), json.dumps(json.dumps(text)), {"p": text}]
    for way in ways:
        data = needles.redact_packed(packed([way]))
        json.loads(data)
        assert MARKER.encode() in data, way
        assert packed(text)[1:-1] not in data
    assert json.loads(needles.redact_packed(packed([text]))) == [MARKER]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_goes_from_a_buffer(encoding, text):
    buffer = f"<{text}>".encode(encoding)
    clean = Needles([Secret(text)]).mask(buffer)
    assert len(clean) == len(buffer)
    assert text.encode(encoding) in buffer
    assert text.encode(encoding)[4:-4] not in clean


def test_a_long_key_is_found_in_every_part():
    key = Key((make_text() + make_text() + make_text() + make_text())[:127])
    needles = Needles([key])
    for start in range(127 - 15 + 1):
        assert needles.redact(f" {key.reveal()[start : start + 15]} ") == f" {MARKER} "


def test_without_secrets_there_is_nothing_to_look_for():
    assert not Needles()
    assert Needles().redact("text") == "text"


def test_nothing_shows_the_key():
    assert TEXT not in repr(NEEDLES) + repr(NEEDLES.forms) + repr(NEEDLES._anchors + NEEDLES._wide)
    assert TEXT[8:15] not in repr(NEEDLES._anchors + NEEDLES._wide).replace("\\0", "")


def test_a_secret_that_comes_later_is_looked_for_beside_the_others():
    one, two = make_key(), make_key()
    first = Needles([one])
    both = Needles([two], first)
    text = f"{one.reveal()} {two.reveal().encode().hex()}"
    assert both.redact(text) == f"{MARKER} {MARKER}"
    assert both.forms[: len(first.forms)] == first.forms  # the very same, not made again
    assert two.reveal().encode().hex() in first.redact(text)  # which stayed as it was
    wide = f"{one.reveal()} {two.reveal()}".encode("utf-16-le")
    assert both.mask(wide) == f"{'*' * 32} {'*' * 32}".encode("utf-16-le")
