"""The quiet path: what a file would read like with everything gone that may stand inside a key.

Made of whole-buffer operations only, so that a file without a key costs a few passes in C. It keeps
no positions and may join too much: `views` looks again, in the few files where something turns up.
"""

import re
from typing import NamedTuple

from mistral_nb.key import LONGEST, MARKER

_IMAGE = re.compile(rb'image/(?:png|jpe?g|gif|webp|bmp|tiff|x-icon)(?:"\s*+:\s*+(?:\[\s*+)?"|;base64,)', re.IGNORECASE)
_STOPS = (b'"', b"\\", b"'", b")", b" ", b"<", b">", b"\n", b"&", b",", b";")  # what ends a data: URL
_SMALLEST_IMAGE = 100  # what is shorter is read as text
_CONTEXT = (b"istral", b"odestral", b"ODESTRAL", b"Illegal header value")
_LOUD, _MARKER = b"ISTRAL", MARKER.encode()
_NOTEBOOK_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{")
_HIGH = bytes(range(128, 256))
_BARS_TO_SPACES = bytes.maketrans(b"|", b" ")
# A line break, or what is invisible. The one literal at the front keeps the search fast.
_INVISIBLE = rb"r|u(?:200[b-fB-F]|00[aA][dD]|2060|[fF][eE][fF][fF])"
_BEFORE_ITEM = rb'",(?<=[A-Za-z0-9_\-%\\>;"]",)'
_GAP = re.compile(rb'\\(?:n(?:",\s*+")?[ |\t]*+|' + _INVISIBLE + rb")")
_ITEM_GAP = re.compile(_BEFORE_ITEM + rb'\s*+"')
# The same for what is no notebook, whose own line breaks were written as \n before.
_TEXT_GAP = re.compile(rb'\\(?:n(?:",\s*+(?:\\n\s*+)*+")?[ |\t]*+|' + _INVISIBLE + rb")")
_TEXT_ITEM_GAP = re.compile(_BEFORE_ITEM + rb'\s*+(?:\\n\s*+)*+"')
# Codes, as JSON writes them, of which one may take a letter of a key; and an escaped backslash before one.
_CODED = re.compile(rb"\\(?:u(?:00(?:1[bB]|3[cCeE])|25)|(?<=\\\\)[nru][A-Za-z0-9_%\-]{14})")
_TAG_REACH = 2 * LONGEST  # bytes on either side of a tag that may be part of a key, and of its line breaks
_SPACE_BEFORE_BREAK = re.compile(rb"\\(?<= \\)\\*+(?:r\\++)?n")
_ESCAPED_CONTROL = re.compile(
    rb"\\(?<!\\\\)\\*+u(?:003([cCeE])|25[0-7][0-9a-fA-F]"
    rb"|001[bB](?:\[[0-?]*+[ -/]*+[@-\[\]-~]|\][^\x07\"\\]{0,2000}+(?:\\++u0007|\\++u001[bB]\\++)|[()]?[0-9A-Z=>]))"
)
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*+[ -/]*+[@-\[\]-~]|\][^\x07\x1b]{0,2000}+(?:\x07|\x1b\\)|[()]?[0-9A-Z=>])")
_ENTITY = re.compile(rb"&(?:shy|zwnj|zwj|ZeroWidthSpace|#(?:173|820[3-7]|8288|[xX](?:[aA][dD]|200[b-fB-F]|2060)));")
_STREAM_NAME = rb'(?:\s*+"(?:name|stream|output_type)"\s*+:\s*+"\w*+"\s*+,?)*+'  # format 3 names it "stream"
STREAM_GAP = re.compile(
    rb'"\s*+\]?\s*+,?' + _STREAM_NAME + rb"\s*+\}\s*+,\s*+\{" + _STREAM_NAME + rb'\s*+"text"\s*+:\s*+\[?\s*+"'
)
_STREAM = b'"stream"'
_NEXT_OUTPUT = re.compile(rb"\}\s*+,\s*+\{")
_STREAM_REACH = 300  # bytes around the word within which one output ends and the next begins


def is_notebook(data: bytes) -> bool:
    return bool(_NOTEBOOK_START.match(data)) and (b'"cells"' in data or b'"worksheets"' in data)


def names_mistral(text: bytes) -> bool:
    """Whether the document names Mistral, an SDK of it, or shows the error that quotes a key.

    The marker names it too, and does not count: what is removed must not change what is looked at.
    """
    return any(word in text for word in _CONTEXT) or text.count(_LOUD) > text.count(_MARKER)


def images(data: bytes) -> list[tuple[int, int]]:
    """Where the base64 payloads of images start and end."""
    found = []
    stops = dict.fromkeys(_STOPS, -1)
    position = data.find(b"image/")
    while position >= 0:
        start, end = _payload(data, position, stops)
        if end - start >= _SMALLEST_IMAGE:
            found.append((start, end))
        position = data.find(b"image/", max(end, position + 6))
    return found


def without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """The data with the spans left out; the same object without any."""
    if not spans:
        return data
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(data)]
    return b" ".join([data[start:end] for start, end in zip(starts, ends, strict=True)])


def streams_joined(text: bytes) -> bytes:
    """The text with consecutive stream outputs run together; the same object where there are none."""
    position = text.find(_STREAM)
    parts, done = [], 0
    while position >= 0:
        low, high = max(done, position - _STREAM_REACH), position + _STREAM_REACH
        before = text.rfind(b"}", low, position)
        if (before >= 0 and _NEXT_OUTPUT.match(text, before)) or _NEXT_OUTPUT.search(text, position, high):
            gap = STREAM_GAP.search(text, low, high)
            if gap:
                parts.append(text[done : gap.start()])
                done = gap.end()
        position = text.find(_STREAM, position + len(_STREAM))
    return b"".join([*parts, text[done:]]) if parts else text


def _payload(data: bytes, position: int, stops: dict[bytes, int]) -> tuple[int, int]:
    match = _IMAGE.match(data, position)
    if not match:
        return position, position
    start = match.end()
    if data[start - 1 : start] == b'"':
        end = data.find(b'"', start)
        return start, end if end >= 0 else start
    for stop, at in stops.items():
        if at < start:  # each is looked for from where it was found last: linear
            found = data.find(stop, start)
            stops[stop] = found if found >= 0 else len(data)
    return start, min(stops.values())


class Readings(NamedTuple):
    """How a text reads. The last two may be empty."""

    joined: bytes  # without line breaks and what surrounds them, escape codes, invisible characters
    bare: bytes  # what stands next to HTML tags, read without them
    original: bytes  # as it is: a code may have taken a letter of a key


def readings(text: bytes, notebook: bool) -> Readings:
    """The text in the ways in which a key could be read from it, and perhaps some more."""
    original = text
    if notebook:
        text = streams_joined(text)
    if not notebook:
        text = text.replace(b"\r", b"").replace(b"\n", b"\\n")
    coded = b"\x1b" in text or not notebook or bool(_CODED.search(text))
    if coded:
        text = _ESCAPED_CONTROL.sub(_bracket, _ESCAPE.sub(b"", text))
    if not text.isascii() or b"|" in text:
        text = text.translate(_BARS_TO_SPACES, _HIGH)
    if b"\0" in text:
        text = text.replace(b"\0", b"")
    bare = _around_tags(text)
    return Readings(_lines_joined(text, notebook), _lines_joined(bare, notebook), original if coded else b"")


def _lines_joined(text: bytes, notebook: bool) -> bytes:
    gap, item_gap = (_GAP, _ITEM_GAP) if notebook else (_TEXT_GAP, _TEXT_ITEM_GAP)
    return item_gap.sub(b"", gap.sub(b"", _trimmed(text))) if text else text


def _trimmed(text: bytes) -> bytes:
    """The text without spaces before line breaks."""
    parts, done = [], 0
    for match in _SPACE_BEFORE_BREAK.finditer(text):
        parts.append(text[done : match.start()].rstrip(b" \t"))
        done = match.start()
    return b"".join([*parts, text[done:]]) if parts else text


def _bracket(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        return b""
    return b"<" if match[1] in b"cC" else b">"


def _around_tags(text: bytes) -> bytes:
    """What stands next to HTML tags and invisible entities, run together; empty where there are none."""
    bare = _ENTITY.sub(b"", text) if b"&" in text else text
    if b"<" not in bare:
        return b"" if len(bare) == len(text) else bare
    text = bare
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
