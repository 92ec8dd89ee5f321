"""What can stand between two characters of a secret and not be seen, as patterns for a text and for packed JSON.

Made of the parts of `redaction.key_spellings`. The kinds below may take letters with them, and what looks like one
may be none: ``a <b and c> d`` has no tag, and a page, unlike a terminal, shows what follows an escape. So a text is
read with and without each kind that is in it (`find_gaps`). The other gaps, invisible characters and their entities,
have no letters of a secret in them and are always gaps.

In packed JSON a gap never reaches over the end of its string, and a character after an odd number of backslashes is
that of the text, not one that the text shows escaped.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mistral_nb.guard.quick_search import contains_any
from mistral_nb.redaction.key_spellings import (
    COLOUR,
    ESCAPED,
    INVISIBLE,
    INVISIBLE_BYTES,
    INVISIBLE_CODES,
    INVISIBLE_ENTITY,
    OTHER_CODE,
)

LETTER = rb"[A-Za-z0-9+/_%=-]"  # of a secret, plain or encoded: most gaps do not stand between two
# Tags of HTML; colours of a terminal; its other codes; any of these and of the invisible ones, shown escaped.
_TAGS, _COLOURS, _CODES, _ESCAPES = 1, 2, 4, 8
# Which kinds are left out together. Whatever interprets the other codes interprets colours as well.
_READINGS = [kinds for kinds in range(15, -1, -1) if kinds & _COLOURS or not kinds & _CODES]


class _Gap(NamedTuple):
    kind: int  # 0: always a gap
    first: bytes  # the byte that it begins with, which most texts do not have
    rest: bytes  # a pattern for what follows
    marks: tuple[bytes, ...] = ()  # of which a text with this gap has one


_SHOWN = (
    rb"(?:%b|%b|u003[cC][^<>\\\"]*+\\++u003[eE]|x(?=[0-9a-fA-F]{2}))"  # the last: hex as Python and C write it
) % (ESCAPED, INVISIBLE_BYTES)
_NO_CELL = rb"(?!/?+[tT][dDhHrR][\s>/\\])"  # tags of a table keep apart what they stand between
_COLOUR = rb"\[[0-9;:]*+m"
_CODE = rb"(?!" + _COLOUR + rb")(?:\[" + COLOUR + rb"|" + OTHER_CODE + rb")"
_CODE_MARKS = (b"\\u001", b"\\u009")
_ANYWHERE = (
    _Gap(_CODES, b"\xc2", rb"\x9b" + COLOUR),
    _Gap(0, b"&", INVISIBLE_ENTITY),
    *(_Gap(0, first, rest) for first, rest in INVISIBLE.items()),
)
_IN_TEXT = (
    _Gap(_TAGS, b"<", _NO_CELL + rb"[^<>]*+>"),
    _Gap(_COLOURS, b"\x1b", _COLOUR),
    _Gap(_CODES, b"\x1b", _CODE),
    _Gap(_ESCAPES, b"\\", rb"\\*+" + _SHOWN),
    _Gap(0, b"\0", b""),
    *_ANYWHERE,
)
_IN_JSON = (
    _Gap(_TAGS, b"<", _NO_CELL + rb"[^<>\"\\]*+(?:\\[^<>][^<>\"\\]*+)*+>"),
    _Gap(_COLOURS, b"\\", rb"(?:\\\\)*+u001[bB]" + _COLOUR, _CODE_MARKS),
    _Gap(_CODES, b"\\", rb"(?:\\\\)*+u(?:001[bB]" + _CODE + rb"|009[bB]" + COLOUR + rb")", _CODE_MARKS),
    _Gap(_ESCAPES, b"\\", rb"(?:\\(?:\\\\)*+|\\*+(?=u003))" + _SHOWN, (rb"\\u", rb"\\x", rb"\\0", b"\\u003")),
    _Gap(0, b"\\", rb"(?:\\\\)*+u(?!001)(?:" + INVISIBLE_CODES + rb"|0026" + INVISIBLE_ENTITY + rb")", (b"\\u",)),
    *_ANYWHERE,
)
_IN_CUT_TEXT = (  # which goes on, and may end inside a gap
    *_IN_TEXT,
    _Gap(_TAGS, b"<", rb"[^<>\r\n]{0,500}+\Z"),
    _Gap(_COLOURS, b"\x1b", rb"(?:\[[0-9;:]*+)?+\Z"),
    _Gap(_CODES, b"\x1b", rb"(?:\[[0-?]*+[ !#-/]*+|[()]|\][^\x07\x1b]{0,2000}+\x1b?+)?+\Z"),
    _Gap(_CODES, b"\xc2", rb"\x9b[0-?]*+[ !#-/]*+\Z"),
    _Gap(
        _ESCAPES,
        b"\\",
        rb"\\*+(?:(?:x[0-9a-f]{2}\\++){1,2}(?:x[0-9a-f]?+)?+"
        rb"|(?:u[0-9a-fA-F]{0,4}+|x[0-9a-fA-F]{0,2}+|0[0-3]{0,2}+)(?:\[[0-?]*+|\][^\"\\]{0,200}+)?+)?+\Z",
    ),
    _Gap(0, b"&", rb"[#\w]{0,20}+\Z"),
)
_ESCAPES_IN_TEXT, _ESCAPES_IN_JSON = (b"\\u", b"\\x", b"\\033"), (b"\\u", b"\\\\")  # many texts have backslashes
_CODED = re.compile(  # a letter as HTML may write it
    rb"&#(?:0*+(37|4[35789]|5[0-7]|6[15-9]|[78][0-9]|9[05789]|1[01][0-9]|12[0-2])"
    rb"|[xX]0*+(2[5bBdDfF]|3[0-9dD]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA]));"
)


class TextKind(NamedTuple):
    """Where gaps are looked for: in packed JSON, or in a text; ``cut``: one that goes on, and may end inside a gap."""

    json: bool = False
    cut: bool = False

    def gaps(self) -> tuple[_Gap, ...]:
        return _IN_JSON if self.json else _IN_CUT_TEXT if self.cut else _IN_TEXT


class Gaps(NamedTuple):
    """What is left out of a text in one reading of it, and which letters are written otherwise: see `remove_gaps`."""

    patterns: tuple[re.Pattern[bytes], ...]  # to be applied one after the other
    has_tags: bool


def find_gaps(data: bytes, text_kind: TextKind) -> Iterator[Gaps]:
    """For each way to read a text: with all kinds of gaps that it may have, and with fewer; nothing if it has none."""
    if not _may_have_gaps(data, text_kind):
        return
    coded = (_CODED,) if b"&#" in data and _CODED.search(data) else ()
    for numbers, has_tags in _ways(text_kind, tuple(_find_kinds(data, text_kind))):
        if numbers or coded:
            pattern = (_pattern_of(text_kind, numbers, bool(coded)),) if numbers else ()
            yield Gaps((*pattern, *coded), has_tags)


def replacement(match: re.Match[bytes]) -> bytes:
    """What a match stands for: a letter, or nothing."""
    if match.re is not _CODED:
        return b""
    return bytes([int(match[1]) if match[1] else int(match[2], 16)])


def remove_gaps(data: bytes, patterns: Iterable[re.Pattern[bytes]]) -> bytes:
    for pattern in patterns:
        data = pattern.sub(replacement if pattern is _CODED else b"", data)
    return data


# Patterns are compiled where a text has such gaps: all of them take longer than the rest of starting the guard. Each
# begins with the first byte of a gap, which keeps the search fast.


def _may_have_gaps(data: bytes, text_kind: TextKind) -> bool:
    """Asked of every message; of nearly all that are ASCII the answer is no."""
    if not data.isascii() or b"<" in data or b"&" in data or b"\x1b" in data or b"\0" in data:
        return True
    marks = _ESCAPES_IN_JSON if text_kind.json else _ESCAPES_IN_TEXT
    return b"\\" in data and (text_kind.cut or contains_any(data, marks))


def _find_kinds(data: bytes, text_kind: TextKind) -> Iterator[int]:
    """Which of the gaps a text has."""
    is_ascii, marked = data.isascii(), dict[tuple[bytes, ...], bool]()
    for number, gap in enumerate(text_kind.gaps()):
        if (is_ascii and not gap.first.isascii()) or gap.first not in data:
            continue
        if gap.marks and gap.marks not in marked:
            marked[gap.marks] = contains_any(data, gap.marks)
        if marked.get(gap.marks, True) and _anywhere(gap).search(data):
            yield number


@lru_cache
def _anywhere(gap: _Gap) -> re.Pattern[bytes]:
    return re.compile(re.escape(gap.first) + gap.rest)


@lru_cache(maxsize=512)
def _ways(text_kind: TextKind, there: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], bool], ...]:
    """Which of the gaps that a text has are left out in one reading, all first; and whether tags are among them."""
    ways: dict[tuple[int, ...], bool] = {}
    for kinds in _READINGS:
        numbers = tuple(n for n in there if text_kind.gaps()[n].kind & ~kinds == 0)
        ways.setdefault(numbers, any(text_kind.gaps()[n].kind == _TAGS for n in numbers))
    return tuple(ways.items())


@lru_cache(maxsize=512)
def _pattern_of(text_kind: TextKind, numbers: tuple[int, ...], is_coded: bool) -> re.Pattern[bytes]:
    """For some of the gaps, that follow each other between two letters."""
    before, after = (rb"[A-Za-z0-9+/_%=;-]", rb"[A-Za-z0-9+/_%=&-]") if is_coded else (LETTER, LETTER)
    rests: dict[bytes, list[bytes]] = {}
    for gap in (text_kind.gaps()[n] for n in numbers):
        rests.setdefault(re.escape(gap.first), []).append(gap.rest)
    begun = rb"%b(?<=%b%b)(?:%b)"
    begin = b"|".join(begun % (first, before, first, b"|".join(rest)) for first, rest in rests.items())
    more = b"|".join(rb"%b(?:%b)" % (first, b"|".join(rest)) for first, rest in rests.items())
    return re.compile(rb"(?:%b)(?:%b)*+(?=%b|\Z)" % (begin, more, after))
