"""Where large data can be cut into stretches that are searched one by one, in the memory that one of them takes.

A cut stands where no key can go on behind it: something is there that no form of a key has between its characters. In
a notebook that is the name "cell_type", in any other text the space between two words. Two things could hide even that,
an HTML tag and a terminal's link, so neither may be open there.

A text without such spaces, as a list of words or coloured letters, is cut anywhere: there both stretches are read some
way beyond the cut, further than any key goes.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from mistral_nb.redaction.findings import Span
from mistral_nb.redaction.keep_list import has_keep_comment
from mistral_nb.redaction.key_characters import is_mixed
from mistral_nb.redaction.key_spellings import KEY_CHARACTERS, STANDARD_LENGTH, TAG
from mistral_nb.redaction.quick_scan import names_mistral, normalize_texts

SIZE = 1 << 18  # bytes of a stretch, and some more up to the next cut
FEW = 8  # stretches, which are not worth cutting
_CELL = b'"cell_type"'
_INDENT = 200  # bytes between a cell's brace and its first name
# What stands before and after a space that separates two words, coloured or not. The end of the first is longer than
# what a code takes with it, and no hex: no form of a key goes on over the space.
_COLOURS = rb"(?:\x1b\[[0-9;]{0,20}m){0,4}"
_WORD_BEFORE = re.compile(rb"[A-Za-z]{2}[g-zG-Z]" + _COLOURS + rb"\Z")
_WORD_AFTER = re.compile(_COLOURS + rb"[A-Za-z0-9]")
_LONGEST_COLOURS = 100
_SHAPED = re.compile(rb"[A-Za-z0-9]{32,}")
_READ_IN_TEXT = 7000  # bytes on either side of a key-shaped run, to tell whose it is
_READ_IN_LINE = 300
_READ_OF_CALL = 400  # bytes on either side of Mistral's name
_IMPORT = re.compile(rb"import|from|require|library")
_READ_OF_IMPORT = 40
LINK_STARTS = (b"\x1b]", b"1b]", b"1B]", b"033]")
_LINK_ENDS = (b"\x07", b"\x1b\\", b"u0007", b"x07", b"1b\\", b"1B\\", b"033\\")
_LONGEST_LINK = 4096
_LONGEST_STEP = 1 << 17
_FAR = 1 << 12  # bytes behind the place that was asked for: where there is no space, the text is cut anywhere
_OVERLAPS = (1 << 14, 1 << 17)  # bytes that are read beyond such a cut; the second where most of them are codes
_LONGEST_WRITTEN = 1024  # key characters that a key takes in its longest form, and some more
_LONGEST_PASSPHRASE = 256
_BRACKETS = (b"<", b"u003c", b"u003C"), (b">", b"u003e", b"u003E")  # of tags: what opens one, and what closes one
_TAG = re.compile(TAG)
_TAG_REACH = 1 << 16
_OVERLAPPED_RUN = 128  # bytes on either side of such a cut that are not all digits of base64
_IN_RUNS = KEY_CHARACTERS + b"+/="
_OTHERS = bytes(set(range(256)) - set(KEY_CHARACTERS))


class Stretch(NamedTuple):
    """What starts from ``start`` to ``end`` is found in it, and for that ``low`` to ``high`` is read."""

    start: int
    end: int
    low: int
    high: int


def cut(
    data: bytes, notebook: bool, *, passphrases: Sequence[bytes] = (), suspects: bool = True, size: int
) -> Iterator[Stretch]:
    """The stretches of the data, in order and without a gap: as few bytes over ``size`` as the next cut allows.

    ``passphrases`` are searched for too, and may have any characters. ``suspects``: so are key-shaped runs, which are
    judged by the text around them.
    """
    cuts = _Cuts(data, notebook, passphrases, suspects)
    start = low = 0
    while len(data) - start > 2 * size:
        end, following, high = cuts.find(start + size)
        yield Stretch(start, end, low, high)
        start, low = end, following
    if start < len(data) or not data:
        yield Stretch(start, len(data), low, len(data))


class _Cut(NamedTuple):
    """``low``: from where the stretch behind it is read. ``high``: to where the one before it is read."""

    place: int
    low: int
    high: int


class _Cuts:
    """Looks for cuts, each behind the one before it."""

    def __init__(self, data: bytes, notebook: bool, passphrases: Sequence[bytes], suspects: bool) -> None:
        self._data = data
        self._notebook = notebook
        self._passphrases = passphrases
        self._suspects = suspects
        self._tags = _Tags(data)
        self._space = 0  # the last one that was found; -1: there is none behind it
        self._overlaps = not notebook and all(len(text) <= _LONGEST_PASSPHRASE for text in passphrases)

    def find(self, position: int) -> _Cut:
        """The first cut from ``position`` on; the end of the data if there is none."""
        step, first = 1, position
        while position < len(self._data):
            place, end = self._next_cell(position) if self._notebook else self._next_space(position)
            is_far = place < 0 or max(place, position) - first > _FAR
            if is_far and self._overlaps:
                cut = self._cut_at(position)
                if cut:
                    return cut
                if place < 0 or place - position > step:
                    place, end = -1, position
            elif place < 0:
                break
            if place >= position and self._is_safe(place):
                return _Cut(place, place, place)
            position = end + step
            step = min(2 * step, _LONGEST_STEP)  # each try costs, and in a hostile text all are in vain
        return _Cut(len(self._data), len(self._data), len(self._data))

    def _cut_at(self, position: int) -> _Cut | None:
        """A cut at ``position`` or soon after it, with enough that is read beyond it; None if none there is safe."""
        if not self._around(position, _OVERLAPPED_RUN).translate(None, _IN_RUNS):
            return None  # perhaps in an image
        place = self._leave_tag(position)
        for overlap in _OVERLAPS:
            if place < overlap or place + overlap > len(self._data):
                return None
            low, high = self._leave_tag(place - overlap), self._leave_tag(place + overlap)
            ends = low, place, high
            if min(ends) < 0 or any(map(self._is_in_link, ends)):
                continue
            if self._suspects and not all(map(self._is_quiet, ends)):
                continue
            if min(self._count_characters(low, place), self._count_characters(place, high)) >= _LONGEST_WRITTEN:
                return _Cut(place, low, high)
        return None

    @cached_property
    def _tagged(self) -> range:
        """From the first bracket that may open a tag to the last one that may close one."""
        opening, closing = _BRACKETS
        first = min((at for sign in opening if (at := self._data.find(sign)) >= 0), default=len(self._data))
        return range(first, max(self._data.rfind(sign) for sign in closing) + 1)

    def _count_characters(self, low: int, high: int) -> int:
        """The key characters in a part of the data that no reading leaves out."""
        joined = normalize_texts(self._data[low:high], notebook=False, shortest=STANDARD_LENGTH).joined
        return len((_TAG.sub(b"", joined) if b"<" in joined else joined).translate(None, _OTHERS))

    def _leave_tag(self, place: int) -> int:
        """The place, or the end of the tag that it may be in; -1 if that can't be told by what is near.

        Unlike `_Tags`, it may be asked in any order.
        """
        if not self._tagged.start < place < self._tagged.stop:
            return place
        low, high = max(0, place - _TAG_REACH), min(len(self._data), place + _TAG_REACH)
        opened, closed = (max(self._data.rfind(sign, low, place) for sign in signs) for signs in _BRACKETS)
        if closed > opened:
            return place
        found = [
            [(at, sign) for sign in signs if (at := self._data.find(sign, place, high)) >= 0] for signs in _BRACKETS
        ]
        opens, closes = (min(places, default=(high, b"")) for places in found)
        if opens < closes:
            return place
        return closes[0] + len(closes[1]) if closes[1] else -1

    def _next_cell(self, position: int) -> Span:
        """A place where a cell begins, or goes on with its type."""
        found = self._data.find(_CELL, position)
        before = self._data[max(0, found - _INDENT) : max(0, found)]
        brace = before.rstrip()
        return found - (len(before) - len(brace) + 1 if brace.endswith(b"{") else 0), found + len(_CELL)

    def _next_space(self, position: int) -> Span:
        if 0 <= self._space < position:
            self._space = self._data.find(b" ", position)
        return self._space, self._space + 1

    def _is_safe(self, place: int) -> bool:
        around = self._data[place - 1 : place + 1]
        if around.startswith(b"\\") or any(around in passphrase for passphrase in self._passphrases):
            return False
        if not self._notebook and not self._is_between_words(place):
            return False
        if self._suspects and not self._is_quiet(place):
            return False
        return not self._is_in_link(place) and not self._tags.is_open(place)

    def _is_between_words(self, place: int) -> bool:
        before = self._data[max(0, place - _LONGEST_COLOURS) : place]
        return _WORD_BEFORE.search(before) is not None and _WORD_AFTER.match(self._data, place + 1) is not None

    def _is_quiet(self, place: int) -> bool:
        """Whether no key-shaped run near is judged by what stands on the other side."""
        if has_keep_comment(self._around(place, _READ_IN_LINE)):
            return False
        if self._notebook:  # there it is judged by its cell
            return True
        if names_mistral(self._around(place, _READ_OF_CALL)) or _IMPORT.search(self._around(place, _READ_OF_IMPORT)):
            return False  # what the whole document is judged by
        return not any(is_mixed(run[0]) for run in _SHAPED.finditer(self._around(place, _READ_IN_TEXT)))

    def _around(self, place: int, reach: int) -> bytes:
        return self._data[max(0, place - reach) : place + reach]

    def _is_in_link(self, place: int) -> bool:
        low = max(0, place - _LONGEST_LINK)
        start = max(self._data.rfind(mark, low, place) for mark in LINK_STARTS)
        return start >= 0 and not any(self._data.find(mark, start + 2, place) >= 0 for mark in _LINK_ENDS)


class _Tags:
    """Tells whether a place lies in an HTML tag. Asked in rising order, it reads the data twice at most."""

    _ESCAPED = b"u003"

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._done = 0
        self._last = [-1, -1]  # where the last opening and closing bracket before `_done` stand
        self._next: dict[bytes, int] = {}

    def is_open(self, place: int) -> bool:
        escaped = self._data.find(self._ESCAPED, self._done, place) >= 0  # searching forward is faster
        for number, signs in enumerate(_BRACKETS):
            found = max(self._data.rfind(sign, self._done, place) for sign in (signs if escaped else signs[:1]))
            self._last[number] = max(self._last[number], found)
        self._done = place
        opened, closed = self._last
        return opened > closed and self._find_next(_BRACKETS[1], place) < self._find_next(_BRACKETS[0], place)

    def _find_next(self, signs: tuple[bytes, ...], place: int) -> int:
        for sign in signs:
            if self._next.get(sign, -1) < place:
                found = self._data.find(sign, place)
                self._next[sign] = found if found >= 0 else len(self._data)
        return min(self._next[sign] for sign in signs)
