"""Images in notebooks and texts: where their base64 stands, which is searched for whole known keys only."""

import re

from mistral_nb.redaction.findings import Span

IMAGE_TYPES = frozenset(f"image/{kind}" for kind in ("png", "jpeg", "jpg", "gif", "webp", "bmp", "tiff", "x-icon"))
SMALLEST_IMAGE = 100  # what is shorter is read as text
# How the base64 of PNG, JPEG, GIF, WebP, BMP, TIFF and icons begins. What begins in another way is read as text.
IMAGE_STARTS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk", "SUkq", "TU0A", "AAABAA")
_STARTS = tuple(start.encode() for start in IMAGE_STARTS)
_START = re.compile(
    rb'(?:%b)(?:"\s*+:\s*+(?:\[\s*+)?"|;base64,)' % "|".join(sorted(IMAGE_TYPES)).encode(), re.IGNORECASE
)
_STOPS = (b'"', b"\\", b"'", b")", b" ", b"<", b">", b"\n", b"&", b",", b";")  # what ends a data: URL


def is_image(text: str) -> bool:
    """Whether a value under an image's name is one."""
    return len(text) >= SMALLEST_IMAGE and text.startswith(IMAGE_STARTS) and " " not in text


def find_images(data: bytes) -> list[Span]:
    """Where the base64 payloads of images start and end."""
    found = []
    stops = dict.fromkeys(_STOPS, -1)
    position = data.find(b"image/")
    while position >= 0:
        start, end = _find_payload(data, position, stops)
        if end - start >= SMALLEST_IMAGE and data.startswith(_STARTS, start) and data.find(b" ", start, end) < 0:
            found.append((start, end))
        position = data.find(b"image/", max(end, position + 6))
    return found


def remove_spans(data: bytes, spans: list[Span]) -> bytes:
    """The data with the spans left out; the same object without any."""
    if not spans:
        return data
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(data)]
    return b" ".join([data[start:end] for start, end in zip(starts, ends, strict=True)])


def _find_payload(data: bytes, position: int, stops: dict[bytes, int]) -> Span:
    match = _START.match(data, position)
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
