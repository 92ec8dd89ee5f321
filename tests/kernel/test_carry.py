"""A key printed in pieces does not come together, and text without one comes out as it went in."""

import random
import string

import pytest
from keys import make_key, make_text
from leaks import forms, longest_run

from mistral_nb.kernel.carry import Carry
from mistral_nb.kernel.needles import Needles
from mistral_nb.key import MARKER, Key, Secret

SPLITS = 100_000
MOST = 14
ALPHABET = string.ascii_letters + string.digits + " \n\t=.-_%/\"'\\é€😀"


def pieces(rng: random.Random, text: str) -> list[str]:
    """The text cut at random places, often into single characters."""
    count = rng.choice((1, 1, 2, 2, 3, 4, 6, 9, 15, len(text) if rng.random() < 0.3 else 1))
    cuts = sorted(rng.choices(range(len(text) + 1), k=count))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def joined(carry: Carry, parts: list[str], needles: Needles, rng: random.Random, interrupted: float) -> str:
    """What comes out; with a chance of ``interrupted`` something else comes between two pieces."""
    out = []
    for part in parts:
        out.append(carry.feed(part, needles))
        if rng.random() < interrupted:
            out.append(carry.flush(needles))
    return "".join([*out, carry.flush(needles)])


def noise(rng: random.Random, most: int = 30) -> str:
    return "".join(rng.choices(ALPHABET, k=rng.randrange(most)))


def test_no_split_of_a_key_lets_it_through():
    rng = random.Random(2026)
    key = make_key(rng)
    needles, wanted = Needles([key]), forms(key.reveal())
    for n in range(SPLITS):
        form = rng.choice(wanted) if n % 2 else key.reveal()
        start = rng.choice((0, 0, rng.randrange(len(form) // 2)))
        text = (
            noise(rng) + form[start:] + noise(rng) + (key.reveal()[: rng.randrange(33)] if n % 3 else "") + noise(rng)
        )
        shown = joined(Carry(), pieces(rng, text), needles, rng, rng.choice((0, 0.3, 1)))
        assert longest_run(shown, key.reveal()) <= MOST
        assert not any(whole in shown for whole in wanted)


def test_the_same_search_finds_what_no_carry_would_let_through():
    key = make_key(random.Random(1))
    assert longest_run(f"x {key.reveal()[3:20]} y", key.reveal()) == 17
    assert any(whole in f"_{forms(key.reveal())[2]}_" for whole in forms(key.reveal()))


def test_text_without_a_key_is_the_same_however_it_is_split():
    rng = random.Random(7)
    for _ in range(SPLITS // 4):
        key = make_key(rng)
        text = noise(rng, 60) + key.reveal()[: rng.randrange(14)] + noise(rng) + " " + key.reveal()[18:] + " "
        assert joined(Carry(), pieces(rng, text), Needles([key]), rng, rng.choice((0, 0.3, 1))) == text


def test_whole_keys_become_one_marker_each_however_they_are_split():
    rng = random.Random(11)
    for _ in range(SPLITS // 20):
        key = make_key(rng)
        text = f"a={key.reveal()} b={key.reveal()}{key.reveal()}\n"
        assert joined(Carry(), pieces(rng, text), Needles([key]), rng, 0) == f"a={MARKER} b={MARKER}{MARKER}\n"


def test_once_a_start_has_gone_out_the_rest_is_masked():
    key = make_text()
    carry, needles = Carry(), Needles([Key(key)])
    assert carry.feed(f"> {key[:9]}", needles) == "> "
    assert carry.held == key[:9]
    assert carry.flush(needles) == key[:9]
    assert carry.feed(key[9:13], needles) == ""
    assert carry.feed(key[13:20], needles) == MARKER
    assert carry.feed(f"{key[20:]} <", needles) == " <"


def test_what_can_start_no_key_is_not_held():
    key = make_text()
    start = next(c for c in string.ascii_lowercase if c not in key)
    carry = Carry()
    assert carry.feed(f"{start} 50 {start}", Needles([Key(key)])) == f"{start} 50 {start}"
    assert carry.feed(f"{key[0]}\n", Needles([Key(key)])) == f"{key[0]}\n"


@pytest.mark.parametrize(
    "text", ["correct horse battery staple", 'with "quotes" and \\ more of it', "schlüssel für den tresor"]
)
def test_a_passphrase_is_carried_too(text):
    rng = random.Random(3)
    needles = Needles([Secret(text)])
    for _ in range(500):
        assert text not in joined(Carry(), pieces(rng, f"it is {text}."), needles, rng, 0.2)


def test_two_secrets_are_told_apart():
    rng = random.Random(5)
    one, other = make_key(rng), make_key(rng)
    needles = Needles([one, other])
    text = f"{one.reveal()}{other.reveal()},{other.reveal()}"
    assert joined(Carry(), pieces(rng, text), needles, rng, 0) == f"{MARKER}{MARKER},{MARKER}"
