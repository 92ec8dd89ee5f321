"""The quick scan: the text of a file with everything removed that may interrupt a key.

Uses whole-buffer operations only, so that a file without a key costs a few passes in C. It keeps no positions and
may join too much, never too little: `normalize` takes out what `key_spellings` says, and this the same and more.
`replacements` checks again, in the few files where something is found.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from mistral_nb.api_key import MARKER, MAX_KEY_LENGTH
from mistral_nb.redaction import mistral_words
from mistral_nb.redaction.key_spellings import (
    BACKSLASHES,
    FRAME_SIGN_CODES,
    FRAME_SPACE_CODES,
    GONE,
    GONE_ENTITY,
    GONE_ESCAPED,
    STREAM,
    STREAM_GAP,
)

_MARKER = MARKER.encode()
_NOTEBOOK_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{")
_HIGH = bytes(range(128, 256))
_TO_SPACES = bytes.maketrans(b"|\t", b"  ")
_GONE = re.compile(GONE)
_FRAME_CODE = re.compile(BACKSLASHES + rb"u" + FRAME_SIGN_CODES)
_GONE_ESCAPED = re.compile(GONE_ESCAPED)
_GONE_ENTITY = re.compile(GONE_ENTITY)
_SPACE_CODE = re.compile(BACKSLASHES + rb"u" + FRAME_SPACE_CODES)
_BREAK_CODE = re.compile(BACKSLASHES + rb"u000[aA]")
_INDENT_CODE = re.compile(rb"\\u(?:" + FRAME_SPACE_CODES + rb"|000[aA])")
_BRACKET_CODES = tuple(
    (re.compile(BACKSLASHES + rb"u003" + digit), bracket) for digit, bracket in ((rb"[cC]", b"<"), (rb"[eE]", b">"))
)
# A backslash before what is taken out: it makes no escape of the letter behind that.
_LOOSE = re.compile(rb"\\(?=[&<|\x1b\x80-\xff\0])")
# The beginning of any of these codes.
_CODE = rb"[&<|\x1b\x80-\xff\0]|u(?:00(?:[0-39aA]|7[cC])|03|06|18|20|25|[fF][eE]|[dD][bB])|x[019]|033"
# After an escaped backslash: what may be the letter of an escape, in JSON in JSON, or the first letter of a key that is
# interrupted later, or is after enough of its characters.
_LITERAL = rb'[A-Za-z0-9_%-]*+ *+(?:\\(?:\\\\)*+[nrtux0]|"|[<&|\x80-\xff\0])'
_AFTER_PAIRS = rb"(?<!\\\\)\\(?:\\\\)*+[nrtbfu](?:" + _LITERAL + rb"|[A-Za-z0-9_%-]{14})"
_LITERALS = re.compile(rb"\\" + _AFTER_PAIRS)
_LITERAL_REACH = 32 * MAX_KEY_LENGTH  # bytes behind it that are read in this way: room for a colour at each character
_LITERAL_ROW = re.compile(rb"\\(?<!\\\\)(?:\\\\)*+\\(?!\\)")
_ROW = re.compile(BACKSLASHES)
# A line break, the item border at it, and the indent after it.
_ITEM = rb'\s*+(?:\\n\s*+)*+"'
_INDENT = rb" *+(?:\\++(?:[tr]|(?= )) *+)*+"
_GAP = re.compile(rb'\\n(?:",' + _ITEM + rb")?+" + _INDENT)
_ITEM_GAP = re.compile(rb'",(?<=[A-Za-z0-9_\-%\\>;+/=" ]",)' + _ITEM + _INDENT)
_ROW_BREAK = re.compile(rb"\\\\(?<!\\\\\\)\\*+n")
_INDENTED_BREAK = re.compile(rb"\\(?<=[ tr]\\)(?:(?<= \\)|(?<=\\[tr]\\))\\*+n")
_SPACE_ESCAPES = (b"\\t", b"\\r")
# A line break of the file itself inside a text, which JSON does not have: its lines end in other ways.
_BREAK_IN_TEXT = re.compile(
    rb'\n(?<![,\[{]\n)(?:(?<=\S\n)|(?<=[^,\[{][ \t\r]\n))\s*+(?:[^\s"\]}]|",)',
)
_TAG_REACH = 2 * MAX_KEY_LENGTH  # bytes on either side of a tag that may be part of a key, and of its line breaks
_STREAM_GAP = re.compile(STREAM_GAP)
_NEXT_OUTPUT = re.compile(rb"\}\s*+,\s*+\{")
_STREAM_REACH = 300  # bytes around the word within which one output ends and the next begins


def is_notebook(data: bytes) -> bool:
    return bool(_NOTEBOOK_START.match(data)) and (b'"cells"' in data or b'"worksheets"' in data)


def names_mistral(text: bytes) -> bool:
    """Whether the document names Mistral, apart from the marker."""
    return mistral_words.names_mistral(text, _MARKER)


def join_streams(text: bytes) -> bytes:
    """The text with consecutive stream outputs run together; the same object where there are none."""
    position = text.find(STREAM)
    parts, done = [], 0
    while position >= 0:
        low, high = max(done, position - _STREAM_REACH), position + _STREAM_REACH
        before = text.rfind(b"}", low, position)
        if (before >= 0 and _NEXT_OUTPUT.match(text, before)) or _NEXT_OUTPUT.search(text, position, high):
            gap = _STREAM_GAP.search(text, low, high)
            if gap:
                parts.append(text[done : gap.start()])
                done = gap.end()
        position = text.find(STREAM, position + len(STREAM))
    return b"".join([*parts, text[done:]]) if parts else text


class NormalizedTexts(NamedTuple):
    """The readings of a text. All but the first may be empty."""

    joined: bytes  # without line breaks and what surrounds them, escape codes, invisible characters
    bare: bytes  # what stands next to HTML tags, read without them
    original: bytes  # as it is: a code may have taken a letter of a key
    literal: bytes  # read so that backslashes stand for themselves
    literal_bare: bytes


def normalize_texts(text: bytes, notebook: bool, shortest: int) -> NormalizedTexts:
    """The text in all ways in which a key of ``shortest`` characters could be read from it, and perhaps more."""
    original = text
    controls = b"\x1b" in text or (not text.isascii() and b"\xc2\x9b" in text)
    special = _special(shortest).search(text)
    coded = controls or special is not None
    if coded:
        text = (_GONE if controls else _GONE_ESCAPED).sub(b"", text)
    if b"&" in text:
        text = _GONE_ENTITY.sub(b"", text)
    text = join_streams(text)
    json = notebook and not _BREAK_IN_TEXT.search(text)
    literal = b""
    if not notebook:
        literal = _ROW.sub(b".", text) if b"\\" in text else b""
    elif special and b"\\\\" in text:
        literal = _decoded(_LITERAL_ROW.sub(b".", _behind_literals(text)))
    if coded:
        text = _decoded(text)
    joined, bare = _joined(text, json)
    return NormalizedTexts(joined, bare, original if coded else b"", *_joined(literal, json))


def _behind_literals(text: bytes) -> bytes:
    parts, done = [], 0
    for match in _LITERALS.finditer(text):
        start, end = max(done, match.start()), match.end() + _LITERAL_REACH
        parts += [b" ", text[start:end]] if start > done else [text[start:end]]
        done = end
    return b"".join(parts)


@lru_cache(maxsize=8)
def _special(shortest: int) -> re.Pattern[bytes]:
    """The beginning of a code, or a letter after backslashes that may be the first of a key instead."""
    return re.compile(rb"\\(?:" + _CODE + rb"|" + _AFTER_PAIRS + rb"|[nrtbf][A-Za-z0-9_%%-]{%d})" % (shortest - 1))


def _decoded(text: bytes) -> bytes:
    """The codes of frames gone, those of indents, line breaks and brackets decoded."""
    if b"\\u25" in text:
        text = _FRAME_CODE.sub(b"", text)
    if _INDENT_CODE.search(text):
        text = _BREAK_CODE.sub(rb"\\n", _SPACE_CODE.sub(b" ", text))
    if b"\\u003" in text:
        for code, bracket in _BRACKET_CODES:
            text = code.sub(bracket, text)
    return _LOOSE.sub(b".", text)


def _joined(text: bytes, json: bool) -> tuple[bytes, bytes]:
    """The text, and what stands next to its tags, without all that interrupts a key."""
    if not text:
        return b"", b""
    if not json:
        text = text.translate(_TO_SPACES, _HIGH + b"\r\0").replace(b"\n", b"\\n")
    elif not text.isascii() or any(mark in text for mark in (b"|", b"\0", b"\t", b"\r")):
        text = text.translate(_TO_SPACES, _HIGH + b"\r\0")
    return _lines_joined(text), _lines_joined(_around_tags(text))


def _lines_joined(text: bytes) -> bytes:
    text = _ROW_BREAK.sub(rb"\\n", text)  # or what is left of a row would make an escape of the next letter
    return _ITEM_GAP.sub(b"", _GAP.sub(b"", _trimmed(text)))


def _trimmed(text: bytes) -> bytes:
    """The text without the spaces, and the escapes of some, that stand before line breaks."""
    parts, done = [], 0
    for match in _INDENTED_BREAK.finditer(text):
        part = text[done : match.start()].rstrip(b" \\")
        while part.endswith(_SPACE_ESCAPES):
            part = part[:-2].rstrip(b" \\")
        parts.append(part)
        done = match.start()
    return b"".join([*parts, text[done:]]) if parts else text


def _around_tags(text: bytes) -> bytes:
    """The text next to HTML tags, joined; empty if there are none."""
    if b"<" not in text:
        return b""
    first, *others = text.split(b"<")
    parts = [first[-_TAG_REACH:]]
    for other in others:
        _, closed, after = other.partition(b">")
        if not closed:
            after = b" " + other  # no tag: an angle bracket in the text
        if len(after) > 2 * _TAG_REACH:
            parts += after[:_TAG_REACH], b" ", after[-_TAG_REACH:]
        else:
            parts.append(after)
    return b"".join(parts)
