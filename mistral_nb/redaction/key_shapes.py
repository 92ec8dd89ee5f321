"""Texts with the shape of a key: 32 letters and digits that stand by themselves, whatever escapes are around them.

Only stretches around what may be such a text are decoded, because most of a file is none.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb.redaction.findings import Span
from mistral_nb.redaction.key_characters import NARROW, find_runs, is_mixed
from mistral_nb.redaction.key_spellings import STANDARD_LENGTH
from mistral_nb.redaction.normalize import View, decode_escapes

REACH = 250  # bytes decoded on either side: enough for the line's label and comment
_SIGNS = rb"A-Za-z0-9+/_-"  # what goes on in base64 or in a longer name
_SHAPE = re.compile(rb"(?<![%b])[A-Za-z0-9]{%d}(?![=%b])" % (_SIGNS, STANDARD_LENGTH, _SIGNS))
_SIGN = (b"+", b"/", b"_", b"-")
_GOES_ON = re.compile(rb"[%b]" % _SIGNS)
_GOES_ON_AFTER = re.compile(rb"[=%b]" % _SIGNS)
# A key may be glued to the letters of an escape before it; what is longer is encoded data.
_MAYBE = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z0-9]{32,100}+(?![A-Za-z0-9])")
_LONGEST = 100
_BACKSLASH = ord("\\")
# Where a stretch may begin or end: not inside an escape or a letter of UTF-8, and if possible not inside a run.
_CUT = rb"(?:(?<!\\)[\t\n\r !\"#$&'()*,.:;<>?@\[\\\]^`{|}~\xc2-\xf4]|(?<=[+/]))"
_FIRST_CUT = re.compile(_CUT)
_LAST_CUT = re.compile(rb"(?s:.*)(?=%b)" % _CUT)


class KeyShape(NamedTuple):
    """One such text: ``match`` in the decoded stretch ``match.string``, and where it is in the file."""

    match: re.Match[bytes]
    start: int
    end: int

    def __repr__(self) -> str:
        return "<KeyShape>"


class _Stretch(NamedTuple):
    start: int
    end: int


def find_key_shapes(text: bytes) -> Iterator[KeyShape]:
    for stretch in _find_stretches(text):
        # a NUL ends a key: between the variables of /proc/self/environ there is nothing else
        view = decode_escapes(View(text[stretch.start : stretch.end]), nul=b"\0")
        for match in _SHAPE.finditer(view.text):
            spans = view.origin(*match.span())
            if len(spans) == 1 and not _goes_on_outside(text, stretch, match):
                yield KeyShape(match, stretch.start + spans[0][0], stretch.start + spans[0][1])


def _find_stretches(text: bytes) -> Iterator[_Stretch]:
    """Stretches around what may have the shape. Their ends cut no escape."""
    start = end = -1
    for span in _find_candidates(text):
        low, high = _stretch_start(text, span), _stretch_end(text, span)
        if low > end:
            if end >= 0:
                yield _Stretch(start, end)
            start = low
        end = max(end, high)
    if end >= 0:
        yield _Stretch(start, end)


def _find_candidates(text: bytes) -> Iterator[Span]:
    """Where the letters and digits of such a text may stand, perhaps with some of an escape before them."""
    for run in find_runs(text, STANDARD_LENGTH, NARROW):
        if len(run.text) > _LONGEST and b"\\" not in run.text and b"%" not in run.text:
            continue
        for match in _MAYBE.finditer(run.text):
            low, high = run.start + match.start(), run.start + match.end()
            if text[low - 1 : low] not in _SIGN and text[high : high + 1] not in _SIGN and is_mixed(match[0]):
                yield low, high


def _stretch_start(text: bytes, span: Span) -> int:
    if span[0] <= REACH:
        return 0
    cut = _FIRST_CUT.search(text, span[0] - REACH, span[0])
    if cut:
        return cut.start()
    start = span[0]
    while start and text[start - 1] == _BACKSLASH:
        start -= 1
    return start


def _stretch_end(text: bytes, span: Span) -> int:
    if len(text) - span[1] <= REACH:
        return len(text)
    cut = _LAST_CUT.match(text, span[1], span[1] + REACH)
    return cut.end() if cut else span[1]


def _goes_on_outside(text: bytes, stretch: _Stretch, match: re.Match[bytes]) -> bool:
    """Whether it is only a part of what is there: it ends where the stretch does, and the text goes on."""
    before = match.start() == 0 and stretch.start and _GOES_ON.match(text, stretch.start - 1)
    return bool(before or (match.end() == len(match.string) and _GOES_ON_AFTER.match(text, stretch.end)))
