"""A text seen in other ways, each character of which knows where in the original it came from.

escapes     JSON's escapes decoded at any depth; ANSI codes and invisible characters gone
streams     consecutive stream outputs of one cell joined
tags        HTML tags gone
lines       line breaks, and the frames, indents and list items around them, gone
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mistral_nb.scrub.quiet import STREAM_GAP

Span = tuple[int, int]


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

    def edited(self, edits: Iterable[Edit]) -> "View":
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


_SLASHES = rb"(?<!\\)\\++"  # the look-behind keeps long rows of them linear
_ESC = rb"(?:\x1b|" + _SLASHES + rb"(?:u001[bB]|x1[bB]|033))"
_CONTROL = (
    rb"(?:" + _ESC + rb"\[|\xc2\x9b)[0-?]*+[ -/]*+[@-\[\]-~]"
    rb"|" + _ESC + rb"\][^\x07\x1b\\\"\n]{0,2000}+(?:\x07|" + _SLASHES + rb"u0007|" + _ESC + rb"\\++)"
    rb"|" + _ESC + rb"[()]?[0-9A-Z=>]"
)
_INVISIBLE = (
    rb"\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0|\xef\xbb\xbf|\xc2\xad|\0"
    rb"|" + _SLASHES + rb"u(?:200[b-fB-F]|00[aA][dD]|2060|[fF][eE][fF]{2})"
    rb"|&(?:shy|zwnj|zwj|ZeroWidthSpace|#(?:173|820[3-7]|8288|[xX](?:[aA][dD]|200[b-fB-F]|2060)));"
)
_ESCAPES = re.compile(
    rb"(?P<gone>" + _CONTROL + rb"|" + _INVISIBLE + rb")"
    rb"|" + _SLASHES + rb"(?:u(?P<code>[0-9a-fA-F]{4})|(?P<letter>[nrtbf\"'/]))"
)
_LONGEST_ESCAPE = 40  # but for links; longer rows of backslashes are cut
# An escaped quote stays apart from those around the items of a list.
_LETTERS = {b'"': b"'", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_TAG = re.compile(rb"<[^<>]*+>")
_FRAME = rb"(?:[ \t\r|]|\xe2[\x94\x95][\x80-\xbf])*+"
_ITEM = rb'(?:",\s*+")'
_BETWEEN = re.compile(rb'(?:[ \t\r\n",|]|\xe2[\x94\x95][\x80-\xbf])++')
_LINE_GAP = re.compile(
    _ITEM + rb"*+(?:" + _FRAME + rb"\n" + _ITEM + rb"?+" + _FRAME + rb")++" + _ITEM + rb"*+|" + _ITEM + rb"++"
)


def escape_around(text: bytes, position: int) -> Span | None:
    """The escape that ``position`` is inside of, and not at its start; None where there is none."""
    low = max(0, position - _LONGEST_ESCAPE)
    for match in _ESCAPES.finditer(text, low, position + _LONGEST_ESCAPE):
        if match.end() > position:
            return match.span() if match.start() < position else None
    return None


def escapes_decoded(view: View) -> View:
    return view.edited(map(_decoded_escape, _ESCAPES.finditer(view.text)))


def streams_joined(view: View) -> View:
    if view.text.count(b'"stream"') < 2:
        return view
    return view.edited(Edit(*match.span(), b"") for match in STREAM_GAP.finditer(view.text))


def tags_removed(view: View) -> View:
    return view.edited(Edit(*match.span(), b"") for match in _TAG.finditer(view.text))


def lines_joined(view: View) -> View:
    return view.edited(
        Edit(*match.span(), b"") for match in _BETWEEN.finditer(view.text) if _LINE_GAP.fullmatch(match[0])
    )


def _decoded_escape(match: re.Match[bytes]) -> Edit:
    if match["gone"]:
        text = b""
    elif match["code"]:
        text = chr(int(match["code"], 16)).encode("utf-8", "surrogatepass")
    else:
        text = _LETTERS.get(match["letter"], match["letter"])
    return Edit(*match.span(), text)
