"""The readings of a text: as it is, without what can stand inside a secret and not be seen, without line breaks.

A *joined* text is one without such gaps. Whether a secret is in one is asked of the whole text at once; only where one
is, its characters are traced back.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from mistral_nb.guard.gap_patterns import LETTER, Gaps, TextKind, find_gaps, remove_gaps, replacement
from mistral_nb.guard.quick_search import contains_any
from mistral_nb.guard.text_spans import Match

if TYPE_CHECKING:
    from mistral_nb.redaction.normalize import View

_CELLS = tuple(
    opening + cell + end
    for cell in (b"td", b"th", b"tr")
    for opening, end in ((b"<", b">"), (b"</", b">"), (b"<", b" "))
)  # no gaps, and there may be very many
_FAR_APART = 100  # bytes from one tag to the next, where there are few

_FRAME = rb"(?:[ \t|>#*]|\xe2[\x94\x95][\x80-\xbf]%b)*+"
_TAG = rb"|<[^<>]*+>"
_NEW_LINE = rb"(?:\\++[rn]|[\r\n])"
_QUOTE = rb"\\*+[\"']"
_SHORTEST_LINE = 40  # base64 digits: lines have 64 or 76
_LINE = re.compile(rf"[A-Za-z0-9+/_=-]{{{_SHORTEST_LINE}}}")
_LINE_BREAKS = ("\n", "\r", "\\n", "\\r")


@lru_cache
def _wrap_patterns(has_tags: bool, cut: bool) -> tuple[re.Pattern[bytes], ...]:
    """For a line break between two letters, with the frames and quotes beside it; and for one that ends a text."""
    frame = _FRAME % (_TAG if has_tags else b"")
    breaks = rb"%b(?:%b%b)++" % (frame, _NEW_LINE, frame)
    wrap = rb"(?:%b)?+,?+%b(?:b?+%b)?+|%b,\s*+b?+%b" % (_QUOTE, breaks, _QUOTE, _QUOTE, _QUOTE)
    between = re.compile(rb"(?<=%b)(?:%b)(?=%b)" % (LETTER, wrap, LETTER))
    if not cut:
        return (between,)
    return between, re.compile(rb"(?<=[A-Za-z0-9+/_=-]{%d})(?:%b)\Z" % (_SHORTEST_LINE, wrap))


class Reading:
    """A text as a secret may be read from it: without what matches some patterns, one after the other.

    ``is_unwrapped``: without line breaks, for those forms only that are wrapped as a whole.
    """

    __slots__ = ("_original", "_patterns", "_view", "is_unwrapped", "text")

    def __init__(
        self, original: bytes, patterns: tuple[re.Pattern[bytes], ...] = (), is_unwrapped: bool = False
    ) -> None:
        self._original, self._patterns, self.is_unwrapped = original, patterns, is_unwrapped
        self.text = remove_gaps(original, patterns).decode("latin-1")
        self._view: View | None = None  # made for the few texts in which something is found

    def trace(self, start: int, end: int) -> Match:
        """Where in the original the characters from ``start`` to ``end`` stand."""
        return tuple(self._get_view().origin(start, end)) if self._patterns else ((start, end),)

    def count_before(self, index: int) -> int:
        """How many characters stand before a place in the original."""
        if not self._patterns:
            return index
        view, low, high = self._get_view(), 0, len(self.text)
        while low < high:
            middle = (low + high) // 2
            if view.origin(middle, middle + 1)[0][0] < index:
                low = middle + 1
            else:
                high = middle
        return low

    def _get_view(self) -> "View":
        view = self._view
        if view is None:
            from mistral_nb.redaction.normalize import Edit, View

            view = View(self._original)
            for pattern in self._patterns:
                view = view.apply_edits(
                    Edit(*match.span(), replacement(match)) for match in pattern.finditer(view.text)
                )
            self._view = view
        return view


def joined_texts(data: bytes, json: bool = False) -> Iterator[bytes]:
    """The text without what splits secrets, in each way that differs. ``json``: it is a packed message."""
    hidden = _hide_cells(data)
    done: list[bytes] = []
    for gaps in find_gaps(hidden, TextKind(json)):
        joined = remove_gaps(hidden, gaps.patterns)
        if joined == hidden and not done:  # where all kinds together leave nothing out, none alone does
            return
        if joined != hidden and joined not in done:
            done.append(joined)
            yield joined


def readings(text: str, json: bool = False) -> Iterator[Reading]:
    """The text itself; joined, as by `joined_texts`; and each of these without its line breaks."""
    data = _hide_cells(text.encode("latin-1"))
    yield from _differing(text, data, find_gaps(data, TextKind(json)), has_lines=True)


def readings_of_end(text: str) -> Iterator[Reading]:
    """The same of a text that goes on: what may become a gap at its end is left out as well."""
    has_lines = any(mark in text for mark in _LINE_BREAKS) and bool(_LINE.search(text))
    data = text.encode("latin-1")
    if has_lines or (is_split(text) and not text.endswith(("\n", "\r"))):
        data = _hide_cells(data)
        yield from _differing(text, data, find_gaps(data, TextKind(cut=True)), has_lines, cut=True)
    else:
        yield Reading(data)


def is_split(text: str) -> bool:
    """Whether a text may hold a gap, or the start of one."""
    return not text.isascii() or any(mark in text for mark in ("<", "\x1b", "&", "\\", "\0"))


def _differing(text: str, data: bytes, ways: Iterator[Gaps], has_lines: bool, cut: bool = False) -> Iterator[Reading]:
    """The text, joined and unwrapped; none of these twice. ``data``: the text with its cells hidden."""
    yield Reading(text.encode("latin-1"))
    joined, unwrapped = {data.decode("latin-1")}, set[str]()
    for gaps in (*ways, Gaps((), has_tags=False)):
        if gaps.patterns:
            reading = Reading(data, gaps.patterns)
            if reading.text not in joined:
                joined.add(reading.text)
                yield reading
        if has_lines:
            reading = Reading(data, (*gaps.patterns, *_wrap_patterns(gaps.has_tags, cut)), is_unwrapped=True)
            if reading.text not in joined | unwrapped:
                unwrapped.add(reading.text)
                yield reading


def _hide_cells(data: bytes) -> bytes:
    """A text full of tags with other characters, as many, for the plainest of those of tables."""
    if b"<" not in data or data.count(b"<") * _FAR_APART < len(data):
        return data
    for tag in _CELLS:
        if contains_any(data, (tag,)):
            data = data.replace(tag, b" " * len(tag))
    return data
