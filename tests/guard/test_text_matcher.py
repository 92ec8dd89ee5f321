"""What a packed message, a text or a buffer looks like after the search for secrets."""

import base64
import json
import pickle
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import MARKER, Key, Secret
from mistral_nb.guard import quick_search
from mistral_nb.guard.stream_buffer import StreamRedactor
from mistral_nb.guard.text_matcher import TextMatcher, _broke_json
from support.keys import make_key, make_text
from support.leaks import forms, longest_run, shown_of
from support.profiles import examples
from support.written import (
    BREAKS,
    GAPS,
    QUOTINGS,
    SEPARATORS,
    in_base64_lines,
    in_hex,
    split_up,
    written_somehow,
)

KEY = make_key(random.Random(42))
NEEDLES = TextMatcher([KEY])
TEXT = KEY.reveal()


def packed(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def redacted(value: object) -> object:
    return json.loads(NEEDLES.redact_packed(packed(value)))


@pytest.mark.parametrize("form", forms(TEXT))
def test_every_complete_form_is_removed(form):
    data = NEEDLES.redact_packed(packed({"text": f"<{form}>"}))
    assert form.encode() not in data
    assert MARKER.encode() in data


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_a_key_inside_encoded_text_is_removed(before, encode):
    data = encode(before + TEXT.encode() + b" and more").decode()
    clean = redacted([data])[0]
    assert clean != data
    assert forms(TEXT)[0] not in clean
    assert not any(form in clean for form in forms(TEXT))


@pytest.mark.parametrize("length", range(1, 33))
def test_parts_of_fifteen_or_more_characters_are_removed(length):
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
    needles = TextMatcher([key])
    clean = json.loads(needles.redact_packed(packed([escape + key.reveal()[start:]])))[0]
    assert clean.startswith(escape)
    assert longest_run(clean, key.reveal()) <= 14
    nested = json.loads(json.loads(needles.redact_packed(packed(packed([escape + key.reveal()[start:]]).decode()))))[0]
    assert nested.startswith(escape)
    assert longest_run(nested, key.reveal()) <= 14


@pytest.mark.slow
@settings(max_examples=examples(150))
@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_message_without_a_key_is_returned_unchanged(value):
    data = packed(value)
    assert NEEDLES.redact_packed(data) is data
    assert NEEDLES.mask(data) is data


@settings(max_examples=examples(150))
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
def test_parts_of_fifteen_or_more_characters_are_removed_from_a_buffer(encoding, length):
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
def test_a_passphrase_is_removed_from_a_text_and_a_message(text, way):
    needles, shown = TextMatcher([Secret(text)]), way(text)
    for clean in (needles.redact(shown), *json.loads(needles.redact_packed(packed([shown])))):
        assert MARKER in clean
        assert runs_of(text, clean) == 0
    assert runs_of(text, shown) or not re.search("[A-Za-z]{4,}", text)  # the search finds what there is


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_is_carried_however_it_is_written(text, way):
    needles, carry, shown = TextMatcher([Secret(text)]), StreamRedactor(), way(text)
    pieces = [carry.feed(letter, needles) for letter in shown]
    clean = "".join([*pieces, carry.flush(needles)])
    assert MARKER in clean
    assert runs_of(text, clean) == 0


@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_is_removed_however_it_is_written(text):
    needles = TextMatcher([Secret(text)])
    ways = [text, repr(text), json.dumps(text), json.dumps(json.dumps(text)), {"p": text}]
    for way in ways:
        data = needles.redact_packed(packed([way]))
        json.loads(data)
        assert MARKER.encode() in data, way
        assert packed(text)[1:-1] not in data
    assert json.loads(needles.redact_packed(packed([text]))) == [MARKER]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", PASSPHRASES)
def test_a_passphrase_is_removed_from_a_buffer(encoding, text):
    buffer = f"<{text}>".encode(encoding)
    clean = TextMatcher([Secret(text)]).mask(buffer)
    assert len(clean) == len(buffer)
    assert text.encode(encoding) in buffer
    assert text.encode(encoding)[4:-4] not in clean


def test_a_long_key_is_found_in_every_part():
    key = Key((make_text() + make_text() + make_text() + make_text())[:127])
    needles = TextMatcher([key])
    for start in range(127 - 15 + 1):
        assert needles.redact(f" {key.reveal()[start : start + 15]} ") == f" {MARKER} "


def test_without_secrets_there_is_nothing_to_look_for():
    assert not TextMatcher()
    assert TextMatcher().redact("text") == "text"


def test_nothing_shows_the_key():
    shown = repr(NEEDLES) + repr(vars(NEEDLES)) + repr(NEEDLES.forms)
    assert longest_run(shown.replace("\\x00", ""), TEXT) < 4
    assert longest_run(shown, TEXT.encode().hex()) < 8
    with pytest.raises(TypeError):
        pickle.dumps(NEEDLES)


def test_a_secret_that_comes_later_is_looked_for_beside_the_others():
    one, two = make_key(), make_key()
    first = TextMatcher([one])
    both = TextMatcher([two], first)
    text = f"{one.reveal()} {two.reveal().encode().hex()}"
    assert both.redact(text) == f"{MARKER} {MARKER}"
    assert both.forms[: len(first.forms)] == first.forms  # the very same, not made again
    assert two.reveal().encode().hex() in first.redact(text)  # which stayed as it was
    wide = f"{one.reveal()} {two.reveal()}".encode("utf-16-le")
    assert both.mask(wide) == f"{'*' * 32} {'*' * 32}".encode("utf-16-le")


@pytest.mark.slow
@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("width", [64, 76])
def test_base64_in_lines_is_removed_at_each_place(width, line_break):
    for before in range(3 * width):
        text = in_base64_lines(TEXT, before, width, line_break, url_safe=bool(before % 2))
        assert shown_of(text, TEXT) == "an encoded form"
        for shown in (text, repr(text), json.dumps({"data": text})):
            assert not shown_of(NEEDLES.redact(shown), TEXT)
            assert not shown_of(redacted([shown])[0], TEXT)
        assert redacted([text])[0].count(MARKER) == 1


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_separated_hex_is_removed(separator, upper):
    for before in range(4):
        text = in_hex(TEXT, separator, upper, before)
        assert shown_of(text, TEXT) == "an encoded form"
        for shown in (text, repr(text), json.dumps(text)):
            assert not shown_of(NEEDLES.redact(shown), TEXT)
            assert not shown_of(redacted([shown])[0], TEXT)


@pytest.mark.parametrize("gap", GAPS)
def test_a_key_with_something_unseen_in_it_is_removed_and_that_stays(gap):
    rng = random.Random(gap)
    for quote in QUOTINGS:
        text = split_up(rng, TEXT, gap)
        shown = quote(f"it is {text} and so on")
        assert shown_of(shown, TEXT)
        for clean in (NEEDLES.redact(shown), redacted([shown])[0]):
            assert not shown_of(clean, TEXT)
            assert clean.count(MARKER) == 1
            assert clean.count(quote(gap).strip("\\\"'")) == shown.count(quote(gap).strip("\\\"'"))


@pytest.mark.parametrize("coded", ["&#{};", "&#0{};", "&#x{:x};", "&#X00{:X};"])
@pytest.mark.parametrize("every", [1, 4, 9])
def test_letters_that_html_writes_as_numbers_are_read(coded, every):
    text = "".join(coded.format(ord(c)) if n % every == 0 else c for n, c in enumerate(TEXT))
    for clean in (NEEDLES.redact(f"<b>{text}</b>"), redacted([f"<b>{text}</b>"])[0]):
        assert clean == f"<b>{MARKER}</b>"
    other = "".join(coded.format(ord(c)) for c in make_text())
    assert NEEDLES.redact(other) == other


@pytest.mark.parametrize("line_break", ["<br>", "<br/>\n", "\n  │ ", "\n> ", "',\n '", '", "'])
def test_base64_in_lines_with_something_between_is_removed(line_break):
    lines = in_base64_lines(TEXT, 40, 76, "\n").splitlines()
    for clean in (NEEDLES.redact(line_break.join(lines)), redacted([line_break.join(lines)])[0]):
        assert clean.count(MARKER) == 1
        assert clean.replace(MARKER, "").count(line_break) == len(lines) - 1
        assert all(part in "".join(lines) for part in clean.replace(MARKER, line_break).split(line_break))
        digits = base64.b64encode(b"\xfb" * 40 + TEXT.encode()).decode()[-40:]
        assert digits not in clean.replace(line_break, "")
        assert digits in "".join(lines)


@pytest.mark.slow
@settings(max_examples=examples(600))
@given(st.integers(), st.text(max_size=20), st.text(max_size=20))
def test_json_stays_json_however_a_key_is_written(seed, before, after):
    rng = random.Random(seed)
    key = make_key(rng)
    text = before + written_somehow(rng, key.reveal()) + after
    data = json.dumps({"a": [text, {text: text}]}, ensure_ascii=rng.random() < 0.3).encode("utf-8", "surrogatepass")
    clean = json.loads(TextMatcher([key]).redact_packed(data))
    if shown_of(text, key.reveal()):
        assert clean["a"][0] != text
    assert not shown_of(clean["a"][0], key.reveal())
    assert [*clean["a"][1].items()] == [(clean["a"][0], clean["a"][0])]


def test_should_a_removal_break_json_the_values_are_searched_one_by_one():
    data = b'{"a": "\\\\' + TEXT.encode() + b'", "n": [1, "' + TEXT.encode() + b'"]}'
    clean = NEEDLES._redact_values(data)
    assert json.loads(clean) == {"a": f"\\{MARKER}", "n": [1, MARKER]}
    assert _broke_json(data, data[:-1])
    assert not _broke_json(data, clean)
    assert not _broke_json(b"stream.stdout", b"stream")  # which was none


def innocent_text(rng: random.Random) -> str:
    """Base64, dumps and coloured texts of something else."""
    return rng.choice((str, repr, json.dumps))(
        "".join(written_somehow(rng, make_key(rng).reveal()) for _ in range(rng.randrange(1, 4)))
    )


@settings(max_examples=examples(300))
@given(st.integers())
def test_what_holds_another_key_stays_as_it_is(seed):
    text = innocent_text(random.Random(seed))
    data = packed([text])
    assert NEEDLES.redact_packed(data) is data
    assert NEEDLES.redact(text) is text
    assert NEEDLES.mask(text.encode()) == text.encode()


@pytest.mark.slow
@pytest.mark.parametrize(("count", "rounds"), [(2, 200), (2, 1200), (5, 1200), (60, 1200)])
def test_many_keys_are_found_as_each_alone(count, rounds):
    """By words of 8 bytes where there are many; and each key by one matcher of its own."""
    rng = random.Random(count)
    keys = [make_key(rng) for _ in range(count)]
    alone, together = [TextMatcher([key]) for key in keys], TextMatcher(keys)
    for n in range(rounds // count * count):
        key = keys[n % count]
        text = "." * rng.randrange(9) + written_somehow(rng, key.reveal())
        text += rng.choice(("", key.reveal()[rng.randrange(20) :]))
        data = packed([text * rng.choice((1, 1, 40))])
        assert together.redact_packed(data) == alone[n % count].redact_packed(data)
        assert together.redact(text) == alone[n % count].redact(text)


@pytest.mark.slow_except("-300]")
@pytest.mark.parametrize(("count", "rounds"), [(1, 300), (60, 300), (1, 1500), (60, 1500)])
def test_the_quick_look_hears_whatever_the_close_one_finds(count, rounds):
    rng = random.Random(count)
    keys = [make_key(rng) for _ in range(count)]
    matcher, found = TextMatcher(keys), 0
    for n in range(rounds):
        text = written_somehow(rng, keys[n % count].reveal())
        start = rng.randrange(len(text) // 2)
        data = packed([text[start : start + rng.randrange(len(text))]])
        if matcher._find_all(data, packed=True):
            found += 1
            assert matcher.may_match(data)
            assert matcher.redact_packed(data) != data
    assert found > rounds // 3


@pytest.mark.slow
def test_a_message_is_searched_as_often_for_three_hundred_keys_as_for_ten(monkeypatch):
    rng = random.Random(8)
    data, searched = packed(["nothing of interest " * 2_000]), []
    monkeypatch.setattr(quick_search, "contains_any", lambda data, sought: bool(searched.extend(sought)))
    for count in (10, 300):
        assert not TextMatcher([make_key(rng) for _ in range(count)]).may_match(data)
        assert not searched  # for single strings: there are too many
    assert not TextMatcher([make_key(rng)]).may_match(data)
    assert searched
