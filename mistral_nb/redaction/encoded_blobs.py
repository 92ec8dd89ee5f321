"""Long base64: audio, numbers of plots, widgets' buffers. What certainly holds no key is cut out before the search.

A stretch of nothing but base64 digits, in one piece or in lines of one length, cannot interrupt a key. So it is
enough to look for keys that stand in it plainly, in base64 or in hex, and that is done a few bytes at a time. Its
ends, and what is around anything suspicious in it, are left to the search that knows all forms.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mistral_nb.redaction.encodings import encoding_patterns
from mistral_nb.redaction.findings import Span
from mistral_nb.redaction.key_spellings import ALNUM, HEX_DIGITS, base64_digits
from mistral_nb.redaction.search_terms import SearchTerms

_SMALLEST = 8192  # bytes; what is shorter is not worth it
_STEP = 1024  # one byte in so many is looked at, to find long base64
_FEWEST = 6  # digits found so: lines of it have other characters between them
_CHUNK = 1 << 16
_MARGIN = 1024  # bytes left at each end and around each hit: more than any written form of a key takes
_MOST_HITS = 1000
_LINE = range(48, 129)  # characters of a line of wrapped base64; a key by itself is shorter
_DIGITS = bytes(107 if c in ALNUM + b"+/_-" else 32 for c in range(256))
_BREAK = re.compile(rb'\\++n(?:",\s*+")?|\r?\n[ \t]*+(?:"?,?\s*+")?')
# Those of a group's first three digits: nearly every digit can be its fourth.
_CLASSES = tuple(bytes(int(c in digits) for c in range(256)) for digits in base64_digits()[:3])
_HEX = bytes(104 if c in HEX_DIGITS else 32 for c in range(256))
_HEX_STEP = 4


class _Blob(NamedTuple):
    """Where it stands. ``line``: the length of its lines, and what is between two; 0 for one piece."""

    start: int
    end: int
    line: int
    between: bytes

    def content(self, data: bytes) -> bytes:
        text = data[self.start : self.end]
        return text.replace(self.between, b"") if self.line else text

    def offset(self, position: int) -> int:
        """Where in the file a character of the content stands."""
        return self.start + position + (position // self.line * len(self.between) if self.line else 0)


def find_empty_blobs(data: bytes, images: list[Span], terms: SearchTerms) -> list[Span]:
    """The stretches of long base64 outside the images that hold no key."""
    spans: list[Span] = []
    starts, ends = [0, *(end for _, end in images)], [*(start for start, _ in images), len(data)]
    for low, high in zip(starts, ends, strict=True):
        if high - low >= _SMALLEST:
            for blob in _find_blobs(data, low, high):
                spans += _empty_parts(blob, data, terms)
    return spans


def _find_blobs(data: bytes, low: int, high: int) -> Iterator[_Blob]:
    sample = data[low:high:_STEP].translate(_DIGITS)
    needle = b"k" * _FEWEST
    found = sample.find(needle)
    while found >= 0:
        position = low + found * _STEP
        blob = _blob_at(data, position, high)
        if blob.end - blob.start >= _SMALLEST // 2:
            yield blob
        found = sample.find(needle, max(found + 1, (blob.end - low) // _STEP))


def _blob_at(data: bytes, position: int, high: int) -> _Blob:
    end = _end_of_digits(data, position, high)
    gap = _BREAK.match(data, end, high) if end - position <= _LINE[-1] else None
    if gap:
        start = gap.end()
        line = _end_of_digits(data, start, high) - start
        if line in _LINE:
            lines = _lines(line, gap[0]).match(data, start, high)
            if lines:
                return _Blob(start, lines.end(), line, gap[0])
    return _Blob(position, end, 0, b"")


def _end_of_digits(data: bytes, position: int, high: int) -> int:
    chunk = _LINE[-1]
    while position < high:
        found = data[position : min(high, position + chunk)].translate(_DIGITS).find(b" ")
        if found >= 0:
            return position + found
        position += chunk
        chunk = _CHUNK
    return high


@lru_cache(maxsize=16)
def _lines(length: int, between: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:[A-Za-z0-9+/_-]{%d}%b)++" % (length, re.escape(between)))


def _empty_parts(blob: _Blob, data: bytes, terms: SearchTerms) -> Iterator[Span]:
    content = blob.content(data)
    hits = sorted(_find_hits(content, terms))
    if len(hits) > _MOST_HITS:
        return
    low = _MARGIN
    for start, end in [*hits, (len(content), len(content))]:
        high = start - _MARGIN
        if high > low:
            yield blob.offset(low), blob.offset(high)
        low = max(low, end + _MARGIN)


def _find_hits(content: bytes, terms: SearchTerms) -> Iterator[Span]:
    """Where anything in the content may be a key, as it is or encoded."""
    yield from ((match.start, match.end) for match in terms.find_plain(content))
    shortest = terms.shortest_whole
    yield from _find_base64(content, shortest)
    yield from _find_hex(content, shortest)


def _find_hex(content: bytes, shortest: int) -> Iterator[Span]:
    """Enough pairs of hex digits in a row, of which one in every few digits is looked at."""
    pattern = encoding_patterns(shortest).hex
    sample, needle = content[::_HEX_STEP].translate(_HEX), b"h" * (2 * shortest // _HEX_STEP - 1)
    at = sample.find(needle)
    while at >= 0:
        end = at * _HEX_STEP + 4 * shortest
        match = pattern.search(content, max(0, at * _HEX_STEP - 2 * shortest), end + 2 * shortest)
        if match:
            yield match.span()
        at = sample.find(needle, end // _HEX_STEP - len(needle))


def _find_base64(content: bytes, shortest: int) -> Iterable[Span]:
    """Enough groups in a row that key characters may have become. One group in every few is looked at.

    In a key several of those in a row look like this; in random base64 that many rarely do.
    """
    groups = (shortest - 2) // 3
    apart = max(1, groups // 3)
    step, needle = 4 * apart, b"\1" * (groups // apart)
    pattern = encoding_patterns(shortest).base64
    columns = [content[place::step] for place in range(6)]
    for shift in range(4):
        size = len(columns[shift + 2])
        masks = (
            int.from_bytes(columns[shift + place][:size].translate(members), "little")
            for place, members in enumerate(_CLASSES)
        )
        both = next(masks)
        for mask in masks:
            both &= mask
        marks = both.to_bytes(size, "little")
        at = marks.find(needle)
        done = 0
        while at >= 0:
            position = at * step + shift
            match = pattern.search(content, max(done, position - 4 * groups), position + 8 * groups)
            if match:
                yield match.span()
                done = match.end()
            at = marks.find(needle, at + 1)
