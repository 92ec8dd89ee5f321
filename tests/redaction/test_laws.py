"""What holds for every input: Hypothesis looks for one that breaks it."""

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import MARKER, Key
from mistral_nb.placeholders import is_placeholder
from mistral_nb.redaction.normalize import View
from mistral_nb.redaction.quick_scan import is_notebook
from mistral_nb.redaction.redact import ALL_TIERS, redact, redact_text, redact_values
from mistral_nb.redaction.replacements import find_replacements
from mistral_nb.redaction.search_terms import SearchTerms
from mistral_nb.watchlist import Watchlist
from support.checker import FRAGMENT, can_read
from support.forms import FORMS, PLACES, STYLES, known, notebook, remembered, stream
from support.keys import make_key, make_text
from support.profiles import examples

keys = st.integers(0, 2**32).map(lambda seed: make_key(random.Random(seed)))
# Of letters and digits that escapes have, which a row of backslashes before them could take.
escape_keys = (
    st.integers(0, 2**32)
    .map(lambda seed: "".join(random.Random(seed).choices("nrtbfux01259acdemK", k=32)))
    .filter(lambda text: not is_placeholder(text))
    .map(Key)
)
tiers = st.sampled_from([known, remembered])
# Text made of what the engine treats specially, and of anything.
pieces = st.sampled_from(
    ["\n", "\\", '"', "<b>", "</b>", "\x1b[0m", "│", " ", "mistral", "'", ",", "%", "=", "+", "/", "_", "\u200b", "&"]
)
texts = st.lists(pieces | st.text(max_size=5), max_size=8).map("".join)
styles = st.sampled_from(sorted(STYLES))
many = settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
@many
@given(keys, st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(PLACES)), styles, texts, texts)
def test_no_fragment_of_a_known_key_can_be_read_afterwards(
    key: Key, form: str, place: str, style: str, before: str, after: str
) -> None:
    text = f"{before} {FORMS[form](key.reveal())} {after}"
    data = STYLES[style](PLACES[place](text.encode("utf-8", "replace").decode()))
    cleaned = redact(data, known(key)).data
    assert not can_read(cleaned, key.reveal(), FRAGMENT)


@many
@given(keys, tiers, st.sampled_from(sorted(FORMS)), styles, texts, texts)
def test_twice_is_once(key: Key, tier: Any, form: str, style: str, before: str, after: str) -> None:
    text = (before + FORMS[form](key.reveal()) + after).encode("utf-8", "replace").decode()
    once = redact(STYLES[style](PLACES["stream lines"](text)), tier(key))
    twice = redact(once.data, tier(key))
    assert twice.data is once.data
    assert not [f for f in twice.findings if f.tier not in ("kept", "noted")]


@many
@given(keys, tiers, st.binary(max_size=60), st.binary(max_size=60))
def test_bytes_around_a_plain_key_are_as_they_were(key: Key, tier: Any, before: bytes, after: bytes) -> None:
    data = before + b" " + key.reveal().encode() + b" " + after
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data
    if not wide:
        assert redact(data, tier(key)).data == before + b" " + MARKER.encode() + b" " + after


@many
@given(
    keys,
    tiers,
    styles,
    st.recursive(
        texts | st.none() | st.booleans() | st.floats() | st.integers(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    ),
)
def test_nothing_found_means_the_same_object(key: Key, tier: Any, style: str, value: Any) -> None:
    data = json.dumps(value).encode()
    assert redact(data, tier(key)).data is data
    assert redact_values(value, tier(key))[0] is value
    text = str(value)
    assert redact_text(text, tier(key))[0] is text


@many
@given(st.binary(max_size=300), st.booleans())
def test_no_input_makes_it_fail(data: bytes, strict: bool) -> None:
    result = redact(data, Watchlist(strict=strict))
    assert (result.data is data) or result.findings


@many
@given(keys, st.lists(st.integers(0, 32), max_size=6), styles)
def test_a_key_split_anywhere_over_items_and_streams_is_removed(key: Key, cuts: list[int], style: str) -> None:
    edges = sorted({0, *cuts, key.length})
    parts = [key.reveal()[a:b] for a, b in itertools.pairwise(edges)]
    outputs = [{"name": "stdout", "output_type": "stream", "text": [part]} for part in parts]
    cells = [{"cell_type": "code", "metadata": {}, "outputs": outputs, "source": parts}]
    data = STYLES[style]({"cells": cells, "metadata": {}, "nbformat": 4})
    assert can_read(data, key.reveal())
    assert not can_read(redact(data, remembered(key)).data, key.reveal())


@settings(max_examples=examples(60))
@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=5, unique=True), st.sampled_from(["", " ", "\n", "a"]))
def test_many_keys_in_a_row_are_all_removed(seeds: list[int], between: str) -> None:
    several = [make_key(random.Random(seed)) for seed in seeds]
    text = between.join(key.reveal() for key in several)
    for watchlist in (
        Watchlist(known=tuple(several)),
        Watchlist(known=tuple(several[1:]), remembered=remembered(several[0]).remembered),
    ):
        cleaned, findings = redact_text(text, watchlist)
        assert len(findings) == len(several)
        assert not any(can_read(cleaned.encode(), key.reveal()) for key in several)


def test_an_unknown_key_next_to_a_known_one_is_suspected_too() -> None:
    key, other = make_key(), make_text()
    text, findings = redact_text(f"mistral {key.reveal()}{other}", known(key))
    assert text == f"mistral {MARKER}{MARKER}"
    assert [f.tier for f in findings] == ["known", "suspected"]


# What may stand between a key's characters, each in every way in which it can be written.
GAPS = (
    *("\n", "\r\n", "\r", "\t", " ", "   ", "\\n", "\\t", "\\r\\n", "\\\\n", "\\u000a", "\\u0009", "\\u0020", "\u00a0"),
    *("|", "│", "\u2503", "\\u2502", "\\u007c", "| ", ' ",\n "', '",\n  "', '", "', '","', '\\", \\"'),
    *("\u200b", "\u00ad", "\u2060", "\ufeff", "\0", "\\u200b", "\\u00AD", "\\\\u2060", "\\u0000"),
    *("\u034f", "\u061c", "\u180e", "\u202e", "\u2066", "\ufe0f", "\U000e0101", "\\u2066", "\\udb40\\udd01"),
    *("&NegativeThinSpace;", "&#8234;", "&#x2066;"),
    *("&shy;", "&#173;", "&#x200B;", "&zwj;", "&lrm;", "&NoBreak;", "&#0173;", "\\u0026shy;"),
    *("\x1b[0m", "\x1b[1;31m", "\\u001b[0m", "\\\\u001B[38;5;208m", "\\x1b[0m", "\\033[1m", "\u009b31m", "\\u009b0m"),
    *("\x1b]8;;http://x.y\x07", "\x1b]8;;\x1b\\", "\\u001b]8;;\\u0007", "\x1b(B", "\\x1b=", "\x1b[", "\\u001b"),
    *("<b>", "</b>\n", "<br>", "\\u003cb\\u003e", "<a\nhref='x'>", "<", ">", "<wbr>", "&lt;"),
    *("\\", "\\\\", '"', "'", "/", "\\/", ",", "%", "+", "=", "_", "-", ".", "A", "n"),
)
gaps = st.lists(st.sampled_from(GAPS), max_size=4)


@pytest.mark.slow
@settings(max_examples=examples(400))
@given(keys | escape_keys, st.lists(st.tuples(st.integers(0, 32), gaps), max_size=4), tiers, styles, texts)
def test_the_quick_scan_misses_nothing_that_the_full_search_finds(
    key: Key, cuts: list[tuple[int, list[str]]], tier: Any, style: str, before: str
) -> None:
    check_the_quick_scan(_interrupted(key, cuts, before), key, tier, style)


@pytest.mark.slow
@pytest.mark.parametrize("gap", GAPS)
def test_the_quick_scan_hears_each_pair_of_gaps(gap: str) -> None:
    key = make_key()
    for number, (other, style) in enumerate(zip(GAPS, itertools.cycle(sorted(STYLES)), strict=False)):
        letter = "nrtbfux0"[number % 8]
        other_key = Key(key.reveal()[:1] + letter + key.reveal()[2:16] + letter + key.reveal()[17:])
        for one in (key, other_key):
            text = _interrupted(one, [(1, [gap, other]), (16, [gap, other])], "")
            check_the_quick_scan(text, one, remembered, style)


@pytest.mark.parametrize("letter", "nrtbfux0")
@pytest.mark.parametrize("border", ['","', '", "', '",\n  "'])
@pytest.mark.parametrize("newline", ["\n", "\\n", "\\\\n", "\\\\\\n"])
def test_a_row_of_backslashes_at_a_cut_makes_no_escape_of_the_next_letter(
    newline: str, border: str, letter: str
) -> None:
    key = Key(letter + make_text()[1:16] + letter + make_text()[17:])
    text = _interrupted(key, [(1, [border, newline]), (16, [border, newline])], "")
    assert check_the_quick_scan(text, key, remembered, "tabs")


@pytest.mark.parametrize("code", ["\\u007c", "\\u2502", "\\u0020"])
def test_a_key_whose_first_letter_is_the_last_of_a_literal_code_is_heard(code: str) -> None:
    key = Key(code[-1] + make_text()[1:])
    text = f"{code}{key.reveal()[1:9]}\u200b{key.reveal()[9:20]}\n{key.reveal()[20:]}"
    assert check_the_quick_scan(text, key, remembered, "as Jupyter") == 2  # not in JSON that is one


def test_a_colour_code_does_not_go_on_in_the_next_stream() -> None:
    key = Key("m" + make_text()[1:])
    outputs = [stream("\x1b["), stream(f"{key.reveal()[:9]}\x1b[0m{key.reveal()[9:]}")]
    data = STYLES["one line"](notebook(*outputs))
    assert find_replacements(View(data), SearchTerms(remembered(key), ALL_TIERS), json=True)
    assert redact(data, remembered(key)).findings


def test_most_gaps_hide_nothing_from_the_full_search() -> None:
    """The control of the tests above, which compare two searches: the full one finds most of those keys."""
    key = make_key()
    found = [check_the_quick_scan(_interrupted(key, [(9, [gap, "\n"])], ""), key, remembered, "ASCII") for gap in GAPS]
    assert sum(map(bool, found)) > 0.7 * len(GAPS)


@pytest.mark.slow_except("-as Jupyter]", "[order0-")
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("order", list(itertools.permutations(["| ", "\u200b", "\n", "\x1b[0m"])))
def test_a_key_behind_a_frame_an_invisible_space_and_a_colour_is_removed(order: tuple[str, ...], style: str) -> None:
    key = make_key()
    for at in (1, 16, 31):
        text = _interrupted(key, [(at, list(order))], "")
        for place in ("source lines", "stream", "text/html"):
            data = STYLES[style](PLACES[place](text))
            assert can_read(data, key.reveal())
            assert not can_read(redact(data, remembered(key)).data, key.reveal())


@pytest.mark.slow_except("-as Jupyter]", "[n-")
@pytest.mark.parametrize("style", ["as Jupyter", "ASCII", "one line", "CRLF"])
@pytest.mark.parametrize("rest", ["", "\n", "   \n  ", "\n\t", "<b>", "\u200b", "&shy;"])
@pytest.mark.parametrize("letter", "nrtbfu")
def test_a_key_behind_a_literal_backslash_is_removed_wherever_it_is_cut(letter: str, rest: str, style: str) -> None:
    key = Key(letter + make_text()[1:])
    for at in (1, 2, 5, 20):
        text = f"C:\\{key.reveal()[:at]}{rest}{key.reveal()[at:]} and"
        data = STYLES[style](notebook(stream(text)))
        assert redact(data, Watchlist()).data is data
        for watchlist in (known(key), remembered(key)):
            result = redact(data, watchlist)
            assert result.findings
            assert not can_read(result.data, key.reveal()[1:])
            json.loads(result.data)
            assert redact(text.encode(), watchlist).findings


def _interrupted(key: Key, cuts: list[tuple[int, list[str]]], before: str) -> str:
    text = key.reveal()
    for at, gap in sorted(cuts, reverse=True):
        text = text[:at] + "".join(gap) + text[at:]
    return (before + text).encode("utf-8", "replace").decode()


def check_the_quick_scan(text: str, key: Key, tier: Any, style: str) -> int:
    """Compares the two on the text alone, in a notebook, and in one that is no JSON; how often it is found."""
    wanted, found = SearchTerms(tier(key), ALL_TIERS), 0
    broken = b'{"cells": ["' + text.encode() + b'"]}'
    for data in (text.encode(), STYLES[style](PLACES["source lines"](text)), broken):
        if find_replacements(View(data), wanted, json=is_notebook(data)):
            assert redact(data, tier(key)).findings
            found += 1
    return found
