"""Where a stretch of a file is cut out to be decoded, its ends are not taken for the ends of the text."""

import json
import random
import re
import string
from collections.abc import Callable

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.redaction.key_shapes import REACH, find_key_shapes
from mistral_nb.redaction.redact import redact, redact_values
from mistral_nb.watchlist import Watchlist
from support.forms import rng_of
from support.keys import make_text

_ALNUM = string.ascii_letters + string.digits
_ESCAPED = re.compile(r"\\u0000([A-Za-z0-9]{32})")
# Long texts that are no keys, keys written as escapes, words of the shape of a key, and what stands between.
PARTS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: "".join(rng.choices(_ALNUM, k=rng.randint(60, 400))),
    lambda rng: "".join(rng.choices(_ALNUM + "+/", k=rng.randint(60, 400))),
    lambda rng: "\0" + make_text(rng),
    lambda rng: rng.choice(["Mistral3ForConditionalGeneration", "getMistral7BInstructModelResults"]),
    lambda rng: " " * rng.randint(1, 40) + rng.choice("\n\t'\"="),
    lambda rng: "x" * rng.randint(1, 30),
    lambda rng: "\u00e9\u4e2d" * rng.randint(1, 60),
)


def document(rng: random.Random) -> bytes:
    """A notebook of such parts. What follows a NUL is written as escapes."""
    text = "mistral "
    for _ in range(rng.randint(3, 9)):
        text += rng.choice(PARTS)(rng) + rng.choice([" ", "\n", "  ", ": ", '"'])
    data = json.dumps({"cells": [{"cell_type": "code", "source": text}]}, indent=1, ensure_ascii=rng.random() < 0.5)
    return _ESCAPED.sub(lambda match: "".join(f"\\u{ord(c):04x}" for c in match[1]), data).encode()


def source(data: bytes) -> str:
    return str(json.loads(data)["cells"][0]["source"])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_no_json_is_broken_and_no_longer_text_loses_32_characters(part: int) -> None:
    cut = 0
    for number in range(part, 4000, 8):
        rng = rng_of("stretches", str(number))
        data = document(rng)
        long_texts = [text for text in re.findall(r"[A-Za-z0-9+/]+", source(data)) if len(text) > 40]
        cleaned = source(redact(data, Watchlist()).data)
        assert [text for text in long_texts if text not in cleaned] == []
        value = {"cells": [{"source": source(data)}]}
        assert [text for text in long_texts if text not in json.dumps(redact_values(value, Watchlist())[0])] == []
        cut += any(len(shape.match.string) < len(data) for shape in find_key_shapes(data))
    assert cut > 50, "too few of the documents have a stretch that begins or ends inside the text"


@pytest.mark.parametrize("fill", ["x", "+/", "\u4e2d", "\\\\", "\\u0041", "\x1b[31m", "\u200b", "\u00e9 "])
@pytest.mark.parametrize("distance", [REACH - 33, REACH - 32, REACH - 1, REACH, REACH + 1, REACH + 32, REACH + 200])
def test_a_key_is_found_with_anything_before_and_after_it(distance: int, fill: str) -> None:
    key = make_text(rng_of(fill, str(distance)))
    around = fill * (distance // len(fill))
    for text in (f"mistral {around} {key} {around}", f"mistral {around}\n{key}\n{around}"):
        for data in (text.encode(), json.dumps({"cells": [text]}).encode()):
            assert key.encode() in data
            assert redact(data, Watchlist()).data == data.replace(key.encode(), MARKER.encode())


@pytest.mark.parametrize("letter", "+/_-=aA9")
def test_a_text_that_goes_on_beyond_the_stretch_is_no_key(letter: str) -> None:
    shaped = make_text(rng_of(letter))
    for reach in range(REACH - 40, REACH + 80):
        long = "".join(rng_of(letter, "long").choices(_ALNUM, k=reach)) + letter
        before = [] if letter == "=" else [f"mistral {long}{shaped}"]
        for text in (*before, f"mistral {shaped}{letter}{long}"):
            assert redact(text.encode(), Watchlist()).findings == ()
