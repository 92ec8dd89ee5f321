"""UTF-16 files, searched as UTF-8 and written back as UTF-16."""

from typing import NamedTuple

_SAMPLE = 4096
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class Utf16Text(NamedTuple):
    text: bytes  # UTF-8
    encoding: str
    rest: bytes  # an odd byte at the end


def to_utf8(data: bytes) -> Utf16Text | None:
    """The data as UTF-8 if it is UTF-16 that comes back byte for byte; None otherwise."""
    encoding = BYTE_ORDER_MARKS.get(data[:2]) or _guessed(data[:_SAMPLE])
    if not encoding:
        return None
    whole, rest = (data[:-1], data[-1:]) if len(data) % 2 else (data, b"")
    try:
        text = whole.decode(encoding, "surrogatepass")
        if text.encode(encoding, "surrogatepass") != whole:
            return None
        return Utf16Text(text.encode("utf-8", "surrogatepass"), encoding, rest)
    except UnicodeError:
        return None


def to_utf16(wide: Utf16Text, text: bytes) -> bytes:
    return text.decode("utf-8", "surrogatepass").encode(wide.encoding, "surrogatepass") + wide.rest


def _guessed(sample: bytes) -> str | None:
    """UTF-16 without a byte order mark: most of every second byte is zero."""
    if b"\0" not in sample or len(sample) < 4:
        return None
    even, odd = sample[::2], sample[1::2]
    if odd.count(0) > len(odd) // 2 > even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) // 2 > odd.count(0):
        return "utf-16-be"
    return None
