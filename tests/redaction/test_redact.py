"""Every form in every place and style: what was readable before is not afterwards, and nothing else moved."""

import base64
import itertools
import json
import re
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.redaction.redact import redact, redact_text, redact_values
from mistral_nb.watchlist import Watchlist
from support.checker import FRAGMENT, can_read
from support.forms import FORMS, PLACES, STYLES, known, notebook, remembered, rng_of, seen, stream
from support.keys import make_key


def format_3(*outputs: dict[str, Any]) -> dict[str, Any]:
    cell = {"cell_type": "code", "input": "1", "language": "python", "outputs": list(outputs)}
    return {"worksheets": [{"cells": [cell]}], "metadata": {}, "nbformat": 3}


TIERS = {"known": known, "remembered": remembered}


def check_removed(data: bytes, key: Key, watchlist: Watchlist) -> bytes:
    text = key.reveal()
    assert can_read(data, text), "the checker does not see the key before scrubbing"
    result = redact(data, watchlist)
    assert result.findings
    assert not can_read(result.data, text)
    if watchlist.known:
        assert not can_read(result.data, text, FRAGMENT)
    again = redact(result.data, watchlist)
    assert again.data is result.data
    assert not again.findings
    return result.data


@pytest.mark.slow_except("-as Jupyter-known]", "[plain-", "[escaped, some-")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_any_form_is_removed_from_any_style_of_file(form: str, style: str, tier: str) -> None:
    key = make_key(rng_of(form, style))
    for place in ("stream lines", "source"):
        data = STYLES[style](PLACES[place](FORMS[form](key.reveal())))
        cleaned = check_removed(data, key, TIERS[tier](key))
        json.loads(cleaned)


@pytest.mark.slow_except("-stream lines]", "[plain-", "[wrapped, indented-")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_any_form_is_removed_from_any_place(form: str, place: str) -> None:
    key = make_key(rng_of(form, place))
    data = STYLES["as Jupyter"](PLACES[place](FORMS[form](key.reveal())))
    cleaned = check_removed(data, key, remembered(key))
    before, after = json.loads(data), json.loads(cleaned)
    assert shape(before) == shape(after)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_any_form_is_removed_from_plain_text(form: str, tier: str) -> None:
    key = make_key(rng_of(form))
    text = "some words before\n" + FORMS[form](key.reveal()) + "\nand after\n"
    check_removed(text.encode(), key, TIERS[tier](key))
    cleaned, findings = redact_text(text, TIERS[tier](key))
    assert findings
    assert not can_read(cleaned.encode(), key.reveal())


@pytest.mark.slow_except("-stream lines]", "[plain-", "[wrapped, indented-")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_any_form_is_removed_from_values(form: str, place: str) -> None:
    key = make_key(rng_of(form, place))
    value = PLACES[place](FORMS[form](key.reveal()))
    cleaned, findings = redact_values(value, remembered(key))
    assert findings
    assert not can_read(json.dumps(cleaned).encode(), key.reveal())
    assert shape(value) == shape(cleaned)
    assert redact_values(cleaned, remembered(key)) == (cleaned, ())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("cuts", [(16,), (3,), (30,), (10, 20), (1, 2, 3, 31)])
def test_a_key_split_over_stream_outputs_or_list_items_is_removed(style: str, cuts: tuple[int, ...]) -> None:
    key = make_key(rng_of(style, *map(str, cuts)))
    edges = (0, *cuts, key.length)
    pieces = [key.reveal()[a:b] for a, b in itertools.pairwise(edges)]
    pieces = ["key: " + pieces[0], *pieces[1:]]
    for value in (
        notebook(*(stream(piece) for piece in pieces)),
        notebook(*(stream([piece]) for piece in pieces)),
        notebook(*({"text": [piece], "name": "stdout", "output_type": "stream"} for piece in pieces)),
        format_3(*({"output_type": "stream", "stream": "stdout", "text": [piece]} for piece in pieces)),
        format_3(*({"output_type": "stream", "stream": "stdout", "text": piece} for piece in pieces)),
        notebook(stream(pieces)),
        notebook(source=pieces),
    ):
        check_removed(STYLES[style](value), key, remembered(key))
        check_removed(STYLES[style](value), key, known(key))
        cleaned, _ = redact_values(value, remembered(key))
        assert not can_read(json.dumps(cleaned).encode(), key.reveal())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("length", [15, 16, 20, 31])
def test_a_fragment_of_a_known_key_is_removed(length: int, style: str) -> None:
    key = make_key(rng_of(style, str(length)))
    for start in range(0, key.length - length + 1, 3):
        part = key.reveal()[start : start + length]
        for text in (f"aa{part}bb", f"\x1b[1m{part}\x1b[0m", f"{part[:7]}\x1b[0m{part[7:]}"):
            data = STYLES[style](notebook(stream(text)))
            assert can_read(data, key.reveal(), length)
            assert not can_read(redact(data, known(key)).data, key.reveal(), FRAGMENT)
            assert redact(data, remembered(key)).data is data


@pytest.mark.parametrize("length", [16, 24, 31, 33, 40, 64, 128])
def test_keys_of_other_lengths_are_found_by_both_tiers(length: int) -> None:
    rng = rng_of(str(length))
    text = "".join(rng.choices("ABCDEFGHabcdefgh0123456789-_", k=length))
    key = Key(text)
    for form in ("plain", "base64", "base64, one on", "hex", "percent", "ANSI at each", "wrapped at 10", "zero width"):
        data = STYLES["as Jupyter"](notebook(stream(FORMS[form](text).splitlines(True))))
        for watchlist in (known(key), remembered(key)):
            cleaned = redact(data, watchlist).data
            assert can_read(data, text)
            assert not can_read(cleaned, text), form
            assert redact(cleaned, watchlist).data is cleaned


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("form", FORMS)
def test_a_plain_key_does_not_hide_one_in_another_form(form: str, tier: str) -> None:
    key = make_key(rng_of(form))
    for first, second in ((key.reveal(), FORMS[form](key.reveal())), (FORMS[form](key.reveal()), key.reveal())):
        check_removed(STYLES["as Jupyter"](notebook(stream(first), source=second)), key, TIERS[tier](key))
        check_removed(f"{first}\n\n and {second}".encode(), key, TIERS[tier](key))


@pytest.mark.parametrize("style", ["as Jupyter", "ASCII", "one line", "CRLF"])
@pytest.mark.parametrize("before", ["\n", "\r\n", "\t", "\u00e9", "C:\\n", "\x1b[0m", "\x1b[/\n"])
def test_a_part_of_a_key_takes_nothing_of_the_escape_before_it(before: str, style: str) -> None:
    text = make_key(rng_of(before, style)).reveal()
    letter = json.dumps(before)[-2]  # the key has the same one right before the part
    key = Key(text[:7] + letter + text[8:])
    source = f"{key.reveal()[:8]}{before}{key.reveal()[8:]}"
    value = notebook(stream(source), source=[source])
    data = STYLES[style](value)
    cleaned = redact(data, known(key)).data
    after = json.loads(cleaned)
    assert after["cells"][1]["source"] == [f"{key.reveal()[:8]}{before}{MARKER}"]
    assert not can_read(cleaned, key.reveal(), FRAGMENT)
    assert redact(cleaned, known(key)).data is cleaned
    assert redact_values(value, known(key))[0] == after
    assert redact_values(value, remembered(key))[0] == json.loads(redact(data, remembered(key)).data)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("style", ["as Jupyter", "ASCII", "one line"])
def test_a_key_that_starts_with_the_letter_of_an_escape_breaks_no_json(style: str, tier: str) -> None:
    for letter in "nrtbf":
        key = Key(letter + make_key(rng_of(style, letter)).reveal()[1:])
        newline = json.loads(f'"\\{letter}"')
        for source in (f"{letter}{newline}{key.reveal()[1:]}", f"C:\\{key.reveal()}", f"\n{key.reveal()}"):
            data = STYLES[style](notebook(stream(source)))
            cleaned = redact(data, TIERS[tier](key)).data
            json.loads(cleaned)
            assert key.reveal() not in cleaned.decode()
            assert redact(cleaned, TIERS[tier](key)).data is cleaned
            json.dumps(redact_values(notebook(stream(source)), TIERS[tier](key))[0])


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("outer", ["JSON in JSON, wrapped", "JSON in JSON in JSON", "escaped letters", "escaped, some"])
@pytest.mark.parametrize("form", [form for form in FORMS if re.match("base64|hex|percent", form)])
def test_an_encoded_key_in_escaped_text_is_removed(form: str, outer: str, tier: str) -> None:
    key = make_key(rng_of(form, outer))
    text = FORMS[form](key.reveal())
    parts = text.splitlines() if outer == "escaped letters" else [text]  # each letter but the line breaks
    text = "\n".join(map(FORMS[outer], parts))
    check_removed(f"before {text} after\n".encode(), key, TIERS[tier](key))
    check_removed(STYLES["as Jupyter"](notebook(stream(text.splitlines(True)))), key, TIERS[tier](key))


@pytest.mark.parametrize("gap", ["\n", "   \n   ", "\u00ad", "\x1b[0m"])
@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, -5, -4, -3, -2])
def test_base64_with_signs_is_found_wherever_it_is_cut(cut: int, gap: str) -> None:
    key = make_key(rng_of(gap, str(cut)))
    text = base64.b64encode(b"\xff\xfe" + key.reveal().encode() + b"\xff\xff\xff").decode()
    check_removed(f"x = {text[:cut]}{gap}{text[cut:]}\n".encode(), key, remembered(key))


@pytest.mark.parametrize("tier", TIERS)
def test_a_key_after_an_unfinished_escape_code_does_not_hide_a_wrapped_one(tier: str) -> None:
    key = make_key(rng_of("unfinished"))
    text = key.reveal()
    wrapped = f"{text[:8]}\x1b[m{text[8:24]}\n{text[24:]}"
    check_removed(f"{wrapped} \x1b[{text}".encode(), key, TIERS[tier](key))
    check_removed(STYLES["ASCII"](notebook(stream(f"{wrapped} \x1b[={text}"))), key, TIERS[tier](key))


def test_a_remembered_key_with_a_dash_is_found_where_its_shape_was_noted() -> None:
    text = make_key(rng_of("dash")).reveal()
    key = Key(text[:9] + "-" + text[10:])
    noted = seen(key)._replace(standard=False)
    assert key.reveal() not in redact_text(f"a {key.reveal()} b", Watchlist(remembered=(noted,)))[0]


def test_a_plain_key_becomes_the_marker_and_nothing_else_changes() -> None:
    key = make_key()
    data = STYLES["as Jupyter"](notebook(source=f"client(api_key='{key.reveal()}')  # é\n"))
    assert redact(data, remembered(key)).data == data.replace(key.reveal().encode(), MARKER.encode())


@pytest.mark.parametrize("form", [form for form in FORMS if re.match("base64|hex|percent", form)])
def test_an_encoded_key_becomes_a_filler_that_still_decodes(form: str) -> None:
    key = make_key()
    text = FORMS[form](key.reveal())
    cleaned = redact(text.encode(), remembered(key)).data.decode()
    assert len(cleaned) == len(text)
    assert can_read(cleaned.encode(), "x" * 32)
    assert {bool(re.fullmatch(r"[\w+/=\n?&% -]+", t)) for t in (text, cleaned)} == {True}


def shape(value: Any) -> Any:
    """Types and sizes, without texts and names."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value)


@pytest.mark.parametrize("gap", ["\u200b", "\u034f", "\u061c", "\u180e", "\u202a", "\u2066", "\ufe0f", "\U000e0101"])
def test_a_character_that_nobody_sees_hides_no_key(gap):
    key = make_key()
    text = gap.join(key.reveal())
    notebook = {"cells": [{"cell_type": "code", "outputs": [], "source": [f"print('{text}')"]}]}
    for data in (text.encode(), *(json.dumps(notebook, ensure_ascii=only).encode() for only in (True, False))):
        assert can_read(data, key.reveal())
        assert not can_read(redact(data, remembered(key)).data, key.reveal())
    visible = "é".join(key.reveal()).encode()
    assert redact(visible, remembered(key)).data is visible
