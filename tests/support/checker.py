"""An independent checker: decodes a file in every way it can, and says whether a key can be read.

Written without the engine's code, slowly and plainly: it parses JSON where it can, joins what a
person would read together, and unpacks whatever looks encoded.
"""

import base64
import binascii
import html
import itertools
import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

FRAGMENT = 15
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-\[\]-~]|\x1b\].*?(?:\x07|\x1b\\)|\x9b[0-?]*[ -/]*[@-\[\]-~]", re.DOTALL)
_INVISIBLE = dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\0\u034f\u061c\u180e\u202a\u202e\u2066\ufe0f\U000e0101")
)
_TAG = re.compile(r"<[^<>]*>")
_WRAP = re.compile(r"[ \t\r|,\"\u2500-\u257f]*\n[ \t\r\n|,\"\u2500-\u257f]*")
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]{30,}")
_NEWLINES = re.compile(r"\\+(?:r\\+)?n")
_ESCAPES = re.compile(r"\\+u([0-9a-fA-F]{4})")


def can_read(data: bytes, key: str, length: int = 0) -> bool:
    """Whether ``length`` characters of the key in a row (default: all) can be read from the data."""
    length = length or len(key)
    parts = [key[start : start + length] for start in range(len(key) - length + 1)]
    return any(part in reading for text in texts(data) for reading in readings(text) for part in parts)


def texts(data: bytes) -> Iterator[str]:
    """The data as text, and if it is JSON every text in it, joined as a reader would join them."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be") if b"\0" in data else ("utf-8",):
        text = data.decode(encoding, "replace")
        yield text
        try:
            value = json.loads(text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            continue
        yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return
        if not isinstance(inner, int | float):
            yield from _strings(inner)
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        streams = [o for o in value if isinstance(o, dict) and o.get("output_type") == "stream"]
        for _, group in itertools.groupby(streams, lambda output: output.get("name", output.get("stream"))):
            yield "".join("".join(output.get("text", "")) for output in group)
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(name)
            yield from _strings(item)


def readings(text: str) -> Iterator[str]:
    """The text as it is, without what may stand between letters, and decoded."""
    unescaped = _ESCAPES.sub(lambda match: chr(int(match[1], 16)), _NEWLINES.sub("\n", text))
    shown = _ANSI.sub("", unescaped).translate(_INVISIBLE)
    bare = html.unescape(_TAG.sub("", shown)).translate(_INVISIBLE)
    seen = dict.fromkeys([text, unescaped, shown, bare, _WRAP.sub("", shown), _WRAP.sub("", bare)])
    for reading in seen:
        yield reading
        if "%" in reading:
            yield urllib.parse.unquote(reading, "latin-1")
        yield from _decoded(reading)


def _decoded(text: str) -> Iterator[str]:
    for token in _TOKEN.findall(text):
        plain = token.replace("-", "+").replace("_", "/")
        for shift in range(4):
            part = plain[shift:]
            yield base64.b64decode(part + "A" * (-len(part) % 4)).decode("latin-1")
    for token in _HEX.findall(text):
        for shift in range(2):
            part = token[shift:]
            yield binascii.unhexlify(part[: len(part) // 2 * 2]).decode("latin-1")
