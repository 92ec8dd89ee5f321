"""The passage that a literal stands in, as its author wrote it: a cell's source, one output, a stretch of a file.

In a notebook both are JSON strings, or lists of them, with escapes; a literal that is a JSON value itself (a
parameter, a widget's state) stands in the JSON text.
"""

import re
from bisect import bisect_right

from mistral_nb.redaction.findings import Span

_REACH = 6000  # bytes on each side of a literal that are looked at
_MARGIN = 3000  # of them, when a passage serves for another literal as well
_ESCAPE_OR_GAP = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|([\s\S]))|"\s*+,\s*+"')
_ITEM_GAP = re.compile(rb'"\s*+,\s*+"')
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_BEFORE_ITEM = re.compile(rb'"\s*,\s*$')
_BEFORE_TEXT = re.compile(rb'"((?:[^"\\]|\\.){1,100})"\s*:\s*(?:\[\s*)?$')
_TEXT_NAME = re.compile(rb"source|text|traceback|input|evalue|code|(?:text|image|application)\\?/.*")
_CELL_BORDER = re.compile(rb"^(?:[ \t]*(?:#|//|--)[ \t]?(?:%%|In ?\[)|```|~~~).*$", re.MULTILINE)
_END_OF_STRING = re.compile(rb'(?:[^"\\]++|\\[\s\S])*+')
_SPACE = b" \t\r\n"


class Passage:
    """``text``, and the stretch ``span`` of the data that it was read from. ``is_json``: it is JSON itself."""

    def __init__(self, data: bytes, span: Span, *, escaped: bool, is_json: bool = False) -> None:
        self.span = span
        self.is_json = is_json
        self._data = data
        self._starts = [span[0]]
        self._places = [0]
        self.text = self._read(escaped).decode("latin-1")  # a character a byte: what is looked for is ASCII

    def place_of(self, offset: int) -> int:
        """Where in the text the byte at ``offset`` of the data stands."""
        piece = bisect_right(self._starts, offset) - 1
        place = self._places[piece] + offset - self._starts[piece]
        return min(place, self._places[piece + 1] if piece + 1 < len(self._places) else len(self.text))

    def serves(self, start: int, end: int, size: int) -> bool:
        """Whether enough of what is around another literal is in it."""
        low, high = self.span
        return (
            low <= start
            and end <= high
            and (low == 0 or start - low >= _MARGIN or self._begins)
            and (high == size or high - end >= _MARGIN or self._ends)
        )

    _begins = _ends = False  # whether the span's edge is that of a cell or an output

    def with_borders(self, begins: bool, ends: bool) -> "Passage":
        self._begins, self._ends = begins, ends
        return self

    def _read(self, escaped: bool) -> bytes:
        low, high = self.span
        if not escaped:
            return self._data[low:high]
        parts: list[bytes] = []
        size, done = 0, low
        for match in _ESCAPE_OR_GAP.finditer(self._data, low, high):
            parts += self._data[done : match.start()], _decode(match)
            size += match.start() - done
            self._starts += match.start(), match.end()
            self._places += size, size + len(parts[-1])
            size += len(parts[-1])
            done = match.end()
        return b"".join([*parts, self._data[done:high]])


def find_passage(data: bytes, start: int, end: int, *, notebook: bool) -> Passage:
    """The passage around the literal at ``data[start:end]``."""
    low, high = max(0, start - _REACH), min(len(data), end + _REACH)
    if not notebook:
        return _between_borders(data, start, end, (low, high))
    opening, in_list = _find_opening(data, start, low)
    if opening is None:  # a long string, or none: what there is of it
        return Passage(data, (low, high), escaped=True)
    name = _BEFORE_TEXT.search(data, max(0, opening - 200), opening)
    if name is None or not _TEXT_NAME.fullmatch(name[1]):
        return Passage(data, (low, high), escaped=False, is_json=True)
    closing = _find_closing(data, end, high, in_list=in_list)
    return Passage(data, (opening + 1, closing), escaped=True).with_borders(begins=True, ends=closing < high)


def _between_borders(data: bytes, start: int, end: int, reach: Span) -> Passage:
    """A stretch of a file without the cells before and after it, where a text marks cells or code blocks."""
    low, high = reach
    begins = ends = False
    for match in _CELL_BORDER.finditer(data, low, high):
        if match.end() <= start:
            low, begins = match.end(), True
        elif match.start() >= end:
            high, ends = match.start(), True
            break
    return Passage(data, (low, high), escaped=False).with_borders(begins, ends)


def _find_opening(data: bytes, position: int, low: int) -> tuple[int | None, bool]:
    """The quote that opens the text around a position, over the items of a list; and whether it is in a list."""
    while (quote := data.rfind(b'"', low, position)) >= 0:
        position = quote
        if _is_escaped(data, quote, low):
            continue
        before = data[max(low, quote - 500) : quote].rstrip(_SPACE)
        gap = _BEFORE_ITEM.search(data, max(low, quote - 500), quote)
        if gap is None:
            return quote, before.endswith(b"[")
        position = gap.start()
    return None, False


def _find_closing(data: bytes, position: int, high: int, *, in_list: bool) -> int:
    while True:
        match = _END_OF_STRING.match(data, position, high)
        position = match.end() if match else high
        gap = _ITEM_GAP.match(data, position, high) if in_list else None
        if gap is None:
            return position
        position = gap.end()


def _is_escaped(data: bytes, position: int, low: int) -> bool:
    row = data[max(low, position - 200) : position]
    return (len(row) - len(row.rstrip(b"\\"))) % 2 == 1


def _decode(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-8", "surrogatepass")
    return _LETTERS.get(match[2], match[2]) if match[2] else b""
