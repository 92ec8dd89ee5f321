"""Keys in base64, hex and percent form: decoded to be looked into, refilled so that they still decode."""

import re
from binascii import a2b_base64, b2a_base64, unhexlify
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mistral_nb.scrub.shapes import has_run

_FILL = b"x"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+")
_BASE64_GROUP = re.compile(rb"[A-Za-z0-9+/_-]{4}")
_HEX_CLASSES = bytes(104 if c in b"0123456789abcdefABCDEF" else 32 for c in range(256))
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}|.", re.DOTALL)
_KEY_CHARACTER = rb"[2-7][0-9a-fA-F]"  # its code in hex, roughly
# What three key characters become in base64; of random base64, one group in twenty looks like that.
_GROUP = rb"[L-OQ-Za-e][C-HS-Xi-nyz0-3][ABEFIJMNQRUVYZcdghklopstwx014589][B-Zafh-z0-6]"


class Decoding(NamedTuple):
    """What a token decodes to. ``refill(i, j)``: the start and the new text for decoded bytes i to j."""

    text: bytes
    refill: Callable[[int, int], tuple[int, bytes]]


class Encodings(NamedTuple):
    """What tells that ``shortest`` key characters in a row may have been encoded."""

    shortest: int
    shortest_token: int  # encoded they take at least so many characters
    base64: re.Pattern[bytes]
    hex: re.Pattern[bytes]
    percent: re.Pattern[bytes]

    def may_be_in(self, run: bytes) -> bool:
        return len(run) >= self.shortest_token or b"%" in run

    def any_in(self, text: bytes) -> bool:
        return bool(
            (b"%" in text and self.percent.search(text))
            or self.base64.search(text)
            or (b"h" * (2 * self.shortest) in text.translate(_HEX_CLASSES) and self.hex.search(text))
        )


@lru_cache(maxsize=8)
def encodings(shortest: int) -> Encodings:
    return Encodings(
        shortest,
        shortest * 4 // 3,
        re.compile(rb"(?:%b){%d}" % (_GROUP, (shortest - 2) // 3)),
        re.compile(rb"(?:%b){%d,}" % (_KEY_CHARACTER, shortest)),
        re.compile(rb"%" + _KEY_CHARACTER),
    )


def decodings(text: bytes, start: int, end: int, wanted: Encodings) -> Iterator[Decoding]:
    """Each way to decode the run ``text[start:end]`` that gives enough key characters in a row."""
    for decoding in _all_decodings(text, start, end, wanted):
        if has_run(decoding.text, wanted.shortest):
            yield decoding


def _all_decodings(text: bytes, start: int, end: int, wanted: Encodings) -> Iterator[Decoding]:
    if b"%" in text[start:end]:
        yield _percent(text, start, end)
    for token in _TOKEN.finditer(text, start, end):
        first, last = token.span()
        # the last character of a key in base64 is shared with what follows, and may end the run
        extra = last == end and text[last : last + 1] in (b"+", b"/", b"-", b"_")
        for shift in {(match.start() - first) % 4 for match in wanted.base64.finditer(text, first, last)}:
            group = first + shift
            if group >= 4 and _BASE64_GROUP.match(text, group - 4):  # + and / may stand before as well
                group -= 4
            yield _base64(text, group, last + extra)
        for digits in wanted.hex.finditer(text, first, last):
            yield _hex(text, *digits.span())


def _base64(text: bytes, start: int, end: int) -> Decoding:
    token = text[start:end].translate(_URL_SAFE)
    decoded = a2b_base64(token + b"A" * (-len(token) % 4))

    def refill(first: int, last: int) -> tuple[int, bytes]:
        """Only the sextets that hold bits of the key change; the neighbours' bits in them stay."""
        low, high = first * 8 // 6, min(-(-last * 8 // 6), len(token))
        group, groups = first // 3, -(-last // 3)
        filled = decoded[group * 3 : first] + _FILL * (last - first) + decoded[last : groups * 3]
        return start + low, b2a_base64(filled, newline=False)[low - group * 4 : high - group * 4]

    return Decoding(decoded, refill)


def _hex(text: bytes, start: int, end: int) -> Decoding:
    end -= (end - start) % 2

    def refill(first: int, last: int) -> tuple[int, bytes]:
        return start + 2 * first, _FILL.hex().encode() * (last - first)

    return Decoding(unhexlify(text[start:end]), refill)


def _percent(text: bytes, start: int, end: int) -> Decoding:
    units = [match.span() for match in _PERCENT.finditer(text, start, end)]
    decoded = bytes(int(text[a + 1 : b], 16) if b - a == 3 else text[a] for a, b in units)

    def refill(first: int, last: int) -> tuple[int, bytes]:
        sizes = (b - a for a, b in units[first:last])
        return units[first][0], b"".join(b"%" + _FILL.hex().encode() if n == 3 else _FILL for n in sizes)

    return Decoding(decoded, refill)
