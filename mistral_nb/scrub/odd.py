"""Secrets with characters that no key has, a passphrase for one: plain, and as JSON writes them."""

import json
from base64 import b64encode, urlsafe_b64encode

from mistral_nb.key import FRAGMENT, Secret
from mistral_nb.scrub.findings import KNOWN
from mistral_nb.scrub.wanted import Match

_BLOCK = 8  # any 15 characters in a row hold one whole block of 8


def places(data: bytes, secrets: list[Secret]) -> list[Match]:
    """Where the secrets, parts of 15 characters and more of them, and encoded ones stand."""
    found: set[Match] = set()
    for secret in secrets:
        for written in _writings(secret.reveal()):
            found.update(_parts(data, written))
        for needle, filler in _encodings(secret.reveal()):
            position = data.find(needle)
            while position >= 0:
                end = position + len(needle)
                found.add(Match(position, end, KNOWN, "", "", filler))
                position = data.find(needle, end)
    return _merged(sorted(found, key=lambda match: (match.start, -match.end)))


def _writings(text: str) -> list[list[bytes]]:
    """The secret's characters as bytes: as they are, and as JSON writes them."""
    plain = [c.encode("utf-8", "surrogatepass") for c in text]
    escaped = [json.dumps(c)[1:-1].encode() for c in text]
    light = [json.dumps(c, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass") for c in text]
    return [plain, *(w for w in (escaped, light) if w != plain)]


def _parts(data: bytes, written: list[bytes]) -> list[Match]:
    found = []
    for first in range(0, max(1, len(written) - _BLOCK + 1), _BLOCK):
        block = b"".join(written[first : first + _BLOCK])
        position = data.find(block)
        while position >= 0:
            start, end, low, high = position, position + len(block), first, min(first + _BLOCK, len(written))
            while low and data[:start].endswith(written[low - 1]):
                low, start = low - 1, start - len(written[low - 1])
            while high < len(written) and data.startswith(written[high], end):
                high, end = high + 1, end + len(written[high])
            if high - low >= min(FRAGMENT, len(written)):
                found.append(Match(start, end, KNOWN, "", ""))
            position = data.find(block, max(end, position + 1))
    return found


def _encodings(text: str) -> list[tuple[bytes, bytes]]:
    """The secret in hex and base64, with what takes its place."""
    raw = text.encode("utf-8", "surrogatepass")
    needles = [raw.hex().encode(), raw.hex().upper().encode()]
    for shift in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            whole = encode(b"\0" * shift + raw)
            inner = whole[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]
            needles.append(inner)
    return [(needle, b"7" * len(needle)) for needle in dict.fromkeys(needles)]


def _merged(found: list[Match]) -> list[Match]:
    kept: list[Match] = []
    for match in found:
        if not kept or match.start >= kept[-1].end:
            kept.append(match)
    return kept
