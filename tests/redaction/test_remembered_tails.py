"""The remembered keys found by their tails, beside the plain way: every tail looked for by itself."""

import itertools
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import fingerprint
from mistral_nb.redaction.remembered_tails import RememberedTails, TailMatch
from mistral_nb.storage.index import RememberedKey
from support.keys import make_key, make_text, rng
from support.profiles import examples

_KEY_CHARACTERS = (string.ascii_letters + string.digits + "_-").encode()


def entry(text: str, tail: str | None = None) -> RememberedKey:
    return RememberedKey(fingerprint(text), len(text), text[-4:] if tail is None else tail, "live", "2026-01-01")


def found_plainly(text: bytes, entries: list[RememberedKey]) -> set[TailMatch]:
    found = set()
    for one in entries:
        for end in range(len(text) + 1):
            window = text[max(0, end - one.length) : end]
            ends = bool(one.tail) and text[:end].endswith(one.tail.encode()) and len(window) == one.length
            if ends and not window.translate(None, _KEY_CHARACTERS) and fingerprint(window.decode()) == one.fingerprint:
                found.add(TailMatch(end - one.length, end, one.fingerprint, one.tail))
    return found


def assert_found_as_plainly(text: bytes, entries: list[RememberedKey]) -> int:
    plainly = found_plainly(text, entries)
    for tails in (RememberedTails(entries), RememberedTails(entries, long=0)):
        found = list(tails.find_matches(text))
        assert len(found) == len(set(found))
        assert set(found) == plainly
    return len(plainly)


def test_a_key_is_found_at_every_place_of_a_run_of_any_length():
    key = make_text()
    entries = [entry(make_text()) for _ in range(20)] + [entry(key)]
    for before, after in itertools.product(range(10), range(10)):
        text = b"x" * before + key.encode() + b"y" * after
        assert assert_found_as_plainly(text, entries) == 1
        assert assert_found_as_plainly(b"some (" + text + b") and " + text, entries) == 2
        assert assert_found_as_plainly(text.replace(key.encode(), key[:-1].encode()), entries) == 0


@pytest.mark.parametrize("length", [16, 17, 18, 19, 31, 33, 64, 127, 128])
def test_keys_of_every_length_are_found_beside_each_other(length):
    long = "".join(rng().choices(string.ascii_letters + "_-", k=length))
    key = make_text()
    text = f"{long} {key} {long}{key}-{long[1:]}".encode()
    assert assert_found_as_plainly(text, [entry(long), entry(key)]) == 4


ODD_TAILS = ["", "a", "ab", "abc", "é", "a b", "\\", "%", "=", "aaaa", "tail that is no key's", "€uro"]


@pytest.mark.parametrize("tail", ODD_TAILS)
def test_an_index_with_odd_tails_changes_nothing_for_the_others(tail):
    key, own = make_text(), make_text()
    text = f"{key} {tail} {own}{tail} {tail * 3}".encode()
    assert assert_found_as_plainly(text, [entry(key), entry(own, tail), entry(tail or "x")]) >= 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, 32])
def test_a_tail_of_any_length_that_its_key_ends_with_finds_it(size):
    key = make_text()
    assert assert_found_as_plainly(f"({key})({key}".encode(), [entry(key, key[-size:]), entry(make_text())]) == 2
    assert assert_found_as_plainly(key[-3:].encode(), [entry(key[-3:], key[-size:])]) == (size <= 3)


def test_a_tail_that_stands_everywhere_is_looked_at_everywhere():
    key = "a" * 16 + "b" * 13 + "aaa"
    text = ("a" * 40 + key + "a" * 40).encode()
    entries = [entry(key, "aaaa"), entry(key), entry("a" * 32), entry("a" * 20)]
    assert assert_found_as_plainly(text, entries) > 50


def test_keys_that_share_a_tail_are_told_apart():
    first, second = make_text(), make_text()
    second = second[:-4] + first[-4:]
    assert assert_found_as_plainly(f"{first},{second}".encode(), [entry(first), entry(second)]) == 2


@settings(max_examples=examples(150))
@given(st.integers(0, 2**32), st.lists(st.integers(16, 128), min_size=1, max_size=6), st.integers(0, 40))
def test_generated_texts_hold_what_the_plain_way_finds(seed, lengths, others):
    source = random.Random(seed)
    alphabet = source.choice(["ab", "abc-", string.ascii_letters + string.digits + "_-"])
    keys = ["".join(source.choices(alphabet, k=length)) for length in lengths]
    entries = [entry(key) for key in keys] + [entry(make_key(source).reveal()) for _ in range(others)]
    parts = [*keys, *(key[-source.randrange(1, 40) :] for key in keys), *("\\%\n <é\0" + alphabet)]
    text = "".join(source.choices(parts, k=12)).encode()
    assert_found_as_plainly(text, entries)


def test_every_tail_is_found_in_a_long_text_wherever_it_stands():
    keys = [make_text() for _ in range(300)]
    entries = [entry(key) for key in keys]
    text = "".join(key + "+" * number for number, key in enumerate(keys)).encode() * 2
    assert len(text) > 1 << 16  # so that it is read as a long one
    assert len(list(RememberedTails(entries).find_matches(text))) == 600
    assert list(RememberedTails(entries[:150]).find_matches(text[-2000:])) == []


def test_a_thousand_keys_take_as_many_steps_as_one():
    """Counted are the searches of the text, each of which reads it once."""

    class Counted(bytes):
        searches = 0

        def find(self, *arguments):
            Counted.searches += 1
            return super().find(*arguments)

        def __contains__(self, part):
            Counted.searches += 1
            return super().__contains__(part)

    key = make_text()
    text = Counted(f"some text, {key}, and more".encode())
    many = RememberedTails([entry(key), *(entry(make_text()) for _ in range(1000))])
    assert len(list(many.find_matches(text))) == 1
    assert 0 < Counted.searches < 10  # the one tail that was heard
