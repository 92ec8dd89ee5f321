"""What holds for every input: Hypothesis looks for one that breaks it."""

import itertools
import json
import random
from typing import Any

from checker import FRAGMENT, can_read
from forms import FORMS, PLACES, STYLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keys import make_key, make_text
from test_forms import known, remembered

from mistral_nb.key import MARKER, Key
from mistral_nb.scrub import ALL_TIERS, redact, redact_text, redact_values
from mistral_nb.scrub.places import closely, whole
from mistral_nb.scrub.wanted import Wanted
from mistral_nb.watch import Watchlist

keys = st.integers(0, 2**32).map(lambda seed: make_key(random.Random(seed)))
tiers = st.sampled_from([known, remembered])
# Text made of what the engine treats specially, and of anything.
pieces = st.sampled_from(
    ["\n", "\\", '"', "<b>", "</b>", "\x1b[0m", "│", " ", "mistral", "'", ",", "%", "=", "+", "/", "_", "\u200b", "&"]
)
texts = st.lists(pieces | st.text(max_size=5), max_size=8).map("".join)
styles = st.sampled_from(sorted(STYLES))
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
def test_a_key_split_anywhere_over_items_and_streams_is_gone(key: Key, cuts: list[int], style: str) -> None:
    edges = sorted({0, *cuts, key.length})
    parts = [key.reveal()[a:b] for a, b in itertools.pairwise(edges)]
    outputs = [{"name": "stdout", "output_type": "stream", "text": [part]} for part in parts]
    cells = [{"cell_type": "code", "metadata": {}, "outputs": outputs, "source": parts}]
    data = STYLES[style]({"cells": cells, "metadata": {}, "nbformat": 4})
    assert can_read(data, key.reveal())
    assert not can_read(redact(data, remembered(key)).data, key.reveal())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=5, unique=True), st.sampled_from(["", " ", "\n", "a"]))
def test_many_keys_in_a_row_all_go(seeds: list[int], between: str) -> None:
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


gaps = st.lists(pieces | st.sampled_from(["\r\n", "\\n", '",\n  "', "</i>\n<i>", "\u2502", "| ", "&shy;"]), max_size=3)


@settings(max_examples=250, deadline=None)
@given(keys, st.lists(st.tuples(st.integers(1, 31), gaps), max_size=4), tiers, styles, texts)
def test_the_quiet_look_misses_nothing_that_the_close_look_finds(
    key: Key, cuts: list[tuple[int, list[str]]], tier: Any, style: str, before: str
) -> None:
    text = key.reveal()
    for at, gap in cuts:
        text = text[:at] + "".join(gap) + text[at:]
    text = (before + text).encode("utf-8", "replace").decode()
    wanted = Wanted(tier(key), ALL_TIERS)
    for data in (text.encode(), STYLES[style](PLACES["source lines"](text))):
        if closely(whole(data), wanted):
            assert redact(data, tier(key)).findings
