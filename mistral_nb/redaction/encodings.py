"""How a secret may be written: quoted, in base64, hex and percent form; and tokens decoded to be searched."""

import json
import re
from binascii import a2b_base64, b2a_base64, unhexlify
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mistral_nb.redaction.key_characters import has_run
from mistral_nb.redaction.key_spellings import HEX_DIGITS, base64_digits

_FILL = b"x"
_TO_URL_SAFE, _FROM_URL_SAFE = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+")
_BASE64_GROUP = re.compile(rb"[A-Za-z0-9+/_-]{4}")
_HEX_CLASSES = bytes(104 if c in HEX_DIGITS else 32 for c in range(256))
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}|.", re.DOTALL)
_KEY_CHARACTER = rb"[2-7][0-9a-fA-F]"  # its code in hex, roughly
# What three key characters become in base64; of random base64, one group in twenty looks like that.
_GROUP = b"".join(b"[%b]" % digits for digits in base64_digits())
_SHARED_DIGITS = (0, 2, 3)  # how many base64 digits depend on the 0, 1 or 2 bytes before the key
_BOTH_QUOTES = "'\""
# as in bytes.hex(separator), certificates, addresses and literals
_HEX_SEPARATORS = (" ", ":", "-", "_", ".", ",", ", 0x")


class Decoding(NamedTuple):
    """What a token decodes to. ``refill(i, j)``: the start and the new text for decoded bytes i to j."""

    text: bytes
    refill: Callable[[int, int], tuple[int, bytes]]


class Encodings(NamedTuple):
    """Decides whether ``shortest`` consecutive key characters may have been encoded."""

    shortest: int
    shortest_token: int  # encoded they take at least so many characters
    base64: re.Pattern[bytes]
    hex: re.Pattern[bytes]
    percent: re.Pattern[bytes]

    def may_be_encoded(self, run: bytes) -> bool:
        return len(run) >= self.shortest_token or b"%" in run

    def has_encoded(self, text: bytes) -> bool:
        return bool(
            (b"%" in text and self.percent.search(text))
            or self.base64.search(text)
            or (b"h" * (2 * self.shortest) in text.translate(_HEX_CLASSES) and self.hex.search(text))
        )


@lru_cache(maxsize=8)
def encoding_patterns(shortest: int) -> Encodings:
    return Encodings(
        shortest,
        shortest * 4 // 3,
        re.compile(rb"(?:%b){%d}" % (_GROUP, (shortest - 2) // 3)),
        re.compile(rb"(?:%b){%d,}" % (_KEY_CHARACTER, shortest)),
        re.compile(rb"%" + _KEY_CHARACTER),
    )


def decodings(text: bytes, start: int, end: int, patterns: Encodings) -> Iterator[Decoding]:
    """Each way to decode the run ``text[start:end]`` that gives enough key characters in a row."""
    for decoding in _all_decodings(text, start, end, patterns):
        if has_run(decoding.text, patterns.shortest):
            yield decoding


def _all_decodings(text: bytes, start: int, end: int, patterns: Encodings) -> Iterator[Decoding]:
    if b"%" in text[start:end]:
        yield _percent(text, start, end)
    for token in _TOKEN.finditer(text, start, end):
        first, last = token.span()
        # the last character of a key in base64 is shared with what follows, and may end the run
        extra = last == end and text[last : last + 1] in (b"+", b"/", b"-", b"_")
        for shift in {(match.start() - first) % 4 for match in patterns.base64.finditer(text, first, last)}:
            group = first + shift
            if group >= 4 and _BASE64_GROUP.match(text, group - 4):  # + and / may stand before as well
                group -= 4
            yield _base64(text, group, last + extra)
        for digits in patterns.hex.finditer(text, first, last):
            yield _hex(text, *digits.span())


def _base64(text: bytes, start: int, end: int) -> Decoding:
    token = text[start:end].translate(_FROM_URL_SAFE)
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


def written_forms(text: str) -> set[str]:
    """A text as it is, as repr and JSON write it, and as JSON inside JSON does. A key is written in one way."""
    once = {text, *_python_forms(text), _quote_json(text), _quote_json(text, ascii_only=True)}
    return once | {_quote_json(way, ascii_only=only) for way in once for only in (False, True)}


def pack_text(text: str) -> bytes:
    """How a text stands in a message of the kernel."""
    return _quote_json(text).encode("utf-8", "surrogatepass")


def base64_forms(data: bytes) -> set[str]:
    """The base64 digits that depend on the data alone, for each of the three places it can start at."""
    forms = set()
    for before in range(len(_SHARED_DIGITS)):
        digits = _base64_digits(data, before)
        forms |= {digits.decode(), digits.translate(_TO_URL_SAFE).decode()}
    return forms


def filled_base64_forms(data: bytes) -> list[tuple[bytes, bytes]]:
    """The same in the standard alphabet, each with what takes its place, so that it still decodes."""
    return [
        (_base64_digits(data, before), _base64_digits(_FILL * len(data), before))
        for before in range(len(_SHARED_DIGITS))
    ]


def _base64_digits(data: bytes, before: int) -> bytes:
    """Those that depend on the data alone where so many bytes stand before it."""
    return b2a_base64(bytes(before) + data, newline=False)[_SHARED_DIGITS[before] : (before + len(data)) * 8 // 6]


def byte_forms(text: str) -> set[bytes]:
    """In UTF-8, UTF-16 and UTF-32, in either order of the bytes."""
    wide = {text.encode(f"utf-{bits}-{order}", "surrogatepass") for bits in (16, 32) for order in ("le", "be")}
    return wide | {text.encode("utf-8", "surrogatepass")}


def hex_forms(data: bytes) -> set[str]:
    return {data.hex(), data.hex().upper()}


def separated_hex_forms(data: bytes) -> Iterator[tuple[str, str]]:
    """In hex with something between two bytes: in lower and in upper case, for each separator."""
    for separator in _HEX_SEPARATORS:
        lower = separator.join(map("%02x".__mod__, data))
        yield lower, separator.join(map("%02X".__mod__, data))


def percent_forms(data: bytes) -> set[str]:
    return {"".join(map(form.__mod__, data)) for form in ("%%%02x", "%%%02X")}


def _python_forms(text: str) -> set[str]:
    """As in the repr of a text, of its bytes, and of a longer one, whose other quotes decide on the escapes."""
    data = text.encode("utf-8", "surrogatepass")
    escaped = {
        repr(text + _BOTH_QUOTES)[1:-4],
        ascii(text + _BOTH_QUOTES)[1:-4],
        repr(data + _BOTH_QUOTES.encode())[2:-4],
    }
    return escaped | {way.replace("\\'", "'") for way in escaped}


def _quote_json(text: str, ascii_only: bool = False) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]
