"""Normalized views of a text, each character of which maps back to the original.

escapes     JSON's escapes decoded at any depth; ANSI codes and invisible characters gone
streams     consecutive stream outputs of one cell joined
tags        HTML tags gone
lines       line breaks, and the frames, indents and list items around them, gone
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mistral_nb.redaction.findings import Span
from mistral_nb.redaction.key_spellings import BACKSLASHES, FRAME, GONE, ITEM, LETTERS, STREAM, STREAM_GAP, TAG


class Edit(NamedTuple):
    start: int
    end: int
    text: bytes


class View:
    """A text made from a parent's by edits. The parent of the original is None."""

    def __init__(self, text: bytes, parent: "View | None" = None) -> None:
        self.text = text
        self.parent = parent
        self._starts: list[int] = []  # of pieces, in this text
        self._origins: list[tuple[int, int | None]] = []  # start in the parent; end, where edited

    def apply_edits(self, edits: Iterable[Edit]) -> "View":
        """The view with each edit made; the same one when there are none."""
        view = View(b"", self)
        parts: list[bytes] = []
        size = done = 0
        for start, end, text in edits:
            if start > done:
                view._starts.append(size)
                view._origins.append((done, None))
                parts.append(self.text[done:start])
                size += start - done
            if text:
                view._starts.append(size)
                view._origins.append((start, end))
                parts.append(text)
                size += len(text)
            done = end
        if not done:
            return self
        view._starts.append(size)
        view._origins.append((done, None))
        parts.append(self.text[done:])
        view.text = b"".join(parts)
        return view

    def origin(self, start: int, end: int) -> list[Span]:
        """Where in the original the characters from ``start`` to ``end`` stand: spans in order."""
        if self.parent is None:
            return [(start, end)]
        spans: list[Span] = []
        for low, high in self._in_parent(start, end):
            for span in self.parent.origin(low, high):
                if spans and spans[-1][1] == span[0]:
                    spans[-1] = (spans[-1][0], span[1])
                else:
                    spans.append(span)
        return spans

    def _in_parent(self, start: int, end: int) -> Iterator[Span]:
        piece = bisect_right(self._starts, start) - 1
        while piece < len(self._starts) and self._starts[piece] < end:
            at = self._starts[piece]
            origin, edited_end = self._origins[piece]
            if edited_end is not None:
                yield origin, edited_end
            else:
                following = self._starts[piece + 1] if piece + 1 < len(self._starts) else end
                yield origin + max(start, at) - at, origin + min(end, following) - at
            piece += 1


_ESCAPES = re.compile(
    rb"(?P<gone>" + GONE + rb")|" + BACKSLASHES + rb"(?:u(?P<code>[0-9a-fA-F]{4})|(?P<letter>[nrtbf\"'/]))"
)
_MAY_BE_ESCAPED = re.compile(rb"[\\\x1b\0&\x80-\xff]")  # each of them starts with one of these
# Read only once, as a program does: after an even number of backslashes a letter stands for itself.
_ESCAPES_ONCE = re.compile(
    rb"(?P<gone>" + GONE + rb")"
    rb"|(?<!\\)(?:\\\\)*+(?P<escape>\\(?:u(?P<code>[0-9a-fA-F]{4})|(?P<letter>[nrtbf\"'/])))"
)
_GONE = re.compile(GONE)
_NULS = (b"\0", b"u0000")
_LONGEST_ESCAPE = 40  # but for links; longer rows of backslashes are cut
_STREAM_GAP = re.compile(STREAM_GAP)
_TAG = re.compile(TAG)
# Item borders alone, or with a line break, at which any mix of frames, indents, breaks and item borders may stand.
_BETWEEN = re.compile(rb'(?:[\n",]|' + FRAME + rb")++")
_LINE_GAP = re.compile(
    rb"(?:" + ITEM + rb")*+(?:" + FRAME + rb"*+\n(?:\n|" + ITEM + rb"|" + FRAME + rb")*+)?+",
)


def escape_around(text: bytes, position: int) -> Span | None:
    """The escape that ``position`` is inside of, and not at its start; None where there is none."""
    low = max(0, position - _LONGEST_ESCAPE)
    for match in _ESCAPES.finditer(text, low, position + _LONGEST_ESCAPE):
        if match.end() > position:
            return match.span() if match.start() < position else None
    return None


def decode_escapes(view: View, *, nul: bytes = b"") -> View:
    """Escapes of any depth, as JSON in JSON has them. ``nul``: what takes the place of a NUL."""
    if not _MAY_BE_ESCAPED.search(view.text):
        return view
    return view.apply_edits(Edit(*match.span(), _decoded(match, nul)) for match in _ESCAPES.finditer(view.text))


def decode_escapes_once(view: View, *, json: bool) -> View:
    """Those of JSON, in which an escaped backslash is one; elsewhere each backslash stands for itself."""
    if not json:
        return view.apply_edits(Edit(*match.span(), b"") for match in _GONE.finditer(view.text))
    return view.apply_edits(
        Edit(match.start() if match["gone"] else match.start("escape"), match.end(), _decoded(match))
        for match in _ESCAPES_ONCE.finditer(view.text)
    )


def join_streams(view: View) -> View:
    if view.text.count(STREAM) < 2:
        return view
    return _without(view, _STREAM_GAP.finditer(view.text))


def remove_tags(view: View) -> View:
    return _without(view, _TAG.finditer(view.text))


def join_lines(view: View) -> View:
    return _without(view, (match for match in _BETWEEN.finditer(view.text) if _LINE_GAP.fullmatch(match[0])))


def _without(view: View, matches: Iterable[re.Match[bytes]]) -> View:
    return view.apply_edits(Edit(*match.span(), b"") for match in matches)


def _decoded(match: re.Match[bytes], nul: bytes = b"") -> bytes:
    if match["gone"]:
        return nul if match["gone"].lstrip(b"\\") in _NULS else b""
    if match["letter"]:
        return LETTERS[match["letter"]]
    text = chr(int(match["code"], 16)).encode("utf-8", "surrogatepass")
    return LETTERS[b'"'] if text == b'"' else text
