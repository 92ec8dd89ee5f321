"""A key printed in pieces does not come together, and text without one comes out as it went in."""

import random
import string

import pytest

from mistral_nb.api_key import MARKER, Key, Secret
from mistral_nb.guard.stream_buffer import StreamRedactor
from mistral_nb.guard.text_matcher import TextMatcher
from support.keys import make_key, make_text
from support.leaks import forms, longest_run, shown_of
from support.written import in_base64_lines, written_somehow

many_splits = pytest.mark.parametrize("splits", [3_000, pytest.param(20_000, marks=pytest.mark.slow)])
MOST = 14
ALPHABET = string.ascii_letters + string.digits + " \n\t=.-_%/\"'\\é€😀"


def pieces(rng: random.Random, text: str) -> list[str]:
    """The text cut at random places, often into single characters."""
    count = rng.choice((1, 1, 2, 2, 3, 4, 6, 9, 15, len(text) if rng.random() < 0.3 else 1))
    cuts = sorted(rng.choices(range(len(text) + 1), k=count))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def joined(
    carry: StreamRedactor, parts: list[str], needles: TextMatcher, rng: random.Random, interrupted: float
) -> str:
    """What comes out; with a chance of ``interrupted`` something else comes between two pieces."""
    out = []
    for part in parts:
        out.append(carry.feed(part, needles))
        if rng.random() < interrupted:
            out.append(carry.flush(needles))
    return "".join([*out, carry.flush(needles)])


def noise(rng: random.Random, most: int = 30) -> str:
    return "".join(rng.choices(ALPHABET, k=rng.randrange(most)))


@pytest.mark.slow
@many_splits
def test_no_split_of_a_key_lets_it_through(splits):
    rng = random.Random(2026)
    key = make_key(rng)
    needles, wanted = TextMatcher([key]), forms(key.reveal())
    for n in range(splits):
        form = rng.choice(wanted) if n % 2 else key.reveal()
        start = rng.choice((0, 0, rng.randrange(len(form) // 2)))
        text = (
            noise(rng) + form[start:] + noise(rng) + (key.reveal()[: rng.randrange(33)] if n % 3 else "") + noise(rng)
        )
        shown = joined(StreamRedactor(), pieces(rng, text), needles, rng, rng.choice((0, 0.3, 1)))
        assert longest_run(shown, key.reveal()) <= MOST
        assert not any(whole in shown for whole in wanted)


@pytest.mark.slow
@many_splits
def test_no_split_of_a_wrapped_or_interrupted_key_lets_it_through(splits):
    rng = random.Random(1996)
    seen = 0
    for _ in range(splits // 25):
        key = make_key(rng)
        text = written_somehow(rng, key.reveal())
        shown = joined(StreamRedactor(), pieces(rng, text), TextMatcher([key]), rng, rng.choice((0, 0, 0.3, 1)))
        assert not shown_of(shown, key.reveal())
        seen += bool(shown_of(text, key.reveal()))
    assert seen == splits // 25  # without the guard each shows the key


@many_splits
def test_what_is_wrapped_or_interrupted_and_no_key_comes_out_as_it_went_in(splits):
    rng = random.Random(1997)
    for _ in range(splits // 50):
        text = written_somehow(rng, make_text(rng)) + written_somehow(rng, make_text(rng))
        assert joined(StreamRedactor(), pieces(rng, text), TextMatcher([make_key(rng)]), rng, 0.3) == text


@pytest.mark.parametrize("width", [64, 76])
def test_base64_printed_line_by_line_is_removed_at_each_place(width):
    key = make_key(random.Random(4))
    matcher, slow = TextMatcher([key]), random.Random(5)
    for before in range(width):
        lines = in_base64_lines(key.reveal(), before, width, "\n").splitlines(keepends=True)
        for interrupted in (0, 1):
            shown = joined(StreamRedactor(), lines, matcher, slow, interrupted)
            assert not shown_of(shown, key.reveal())
            assert shown.count(MARKER) == 1
        assert shown_of("".join(lines), key.reveal())


@pytest.mark.parametrize("count", [1, 100])
def test_a_line_that_ends_is_not_held(count):
    rng = random.Random(6)
    carry, matcher = StreamRedactor(), TextMatcher([make_key(rng) for _ in range(count)])
    for line in ("a line of text\n", "\x1b[31mred\x1b[0m\n", "<b>bold</b>\r\n", "12:34:56 a4\n"):
        assert carry.feed(line, matcher) == line


def test_without_the_carry_the_same_search_finds_the_key():
    key = make_key(random.Random(1))
    assert longest_run(f"x {key.reveal()[3:20]} y", key.reveal()) == 17
    assert any(whole in f"_{forms(key.reveal())[2]}_" for whole in forms(key.reveal()))


@pytest.mark.slow
@many_splits
def test_text_without_a_key_is_the_same_however_it_is_split(splits):
    rng = random.Random(7)
    for _ in range(splits // 4):
        key = make_key(rng)
        text = noise(rng, 60) + key.reveal()[: rng.randrange(14)] + noise(rng) + " " + key.reveal()[18:] + " "
        assert joined(StreamRedactor(), pieces(rng, text), TextMatcher([key]), rng, rng.choice((0, 0.3, 1))) == text


@pytest.mark.slow
@many_splits
def test_whole_keys_become_one_marker_each_however_they_are_split(splits):
    rng = random.Random(11)
    for _ in range(splits // 20):
        key = make_key(rng)
        text = f"a={key.reveal()} b={key.reveal()}{key.reveal()}\n"
        assert (
            joined(StreamRedactor(), pieces(rng, text), TextMatcher([key]), rng, 0)
            == f"a={MARKER} b={MARKER}{MARKER}\n"
        )


def test_once_a_start_was_sent_the_rest_is_masked():
    key = make_text()
    carry, needles = StreamRedactor(), TextMatcher([Key(key)])
    assert carry.feed(f"> {key[:9]}", needles) == "> "
    assert carry.held == key[:9]
    assert carry.flush(needles) == key[:9]
    assert carry.feed(key[9:13], needles) == ""
    assert carry.feed(key[13:20], needles) == MARKER
    assert carry.feed(f"{key[20:]} <", needles) == " <"


def test_what_can_start_no_key_is_not_held():
    key = make_text()
    starts = {form[0].lower() for form in forms(key)}
    start = next(c for c in string.ascii_lowercase if c not in starts and c not in key)
    carry = StreamRedactor()
    assert carry.feed(f"{start} 50 {start}", TextMatcher([Key(key)])) == f"{start} 50 {start}"
    assert carry.feed(f"{key[0]}\n", TextMatcher([Key(key)])) == f"{key[0]}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["correct horse battery staple", 'with "quotes" and \\ more of it', "schlüssel für den tresor"]
)
def test_a_passphrase_is_carried_too(text):
    rng = random.Random(3)
    needles = TextMatcher([Secret(text)])
    for _ in range(500):
        assert text not in joined(StreamRedactor(), pieces(rng, f"it is {text}."), needles, rng, 0.2)


def test_two_secrets_are_distinguished():
    rng = random.Random(5)
    one, other = make_key(rng), make_key(rng)
    needles = TextMatcher([one, other])
    text = f"{one.reveal()}{other.reveal()},{other.reveal()}"
    assert joined(StreamRedactor(), pieces(rng, text), needles, rng, 0) == f"{MARKER}{MARKER},{MARKER}"


@pytest.mark.parametrize("attribute", ["", "x" * 100, "word " * 80, "\n" * 300])
def test_a_long_tag_cut_by_two_messages_hides_no_key(attribute):
    key = make_text()
    parts = [f"{key[:10]}<b title='", attribute, f"'>{key[10:20]}", "<b>", key[20:]]
    carry, matcher = StreamRedactor(), TextMatcher([Key(key)])
    shown = "".join([*(carry.feed(part, matcher) + carry.flush(matcher) for part in parts), carry.flush(matcher)])
    assert not shown_of(shown, key)
    assert shown_of("".join(parts), key)
