"""The ways in which a secret comes to be written: as Python and JSON quote it, and encoded."""

import json
from base64 import b64encode, urlsafe_b64encode

_UNCOVERED = (0, 2, 3)  # how many base64 digits depend on the 0, 1 or 2 bytes before the key
_BOTH_QUOTES = "'\""


def written(text: str) -> set[str]:
    """A text as it is, as repr and JSON write it, and as JSON inside JSON does. A key is written in one way."""
    once = {text, *_in_python(text), _quoted(text), _quoted(text, ascii_only=True)}
    return once | {_quoted(way, ascii_only=only) for way in once for only in (False, True)}


def packed(text: str) -> bytes:
    """How a text stands in a message of the kernel."""
    return _quoted(text).encode("utf-8", "surrogatepass")


def in_base64(data: bytes) -> set[str]:
    """The base64 digits that depend on the data alone, for each of the three places it can start at."""
    forms = set()
    for encode in (b64encode, urlsafe_b64encode):
        for before, uncovered in enumerate(_UNCOVERED):
            digits = encode(bytes(before) + data).decode()
            forms.add(digits[uncovered : (before + len(data)) * 8 // 6])
    return forms


def in_bytes(text: str) -> set[bytes]:
    """In UTF-8, UTF-16 and UTF-32, in either order of the bytes."""
    wide = {text.encode(f"utf-{bits}-{order}", "surrogatepass") for bits in (16, 32) for order in ("le", "be")}
    return wide | {text.encode("utf-8", "surrogatepass")}


def in_hex(data: bytes) -> set[str]:
    return {data.hex(), data.hex().upper()}


def in_percent(data: bytes) -> set[str]:
    return {"".join(map(form.__mod__, data)) for form in ("%%%02x", "%%%02X")}


def _in_python(text: str) -> set[str]:
    """As in the repr of a text, of its bytes, and of a longer one, whose other quotes decide on the escapes."""
    data = text.encode("utf-8", "surrogatepass")
    escaped = {
        repr(text + _BOTH_QUOTES)[1:-4],
        ascii(text + _BOTH_QUOTES)[1:-4],
        repr(data + _BOTH_QUOTES.encode())[2:-4],
    }
    return escaped | {way.replace("\\'", "'") for way in escaped}


def _quoted(text: str, ascii_only: bool = False) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]
